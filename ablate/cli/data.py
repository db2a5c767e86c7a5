"""The commands that look at data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ablate import console
from ablate.cli.options.common import DataFlags, JsonFlag
from ablate.cli.options.recipe import Selection, grouped
from ablate.workloads.resnet9.workload import WORKLOAD


@grouped(WORKLOAD)
def info(
    flags: DataFlags,
    image_size: Annotated[int, typer.Option(help="Height and width to decode to.")] = 32,
    as_json: JsonFlag = False,
) -> None:
    """Say what the data is: classes, images, normalisation, fingerprint, where it is kept.

    Examples:
      ablate data info --dataset digits

      ablate data info --data-dir cifar10.tgz
    """
    from ablate.data import describe, open_dataset

    with console.DecodingBar() as bar:
        facts = describe(open_dataset(flags.source(), image_size, bar))
    if as_json:
        console.emit(facts)
    else:
        console.table(["", ""], [[name.replace("_", " "), _text(name, value)] for name, value in facts.items()])


def _text(name: str, value: object) -> str:
    if isinstance(value, int):
        return f"{value / 1e6:,.1f} MB" if name == "bytes" else f"{value:,}"
    return ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)


@grouped(WORKLOAD)
def show(
    selection: Selection,
    flags: DataFlags,
    to: Annotated[Path, typer.Option(help="The PNG file to write.")] = Path("data.png"),
    count: Annotated[int, typer.Option(help="How many images.", min=1, max=400)] = 32,
    seed: Annotated[int, typer.Option(help="The seed of order and augmentation.", min=0)] = 0,
) -> None:
    """Write a grid of training images, as they are and as training sees them.

    Examples:
      ablate data show --dataset digits

      ablate data show --data-dir cifar10.tgz --rotation --rotation-degrees 30
    """
    from ablate.workloads.resnet9.artifacts import draw_data

    recipe = selection.recipe("notebook", seed)
    with console.DecodingBar() as bar:
        draw_data(flags.source(), recipe, count, to, bar)
    console.result(str(to))


@grouped(WORKLOAD)
def fetch(
    name: Annotated[str, typer.Argument(help="cifar10, cifar100, svhn, fashion-mnist or digits.")] = "cifar10",
) -> None:
    """Download a data set, check it and decode it, for use without a network later.

    Examples:
      ablate data fetch digits

      ablate data fetch cifar10
    """
    from ablate.data import fetch as fetch_data

    with console.DecodingBar() as bar:
        dataset = fetch_data(name, progress=bar)
    console.result(
        f"{dataset.name}: {len(dataset.train):,} training and {len(dataset.test):,} test images in {dataset.cache}"
    )

"""`ablate data`: describe, show and download data sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablate import console
from ablate.api.resources import DEFAULT_DATASET, FULL_PRESET
from ablate.cli.options import names
from ablate.cli.options.common import DataFlags, JsonFlag
from ablate.cli.options.groups import expand_groups
from ablate.cli.options.recipe import RecipeFlags
from ablate.wording import alternatives, listed
from ablate.workloads.resnet9.workload import WORKLOAD

if TYPE_CHECKING:
    from ablate.data import Dataset

_MOST_CLASSES = 10
"""Classes that `ablate data show` names."""

_IMAGE_SIZE = int(str(WORKLOAD.setting("image_size").default))


@expand_groups
def info(
    flags: DataFlags,
    image_size: Annotated[int, typer.Option(help="Height and width of the decoded images.")] = _IMAGE_SIZE,
    as_json: JsonFlag = False,
) -> None:
    """Describe a data set: classes, images, normalisation, fingerprint, cache.

    Examples:
      ablate data info --dataset digits

      ablate data info --data-dir cifar10.tgz

      ablate data info --data-dir pets --splits train=A,test=B
    """
    from ablate.data import describe, open_dataset

    with console.DecodingBar() as bar:
        facts = describe(open_dataset(flags.source(), image_size, bar))
    if as_json:
        console.print_json(facts)
    else:
        shown = {name: value for name, value in facts.items() if value != []}
        rows = [[name.replace("_", " "), _text(name, value)] for name, value in shown.items() if name != "notes"]
        notes = [["" if number else "notes", note] for number, note in enumerate(facts["notes"])]
        console.table(["", ""], [*rows, *notes])


def _text(name: str, value: object) -> str:
    if isinstance(value, int):
        return f"{value / 1e6:,.1f} MB" if name == "bytes" else f"{value:,}"
    return ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)


@expand_groups
def show(
    recipe: RecipeFlags,
    flags: DataFlags,
    to: Annotated[Path, typer.Option(help="PNG file to write.")] = Path("data.png"),
    count: Annotated[int, typer.Option(help="Number of images.", min=1, max=400)] = 32,
    seed: Annotated[int, typer.Option(help="Random seed of order and augmentation.", min=0)] = 0,
) -> None:
    """Draw a grid of training images, before and after augmentation.

    Examples:
      ablate data show --dataset digits

      ablate data show --data-dir cifar10.tgz --rotation --rotation-degrees 30
    """
    from ablate.data import open_dataset
    from ablate.workloads.resnet9.artifacts import draw_data

    chosen = recipe.recipe(FULL_PRESET, seed)
    with console.DecodingBar() as bar:
        dataset = open_dataset(flags.source(), chosen.settings["image_size"], bar)
    console.info(f"{dataset.name}: {_splits_of(dataset)} of {listed(dataset.classes, _MOST_CLASSES)}")
    for note in dataset.notes:
        console.info(f"data: {note}")
    draw_data(dataset, chosen, count, to)
    console.result(str(to))


@expand_groups
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"{alternatives(names.DATASETS)}.")] = DEFAULT_DATASET,
) -> None:
    """Download, verify and decode a data set for offline use.

    Examples:
      ablate data fetch digits

      ablate data fetch cifar10
    """
    from ablate.data import fetch as fetch_data

    with console.DecodingBar() as bar:
        dataset = fetch_data(name, progress=bar)
    console.result(f"{dataset.name}: {_splits_of(dataset)} in {dataset.cache}")


def _splits_of(dataset: Dataset) -> str:
    return f"{len(dataset.train):,} training and {len(dataset.test):,} test images"

"""`ablate predict`: classify images with the weights of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ablate import console
from ablate.cli.options.common import JsonFlag, TrackingFlags
from ablate.cli.options.groups import expand_groups
from ablate.errors import UsageError

_ASSUMED = (
    "{file} does not exist, so the notebook's network is assumed: CIFAR-10's classes and normalisation, images of "
    "32 x 32 pixels, residual connections, ReLU"
)


@expand_groups
def predict(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE", help="Image files.", show_default=False)],
    store: TrackingFlags,
    run: Annotated[
        str | None,
        typer.Option(help="Run whose weights to use.", metavar="NAME", show_default="the newest with weights"),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="File of weights, such as a checkpoint of the notebook.", show_default=False)
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Classify images with the weights of a run.

    Examples:
      ablate predict photo.png --run baseline/s0

      ablate predict *.png --weights cifar-10-resnet9.pth --json
    """
    from ablate.data import read_image
    from ablate.tracking import Project, run_title
    from ablate.workflows.run import describe_weights, find_weights
    from ablate.workloads.resnet9.weights import classify, load_classifier

    if run and weights:
        raise UsageError("--run and --weights exclude each other. Give one of them")
    if weights:
        model = str(weights)
    else:
        found, weights = find_weights(store.open_current(Project.find()), run)
        model = run_title(found)
        console.info(f"Weights of {describe_weights(found)}")
    classifier = load_classifier(weights)
    if not classifier.is_described:
        console.info(_ASSUMED.format(file=weights.with_suffix(".json")))
    pixels = [read_image(path, classifier.image_size) for path in images]
    probabilities = classify(classifier, pixels)
    ranked = [sorted(zip(row.tolist(), classifier.classes, strict=True), reverse=True) for row in probabilities]
    if as_json:
        answers = [
            {"image": str(path), "classes": {name: p for p, name in row}}
            for path, row in zip(images, ranked, strict=True)
        ]
        console.print_json({"weights": model, "predictions": answers})
    else:
        _print_table(images, ranked)


def _print_table(images: Sequence[Path], ranked: Sequence[Sequence[tuple[float, str]]]) -> None:
    """Print the most probable classes of each image."""
    best = min(3, len(ranked[0]))
    rows = [
        [str(path), *(f"{name} {p:.1%}" for p, name in row[:best])] for path, row in zip(images, ranked, strict=True)
    ]
    console.table(["image", "class", "second", "third"][: best + 1], rows)

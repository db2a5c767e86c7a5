"""`ablate predict`: classify images with the weights of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ablate import console
from ablate.cli.options.common import JsonFlag, StoreFlags
from ablate.cli.options.recipe import grouped
from ablate.errors import UsageError
from ablate.workloads.resnet9.workload import WORKLOAD


@grouped(WORKLOAD)
def predict(
    images: Annotated[list[Path], typer.Argument(help="Image files.", show_default=False)],
    store: StoreFlags,
    run: Annotated[
        str | None,
        typer.Option(help="The run whose weights answer; the newest one unless given.", show_default=False),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="A file of weights instead, such as the notebook's own.", show_default=False)
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what images show: classes with probabilities.

    Examples:
      ablate predict frog.png --run baseline/s0

      ablate predict *.png --weights cifar-10-resnet9.pth --json
    """
    from ablate.data import read_image
    from ablate.tracking import Project
    from ablate.workflows.run import find_weights
    from ablate.workloads.resnet9.weights import classify, load_classifier

    if run and weights:
        raise UsageError("--run and --weights exclude each other. Give one of them")
    classifier = load_classifier(weights or find_weights(store.open_current(Project.find()), run))
    pixels = [read_image(path, classifier.image_size) for path in images]
    probabilities = classify(classifier, pixels)
    ranked = [sorted(zip(row.tolist(), classifier.classes, strict=True), reverse=True) for row in probabilities]
    if as_json:
        answers = [
            {"image": str(path), "classes": {name: p for p, name in row}}
            for path, row in zip(images, ranked, strict=True)
        ]
        console.emit({"weights": str(weights or run), "predictions": answers})
        return
    best = min(3, len(classifier.classes))
    rows = [
        [str(path), *(f"{name} {p:.1%}" for p, name in row[:best])] for path, row in zip(images, ranked, strict=True)
    ]
    console.table(["image", "class", "second", "third"][: best + 1], rows)

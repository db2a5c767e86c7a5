"""Trainings of the demo preset as one would write them by hand: no journal, no tracker, no worker."""

from __future__ import annotations

from typing import Any


class Quiet:
    """A training's log that keeps the last validation accuracy."""

    accuracy = 0.0

    def __call__(self, step: int, **metrics: float) -> None:  # noqa: ARG002  # the protocol's
        """Keep the accuracy."""
        self.accuracy = metrics["val/accuracy"]

    def series(self, name: str, first: int, values: list[float]) -> None:
        """Keep nothing."""

    def progress(self, done: int, total: int) -> None:
        """Keep nothing."""


def train(seed: int, precision: str = "auto", **settings: Any) -> tuple[float, float]:
    """Return the last validation accuracy and the test accuracy of a run on the digits, the latter scored in fp32."""
    from ablate.classification import divide
    from ablate.data import Source, open_dataset
    from ablate.devices import resolve
    from ablate.recipe import Recipe
    from ablate.resnet9 import WORKLOAD, plan
    from ablate.trainer import Training, evaluate

    recipe = Recipe.of(WORKLOAD, None, {**WORKLOAD.preset("demo").settings, **settings}, seed)
    dataset, log = open_dataset(Source("digits"), recipe.settings["image_size"]), Quiet()
    parts = divide(dataset, recipe, "cpu")
    training = Training(
        plan(recipe, len(dataset.classes)), parts.train, seed, precision=resolve("cpu", precision).precision
    )
    training.run(parts.validation, log)
    return log.accuracy, evaluate(training.scored_model, parts.test).accuracy

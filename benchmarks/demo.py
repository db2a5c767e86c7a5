"""Training runs of the demo preset without journal, tracker or worker process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablate.studies.conditions import Conditions


class Quiet:
    """A log that keeps the last validation accuracy."""

    accuracy = 0.0

    def __call__(self, step: int, **metrics: float) -> None:  # noqa: ARG002  # part of the protocol
        """Keep the accuracy."""
        self.accuracy = metrics["val/accuracy"]

    def series(self, name: str, first: int, values: list[float]) -> None:
        """Keep nothing."""

    def progress(self, done: int, total: int) -> None:
        """Keep nothing."""


def train(seed: int, how: Conditions, **settings: Any) -> tuple[float, float]:
    """Return the last validation accuracy and the test accuracy of a run on the digits, the latter scored in fp32."""
    from ablate.data import ImageSource, open_dataset
    from ablate.studies.job import Job
    from ablate.studies.recipe import Recipe
    from ablate.workloads.resnet9.data import open_data
    from ablate.workloads.resnet9.images import load_parts
    from ablate.workloads.resnet9.run import start
    from ablate.workloads.resnet9.training import evaluate
    from ablate.workloads.resnet9.workload import WORKLOAD, training_plan

    source, log = ImageSource("digits"), Quiet()
    recipe = Recipe.of(WORKLOAD, None, {**WORKLOAD.preset("demo").settings, **settings}, seed)
    dataset = open_dataset(source, recipe.settings["image_size"])
    parts = load_parts(dataset, recipe, how.device)
    job = Job(recipe, open_data(source, recipe), how)
    training = start(training_plan(recipe, len(dataset.classes)), parts.train, job)
    training.run(parts.validation, log)
    return log.accuracy, evaluate(training.scored_model, parts.test).accuracy

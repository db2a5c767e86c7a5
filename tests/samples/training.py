"""Small image sets, plans and logs for the tests of the training kernel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from ablate.studies.recipe import Recipe
from ablate.workloads.resnet9 import workload as resnet9
from ablate.workloads.resnet9.images import Images
from ablate.workloads.resnet9.plan import Net, TrainingPlan
from ablate.workloads.resnet9.training import Training
from ablate.workloads.resnet9.workload import WORKLOAD

CLASSES = 4
TINY = {"width": 4, "image_size": 16, "epochs": 3, "batch_size": 16, "lr": 0.01}
"""Settings of a training that takes a fraction of a second."""


def tiny_images(count: int = 40, *, size: int = 16, classes: int = CLASSES, seed: int = 0) -> Images:
    """Return random images whose brightness depends on the class, so that a few steps can learn it."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    noise = torch.randint(0, 256, (count, 3, size, size), generator=generator)
    pixels = (noise * (labels.view(-1, 1, 1, 1) + 1) // classes).to(torch.uint8)
    mean, std = torch.tensor([0.4, 0.3, 0.3]).view(1, 3, 1, 1), torch.tensor([0.3, 0.2, 0.25]).view(1, 3, 1, 1)
    return Images(pixels, labels, torch.arange(count), mean, std)


def recipe_of(factors: Iterable[str] | None = None, seed: int = 0, **values: Any) -> Recipe:
    """Return a tiny recipe; `values` override its settings."""
    return Recipe.of(WORKLOAD, factors, {**TINY, **values}, seed)


def plan_of(factors: Iterable[str] | None = None, **values: Any) -> TrainingPlan:
    """Return the plan of a tiny recipe."""
    return resnet9.training_plan(recipe_of(factors, **values), CLASSES)


def bare_net(**values: Any) -> Net:
    """Return a bare network of the notebook's size; `values` override its fields."""
    return Net(**{"width": 64, "classes": 10, "image_size": 32, **values})


class ListLog:
    """A log that keeps all values except times."""

    def __init__(self) -> None:
        self.history: list[dict[str, float]] = []
        self.rates: list[float] = []
        self.steps: list[tuple[int, int]] = []

    def __call__(self, step: int, **metrics: float) -> None:
        kept = {name: value for name, value in metrics.items() if name not in ("time/epoch_s", "images_per_s")}
        self.history.append({"step": step, **kept})

    def series(self, name: str, first: int, values: list[float]) -> None:
        assert name == "lr_step"
        assert first == len(self.rates) + 1
        self.rates.extend(values)

    def progress(self, done: int, total: int) -> None:
        self.steps.append((done, total))


def train(plan: TrainingPlan, train_images: Images, seed: int = 0, **options: Any) -> tuple[Training, ListLog]:
    """Train from the beginning to the end and return the training and what it logged."""
    training, log = Training(plan, train_images, seed, **options), ListLog()
    training.run(tiny_images(20, size=train_images.pixels.shape[-1], seed=1), log)
    return training, log


def weights(training: Training) -> dict[str, Tensor]:
    """Return a copy of weights and buffers, those of the average included."""
    state = dict(training.model.state_dict())
    if training.average:
        state |= {f"average.{name}": value for name, value in training.average.model.state_dict().items()}
    return {name: value.clone() for name, value in state.items()}


def differing(first: dict[str, Tensor], second: dict[str, Tensor]) -> list[str]:
    """Return the names whose values are not equal bit for bit."""
    assert first.keys() == second.keys()
    return [name for name in first if not torch.equal(first[name], second[name])]

"""Trainings of the built-in recipe on noise, for measurements of speed and of agreement."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import torch

from ablate.studies.recipe import Recipe
from ablate.workloads.resnet9 import workload as resnet9
from ablate.workloads.resnet9.images import Images
from ablate.workloads.resnet9.training import Training


class Silent:
    """A log that ignores everything."""

    def __call__(self, step: int, **metrics: float) -> None:
        """Ignore the metrics."""

    def series(self, name: str, first: int, values: list[float]) -> None:
        """Ignore the values."""

    def progress(self, done: int, total: int) -> None:
        """Ignore the progress."""


def noise(count: int, device: str, size: int = 32) -> Images:
    """Return random images of ten classes on a device."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (count, 3, size, size), generator=generator, dtype=torch.uint8).to(device)
    members = torch.arange(count, device=device)
    half = torch.full((1, 3, 1, 1), 0.5, device=device)
    return Images(pixels, members % 10, members, half, half)


def training(
    images: Images,
    *,
    width: int,
    batch: int,
    factors: Iterable[str] | None = None,
    lr: float = 0.01,
    seed: int = 0,
    **how: Any,
) -> Training:
    """Return a training of the full recipe, or of the given factors, with many epochs to come."""
    settings = {"width": width, "epochs": 100, "batch_size": batch, "image_size": images.pixels.shape[-1], "lr": lr}
    recipe = Recipe.of(resnet9.WORKLOAD, factors, settings)
    return Training(resnet9.training_plan(recipe, 10), images, seed, **how)


def seconds_per_step(run: Training, epochs: int = 2) -> float:
    """Return the seconds of a step, from epochs after a first one that warms up."""
    run.train_epoch(Silent())
    return seconds_of(lambda: run.train_epoch(Silent()), run.device, epochs) / epochs / run.steps_per_epoch


def seconds_of(epoch: Callable[[], Any], device: str, epochs: int) -> float:
    """Return the seconds of some epochs. Waits for the device before and after them."""
    _wait(device)
    started = time.perf_counter()
    for _ in range(epochs):
        epoch()
    _wait(device)
    return time.perf_counter() - started


def first_epoch_weights(run: Training) -> torch.Tensor:
    """Return all weights after one epoch, as one vector on the CPU."""
    run.train_epoch(Silent())
    return torch.cat([parameter.detach().float().cpu().flatten() for parameter in run.parameters])


def few(images: Images, count: int) -> Images:
    """Return the first images of a set."""
    return replace(images, members=images.members[:count])


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()

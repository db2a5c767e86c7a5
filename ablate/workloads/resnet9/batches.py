"""The batches of an epoch: which images they have, and how these are prepared. Every component has a random stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Generator, Tensor

from ablate.seeding import torch_stream
from ablate.workloads.resnet9.draws import Stream
from ablate.workloads.resnet9.images import Images
from ablate.workloads.resnet9.plan import TrainingPlan

Batch = tuple[Tensor, Tensor, Tensor]
"""Normalised images, labels, and targets: the labels, or probabilities if the plan has steps that change them."""


def prepare_batch(plan: TrainingPlan, images: Images, positions: Tensor, streams: Mapping[str, Stream]) -> Batch:
    """Return the batch of the images at `positions`, which are on the device of the images."""
    pixels, labels = images.scaled(positions)
    for image_step in plan.image_steps:
        pixels = image_step.apply(pixels, streams[image_step.stream])
    pixels, targets = images.normalised(pixels), labels
    if plan.batch_steps:  # F.one_hot reads the labels on the CPU, which no graph can replay
        targets = (labels[:, None] == torch.arange(plan.net.classes, device=labels.device)).float()
    for batch_step in plan.batch_steps:
        pixels, targets = batch_step.apply(pixels, targets, streams[batch_step.stream])
    return pixels, labels, targets


def epoch_order(count: int, seed: int, epoch: int) -> Tensor:
    """Return the order of `count` images in one epoch."""
    return torch.randperm(count, generator=epoch_stream(seed, "order", epoch))


def epoch_streams(plan: TrainingPlan, seed: int, epoch: int) -> dict[str, Generator]:
    """Return the random streams of the plan's image and batch steps in one epoch by name."""
    names = [step.stream for step in plan.image_steps] + [step.stream for step in plan.batch_steps]
    return {name: epoch_stream(seed, name, epoch) for name in names}


def epoch_stream(seed: int, purpose: str, epoch: int, device: str = "cpu") -> Generator:
    """Return the random stream of `purpose` in one epoch. Its name contains the epoch: checkpoints need no state."""
    return torch_stream(seed, f"{purpose}/epoch {epoch}", device)


def image_transform(plan: TrainingPlan, seed: int, epoch: int) -> Callable[[Tensor], Tensor]:
    """Return the function that applies the plan's image steps to the consecutive batches of an epoch."""
    streams = epoch_streams(plan, seed, epoch)

    def transform(images: Tensor) -> Tensor:
        for step in plan.image_steps:
            images = step.apply(images, streams[step.stream])
        return images

    return transform

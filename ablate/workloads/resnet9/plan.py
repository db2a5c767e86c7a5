"""What a training is made of: the ingredients that a recipe gathers and the only thing that the trainer reads.

`TrainingPlan()` is bare. Factors add to it and never take away, so ablating a component means not applying its factor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from torch import Generator, Tensor
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    ImageFunction = Callable[[Tensor, Generator], Tensor]
    BatchFunction = Callable[[Tensor, Tensor, Generator], tuple[Tensor, Tensor]]
    Schedule = Callable[[Optimizer, int], LRScheduler]


@dataclass(frozen=True)
class ImageStep:
    """A change of a batch of images in [0, 1], N x C x H x W; `name` is its random stream."""

    name: str
    apply: ImageFunction


@dataclass(frozen=True)
class BatchStep:
    """A change of normalised images and target probabilities (N x classes) together; `name` is its random stream."""

    name: str
    apply: BatchFunction


@dataclass(frozen=True)
class Net:
    """The switches of the network; `width` is the number of channels after the first convolution."""

    width: int = 64
    classes: int = 10
    image_size: int = 32
    batch_norm: bool = False
    residual: bool = False
    dropout: float = 0.0


@dataclass(frozen=True)
class TrainingPlan:
    """The ingredients of one training. `lr` is the constant rate, or the peak where there is a schedule."""

    net: Net = Net()
    epochs: int = 16
    batch_size: int = 400
    lr: float = 0.01
    optimizer: str = "adam"
    image_steps: tuple[ImageStep, ...] = ()
    batch_steps: tuple[BatchStep, ...] = ()
    label_smoothing: float = 0.0
    weight_decay: float = 0.0
    clip_value: float | None = None
    schedule: Schedule | None = None
    averaging: float | None = None

    def change_images(self, name: str, apply: ImageFunction) -> Self:
        """Add a step on the images of a batch."""
        return replace(self, image_steps=(*self.image_steps, ImageStep(name, apply)))

    def change_batch(self, name: str, apply: BatchFunction) -> Self:
        """Add a step on images and targets together."""
        return replace(self, batch_steps=(*self.batch_steps, BatchStep(name, apply)))

    def change_net(self, **switches: bool | float) -> Self:
        """Turn switches of the network."""
        return replace(self, net=replace(self.net, **switches))  # type: ignore[arg-type]  # the names are Net's fields

"""A training plan: the ingredients that a recipe's factors add up to, and the only input of the training loop.

A plan starts bare. Factors only add to it, so a component is ablated by not applying its factor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from ablate.studies.workload import resolve

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from ablate.workloads.resnet9.draws import Stream

    ImageFunction = Callable[[Tensor, Stream], Tensor]
    BatchFunction = Callable[[Tensor, Tensor, Stream], tuple[Tensor, Tensor]]
    Schedule = Callable[[Optimizer, int], LRScheduler]


@dataclass(frozen=True)
class ImageStep:
    """A transform of a batch of images in [0, 1], N x C x H x W, that draws from the random stream `stream`."""

    stream: str
    apply: ImageFunction


@dataclass(frozen=True)
class BatchStep:
    """A transform of normalised images and target probabilities (N x classes) that draws from the stream `stream`."""

    stream: str
    apply: BatchFunction


@dataclass(frozen=True)
class Net:
    """The architecture of the network. `width` is the number of channels after the first convolution.

    `group_size` is the largest number of channels in a group of group normalisation, and 0 without it.
    """

    width: int
    classes: int
    image_size: int
    batch_norm: bool = False
    group_size: int = 0
    activation: str = "relu"
    residual: bool = False
    dropout: float = 0.0
    dropout_stream: str = ""


@dataclass(frozen=True)
class TrainingPlan:
    """The ingredients of one training. `lr` is the constant learning rate, or the peak of the schedule.

    Raises ValueError if two components draw from the same random stream.
    """

    net: Net
    epochs: int
    batch_size: int
    lr: float
    optimizer: str
    image_steps: tuple[ImageStep, ...] = ()
    batch_steps: tuple[BatchStep, ...] = ()
    label_smoothing: float = 0.0
    weight_decay: float = 0.0
    clip_value: float | None = None
    schedule: Schedule | None = None
    averaging: float | None = None

    def __post_init__(self) -> None:
        if len(set(self.streams)) < len(self.streams):
            raise ValueError(f"Two components draw from the same random stream: {', '.join(self.streams)}")

    @property
    def streams(self) -> tuple[str, ...]:
        """The random streams that the components draw from."""
        names = [step.stream for step in self.image_steps] + [step.stream for step in self.batch_steps]
        return (*names, self.net.dropout_stream) if self.net.dropout else tuple(names)

    def add_image_step(self, stream: str, apply: ImageFunction) -> Self:
        """Add a transform of the images of a batch."""
        return replace(self, image_steps=(*self.image_steps, ImageStep(stream, apply)))

    def add_batch_step(self, stream: str, apply: BatchFunction) -> Self:
        """Add a transform of images and targets together."""
        return replace(self, batch_steps=(*self.batch_steps, BatchStep(stream, apply)))

    def change_net(self, **values: bool | float | str) -> Self:
        """Change fields of the network's architecture."""
        return replace(self, net=replace(self.net, **values))  # type: ignore[arg-type]  # the names are Net's fields


def deferred(reference: str, **values: Any) -> Callable[..., Any]:
    """Return the function `module:name` with some keyword arguments. Its module is imported by the first call.

    So a recipe is checked, and a finished study reported, without importing torch.
    """
    return partial(_call, reference, **values)


def _call(reference: str, *arguments: Any, **values: Any) -> Any:
    return resolve(reference)(*arguments, **values)

"""The gradients of a batch: computed operation by operation, or replayed as a CUDA graph.

A graph is captured once per training and launches all kernels of a batch at once. It computes the same values as the
operations one by one. The batch is prepared and the optimizer applied outside of it, so that random numbers on the CPU,
the learning rate and the momentum may change at every step; in `captured_step.py` they are part of the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ablate.workloads.resnet9.model import ResNet9, StreamDropout
from ablate.workloads.resnet9.optim import clip_and_measure

if TYPE_CHECKING:
    from ablate.workloads.resnet9.plan import TrainingPlan

WARM_UP = 3
"""Batches before the capture, in which libraries choose their algorithms and allocate their workspaces."""

Gradients = Callable[[Tensor, Tensor, Tensor], Tensor]
"""A function of normalised images, labels and targets that stores the clipped gradients in the parameters.

It returns the sum of the losses, the number of correct predictions and the gradient's norm before clipping.
"""


class EagerGradients:
    """Compute gradients operation by operation.

    `features` computes the convolutions: the model's own method, or the compiled one for batches of the plan's size.
    Smaller batches are not compiled: compiling them would take longer than it saves.
    """

    def __init__(
        self, model: ResNet9, plan: TrainingPlan, autocast: torch.autocast, features: Callable[[Tensor], Tensor]
    ) -> None:
        self.model, self.plan, self.autocast, self.features = model, plan, autocast, features
        self.parameters = list(model.parameters())

    def __call__(self, images: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
        """Compute the gradients of a batch."""
        features = self.features if len(images) == self.plan.batch_size else self.model.features
        for parameter in self.parameters:
            parameter.grad = None
        with self.autocast:
            logits = self.model.classifier(features(images))
        loss = F.cross_entropy(logits.float(), targets, label_smoothing=self.plan.label_smoothing)
        loss.backward()  # type: ignore[no-untyped-call]  # torch left it untyped
        norm = clip_and_measure(self.parameters, self.plan.clip_value)
        correct = (logits.argmax(1) == labels).sum()
        return torch.stack([loss.detach() * len(labels), correct, norm])


class CapturedGradients:
    """Replay a CUDA graph of `eager` for batches of the plan's size, captured at the first of them.

    Smaller batches are computed by `eager`. The result is overwritten by the next call.
    """

    def __init__(self, eager: EagerGradients) -> None:
        self.eager = eager
        self.graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, *batch: Tensor) -> Tensor:
        """Compute the gradients of a batch."""
        if len(batch[0]) != self.eager.plan.batch_size:
            return self.eager(*batch)
        if self.graph is None:
            self._capture(batch)
        for mine, given in zip(self.inputs, batch, strict=True):
            mine.copy_(given, non_blocking=True)
        assert self.graph
        self.graph.replay()
        for parameter, gradient in zip(self.eager.parameters, self.gradients, strict=True):
            parameter.grad = gradient  # a smaller batch may have replaced it
        return self.result

    def _capture(self, batch: tuple[Tensor, ...]) -> None:
        self.inputs = [given.clone(memory_format=torch.preserve_format) for given in batch]
        self.graph, self.result = capture(lambda: self.eager(*self.inputs), self.eager.model)
        self.gradients = [parameter.grad for parameter in self.eager.parameters]


def capture(
    compute: Callable[[], Tensor], model: nn.Module, changed: Sequence[Tensor] = ()
) -> tuple[torch.cuda.CUDAGraph, Tensor]:
    """Capture `compute` as a CUDA graph, after a warm-up. Return the graph and the result that a replay overwrites.

    The buffers and the generators of the model, and the other tensors that `compute` changes, stay as they are.
    """
    generators = [one.generator for one in model.modules() if isinstance(one, StreamDropout) and one.generator]
    states = [generator.get_state() for generator in generators]
    tensors = [*model.buffers(), *changed]
    before = [tensor.detach().clone() for tensor in tensors]
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch left it untyped
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UP):
            compute()
    torch.cuda.current_stream().wait_stream(side)
    with torch.no_grad():
        for tensor, values in zip(tensors, before, strict=True):
            tensor.copy_(values)
    graph = torch.cuda.CUDAGraph()
    for generator, state in zip(generators, states, strict=True):
        generator.set_state(state)
        graph.register_generator_state(generator)
    with torch.cuda.graph(graph):
        result = compute()
    return graph, result

"""Seeds side by side, an experiment: the parameters of several networks are stacked and trained as one.

`torch.func.vmap` maps the gradients over the stack, so that convolutions of S seeds become one convolution in S groups.
Batch norm uses the statistics of the batch; running statistics are not updated, and dropout is not supported.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, stack_module_state, vmap
from torch.nn import functional as F

from ablate.workloads.resnet9.gradients import CapturedGradients
from ablate.workloads.resnet9.model import Block, ResNet9
from ablate.workloads.resnet9.optimizers import make_optimizer
from ablate.workloads.resnet9.training import Training


class BatchStatistics(nn.Module):
    """Batch norm without running statistics, in float32 or float64, of operations that `vmap` maps in any precision."""

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.weight, self.bias, self.epsilon = norm.weight, norm.bias, norm.eps

    def forward(self, features: Tensor) -> Tensor:
        """Return normalised features, N x C x H x W."""
        values = features if features.dtype == torch.float64 else features.float()
        variance, mean = torch.var_mean(values, (0, 2, 3), correction=0, keepdim=True)
        weight, bias = (parameter[:, None, None] for parameter in (self.weight, self.bias))
        return ((values - mean) * (variance + self.epsilon).rsqrt() * weight + bias).to(features.dtype)


def _with_batch_statistics(model: ResNet9) -> ResNet9:
    for module in model.modules():
        if isinstance(module, Block) and isinstance(module[1], nn.BatchNorm2d):
            module[1] = BatchStatistics(module[1])
    return model


class StackedGradients:
    """Compute the gradients of S seeds. The counterpart of `EagerGradients`, with batches of shape N x S x ..."""

    def __init__(self, trainings: Sequence[Training]) -> None:
        first = trainings[0]
        self.plan, self.autocast = first.plan, first.autocast
        self.model = _with_batch_statistics(copy.deepcopy(first.model)).train()
        stacked, _ = stack_module_state([training.model for training in trainings])
        self.names = list(stacked)
        self.parameters = [stacked[name].detach().requires_grad_() for name in self.names]
        self._compute = vmap(grad_and_value(self._loss, has_aux=True), in_dims=(0, 1, 1))

    def __call__(self, images: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
        """Store the clipped gradients in the parameters. Return losses, correct predictions and norms, 3 x S."""
        values = dict(zip(self.names, (parameter.detach() for parameter in self.parameters), strict=True))
        gradients, (losses, logits) = self._compute(values, images, targets)
        norms = sum(gradient.flatten(1).square().sum(1) for gradient in gradients.values())
        for name, parameter in zip(self.names, self.parameters, strict=True):
            limit = self.plan.clip_value
            parameter.grad = gradients[name] if limit is None else gradients[name].clamp(-limit, limit)
        correct = (logits.argmax(2) == labels.T).sum(1)
        return torch.stack([losses * len(labels), correct, torch.as_tensor(norms).sqrt()])

    def _loss(self, values: dict[str, Tensor], images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        with self.autocast:
            logits: Tensor = functional_call(self.model, values, (images,))
        return F.cross_entropy(logits.float(), targets, label_smoothing=self.plan.label_smoothing), logits


class SideBySide:
    """Trainings of one plan under several seeds, one step of all at a time."""

    def __init__(self, trainings: Sequence[Training], *, captured: bool = False) -> None:
        self.trainings = trainings
        self.stack = StackedGradients(trainings)
        self.gradients = CapturedGradients(self.stack) if captured else self.stack  # type: ignore[arg-type]  # alike
        first = trainings[0]
        self.optimizer = make_optimizer(self.stack.parameters, first.plan)
        self.schedule = first.plan.schedule(self.optimizer, first.total_steps) if first.plan.schedule else None

    def train_epoch(self) -> None:
        """Train every seed for one epoch, on its own batches."""
        for batch in self.batches():
            self.gradients(*batch)
            self.optimizer.step()
            if self.schedule:
                self.schedule.step()
        for training in self.trainings:
            training.epoch += 1

    def batches(self) -> Iterator[tuple[Tensor, ...]]:
        """Yield the batches of all seeds: N x S x ..."""
        for batches in zip(*(training.batches() for training in self.trainings), strict=True):
            yield tuple(torch.stack(parts, 1) for parts in zip(*batches, strict=True))

    def weights(self, number: int) -> dict[str, Tensor]:
        """Return the parameters of one of the trainings."""
        return {
            name: values[number].detach() for name, values in zip(self.stack.names, self.stack.parameters, strict=True)
        }

"""Optimisers, their schedule, and the average of the weights."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ablate.plan import Plan

OPTIMIZERS = ("adam", "adamw", "sgd")


def make_optimizer(parameters: Iterable[nn.Parameter], plan: Plan) -> Optimizer:
    """Return the plan's optimiser; `fused` computes the same update in one pass over the weights."""
    values = list(parameters)
    if plan.optimizer == "sgd":
        return torch.optim.SGD(values, plan.lr, momentum=0.9, weight_decay=plan.weight_decay, fused=True)
    kind = torch.optim.AdamW if plan.optimizer == "adamw" else torch.optim.Adam
    optimizer: Optimizer = kind(values, plan.lr, weight_decay=plan.weight_decay, fused=True)
    return optimizer


def one_cycle(optimizer: Optimizer, total_steps: int, *, peak: float, warmup: float) -> LRScheduler:
    """Return PyTorch's one-cycle schedule, cosine both ways: peak/25 to `peak` within `warmup`, then to peak/250,000.

    Beta1 (SGD: momentum) goes from .95 down to .85 and back (Smith and Topin, 2017).
    """
    total_steps = max(total_steps, 2)
    if warmup * total_steps == 1:
        warmup *= 1 + 1e-9  # a warm-up of one step has no length for PyTorch, which divides by it
    return OneCycleLR(optimizer, peak, total_steps=total_steps, pct_start=warmup)


def clip_and_measure(parameters: list[nn.Parameter], clip_value: float | None) -> Tensor:
    """Clip each element of the gradient to [-clip_value, clip_value]; return its norm before that, a scalar."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = nn.utils.get_total_norm(gradients)
    if clip_value is not None:
        nn.utils.clip_grad_value_(parameters, clip_value)
    return norm


class WeightAverage:
    """An exponential moving average of a model's weights and buffers (Polyak and Juditsky, 1992)."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]  # torch left it untyped
        self.model = AveragedModel(model, multi_avg_fn=average, use_buffers=True)

    def update(self, model: nn.Module) -> None:
        """Take in the weights of one more step."""
        self.model.update_parameters(model)

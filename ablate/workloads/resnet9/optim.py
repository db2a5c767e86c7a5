"""Optimizers, the one-cycle schedule, gradient clipping and the moving average of the weights."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ablate.workloads.resnet9.model import ResNet9
from ablate.workloads.resnet9.plan import TrainingPlan

OptimizerType = TypeVar("OptimizerType", bound=Optimizer)


def make_optimizer(parameters: Iterable[nn.Parameter], plan: TrainingPlan) -> Optimizer:
    """Return the plan's optimizer, in PyTorch's fused implementation: one pass over the weights per step."""
    values = list(parameters)
    if plan.optimizer == "sgd":
        return without_compiler(SGD)(values, plan.lr, momentum=0.9, weight_decay=plan.weight_decay, fused=True)
    kind = AdamW if plan.optimizer == "adamw" else Adam
    return without_compiler(kind)(values, plan.lr, weight_decay=plan.weight_decay, fused=True)


def without_compiler(optimizer: type[OptimizerType]) -> type[OptimizerType]:
    """Return a subclass of a PyTorch optimizer that computes the same without importing torch.compile.

    The methods of PyTorch's optimizers are wrapped to exclude them from compilation. Their first call imports the
    compiler, which takes three seconds and 150 MB per process, although nothing here compiles an optimizer.
    """
    names = ("add_param_group", "state_dict", "load_state_dict", "step")
    methods = {name: inspect.unwrap(getattr(optimizer, name)) for name in names}
    return type(optimizer.__name__, (optimizer,), methods | {"step": torch.no_grad()(methods["step"])})


def one_cycle(optimizer: Optimizer, total_steps: int, *, peak: float, warmup: float) -> LRScheduler:
    """Return PyTorch's one-cycle schedule (Smith and Topin, 2017) with cosine annealing.

    The learning rate rises from peak/25 to `peak` within the fraction `warmup` of the steps, then falls to
    peak/250,000. Beta1 (momentum for SGD) goes from 0.95 to 0.85 and back.
    """
    total_steps = max(total_steps, 2)
    if warmup * total_steps == 1:
        warmup *= 1 + 1e-9  # PyTorch divides by the length of the warm-up less one step
    return OneCycleLR(optimizer, peak, total_steps=total_steps, pct_start=warmup)


def clip_and_measure(parameters: list[nn.Parameter], clip_value: float | None) -> Tensor:
    """Clip each element of the gradient to [-clip_value, clip_value]. Return the gradient's norm before clipping."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = nn.utils.get_total_norm(gradients)
    if clip_value is not None:
        nn.utils.clip_grad_value_(parameters, clip_value)
    return norm


class WeightAverage:
    """An exponential moving average of a network's weights and buffers (Polyak and Juditsky, 1992).

    Unlike PyTorch's AveragedModel, which reads its counter from the device at every step, it does not wait for the
    device.
    """

    def __init__(self, model: ResNet9, decay: float) -> None:
        self.model = copy.deepcopy(model)
        self._average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]  # torch left it untyped

    @torch.no_grad()
    def update(self, model: ResNet9, step: int) -> None:
        """Add the weights after step `step` to the average. The average starts with the weights after step 0."""
        if step == 0:
            self.model.load_state_dict(model.state_dict())
            return
        latest = model.state_dict()
        pairs = [(mine, latest[name]) for name, mine in self.model.state_dict().items() if mine.is_floating_point()]
        self._average(*map(list, zip(*pairs, strict=True)), None)

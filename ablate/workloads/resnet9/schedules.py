"""Schedules of the learning rate: functions of the optimizer and the number of steps.

All of them multiply the learning rate of every parameter group alike. Except for the one-cycle schedule, they leave the
momentum as it is.
"""

from __future__ import annotations

from collections.abc import Callable

from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler, MultiStepLR, OneCycleLR


def one_cycle(optimizer: Optimizer, total_steps: int, *, peak: float, warmup: float) -> LRScheduler:
    """Return PyTorch's one-cycle schedule (Smith and Topin, 2017) with cosine annealing.

    The learning rate rises from peak/25 to `peak` within the fraction `warmup` of the steps, then falls to
    peak/250,000. Beta1 (momentum for SGD and Muon) goes from 0.95 to 0.85 and back.
    """
    total_steps = max(total_steps, 2)
    if warmup * total_steps == 1:
        warmup *= 1 + 1e-9  # PyTorch divides by the length of the warm-up less one step
    return OneCycleLR(optimizer, peak, total_steps=total_steps, pct_start=warmup)


def cosine(optimizer: Optimizer, total_steps: int, **_unused: float) -> LRScheduler:
    """Return PyTorch's cosine annealing to zero without restarts (Loshchilov and Hutter, 2017)."""
    return CosineAnnealingLR(optimizer, T_max=total_steps)


def step(optimizer: Optimizer, total_steps: int, **_unused: float) -> LRScheduler:
    """Return a schedule that divides the learning rate by 10 after 1/2 and 3/4 of the steps (He et al., 2016)."""
    return MultiStepLR(optimizer, milestones=[-(-total_steps // 2), -(-3 * total_steps // 4)], gamma=0.1)


def linear(optimizer: Optimizer, total_steps: int, *, warmup: float, **_unused: float) -> LRScheduler:
    """Return a linear rise within the fraction `warmup` of the steps and a linear fall (Howard and Ruder, 2018).

    Both start or end at zero one step outside of the training.
    """
    rising = warmup_steps(total_steps, warmup)
    return LambdaLR(optimizer, lambda at: min((at + 1) / rising, (total_steps - at) / (total_steps - rising + 1)))


def linear_warmup(optimizer: Optimizer, total_steps: int, *, warmup: float, **_unused: float) -> LRScheduler:
    """Return a linear rise within the fraction `warmup` of the steps, then a constant rate (Goyal et al., 2017)."""
    rising = warmup_steps(total_steps, warmup)
    return LambdaLR(optimizer, lambda at: min((at + 1) / rising, 1.0))


def warmup_steps(total_steps: int, warmup: float) -> int:
    """Return the number of steps of a linear warm-up, of which the last is the first with the full learning rate."""
    return max(1, round(warmup * total_steps))


SHAPES: dict[str, Callable[..., LRScheduler]] = {
    "one-cycle": one_cycle,
    "cosine": cosine,
    "step": step,
    "linear": linear,
    "warmup": linear_warmup,
}
"""The schedules by the name of their shape."""


def of_shape(optimizer: Optimizer, total_steps: int, *, shape: str, peak: float, warmup: float) -> LRScheduler:
    """Return the schedule of that shape."""
    return SHAPES[shape](optimizer, total_steps, peak=peak, warmup=warmup)

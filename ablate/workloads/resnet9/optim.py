"""Gradient clipping and the moving average of the weights."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ablate.workloads.resnet9.model import ResNet9


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

"""The teaching notebook's network and training loop, written plainly and independently of the package.

Nothing here imports `ablate`: it is what the package is held against, in tests and in benchmarks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def conv_block(in_channels: int, out_channels: int, pool: bool = False) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    ]
    if pool:
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


class ResNet9(nn.Module):
    def __init__(self, in_channels: int = 3, num_classes: int = 10, width: int = 64) -> None:
        super().__init__()
        self.conv1 = conv_block(in_channels, width)
        self.conv2 = conv_block(width, width * 2, pool=True)
        self.res1 = nn.Sequential(conv_block(width * 2, width * 2), conv_block(width * 2, width * 2))
        self.conv3 = conv_block(width * 2, width * 4, pool=True)
        self.conv4 = conv_block(width * 4, width * 8, pool=True)
        self.res2 = nn.Sequential(conv_block(width * 8, width * 8), conv_block(width * 8, width * 8))
        self.classifier = nn.Sequential(
            nn.MaxPool2d(4), nn.Flatten(), nn.Dropout(0.2), nn.Linear(width * 8, num_classes)
        )

    def forward(self, xb: Tensor) -> Tensor:
        out = self.conv1(xb)
        out = self.conv2(out)
        out = self.res1(out) + out
        out = self.conv3(out)
        out = self.conv4(out)
        out = self.res2(out) + out
        logits: Tensor = self.classifier(out)
        return logits


@dataclass
class Trace:
    """The loss, the learning rate and beta1 of each step."""

    losses: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    beta1: list[float] = field(default_factory=list)


def fit_one_cycle(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    total_steps: int,
    *,
    max_lr: float = 0.01,
    weight_decay: float = 1e-4,
    grad_clip: float | None = 0.1,
    one_cycle: bool = True,
) -> Trace:
    """Train on normalised batches, in their order."""
    trace = Trace()
    optimizer = torch.optim.Adam(model.parameters(), max_lr, weight_decay=weight_decay)
    sched = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr, total_steps=total_steps) if one_cycle else None
    model.train()
    for images, labels in batches:
        loss = F.cross_entropy(model(images), labels)
        trace.losses.append(loss.item())
        loss.backward()  # type: ignore[no-untyped-call]  # torch left it untyped
        if grad_clip:
            nn.utils.clip_grad_value_(model.parameters(), grad_clip)
        trace.rates.append(optimizer.param_groups[0]["lr"])
        trace.beta1.append(optimizer.param_groups[0]["betas"][0])
        optimizer.step()
        optimizer.zero_grad()
        if sched:
            sched.step()
    return trace


@torch.no_grad()
def evaluate(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the accuracy on normalised images."""
    model.eval()
    right: Tensor = model(images).argmax(dim=1) == labels
    return right.float().mean().item()

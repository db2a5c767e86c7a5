"""ResNet9 and its switches: the network of the notebook, module for module.

The names in its state dict (`conv1.0.weight`, `res1.0.1.running_mean`, `classifier.3.bias`) do not depend on the
switches, so that variants share their initial weights and a checkpoint of the notebook loads into the baseline.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor, nn

from ablate.seeding import torch_stream
from ablate.workloads.resnet9.kernels import can_fuse, conv_norm_relu, convolve
from ablate.workloads.resnet9.plan import Net


class StreamDropout(nn.Module):
    """Dropout that draws from its own generator, so that it disturbs no other draw."""

    def __init__(self, p: float, generator: Generator | None) -> None:
        super().__init__()
        self.p = p
        self.generator = generator

    def forward(self, features: Tensor) -> Tensor:
        """Zero a share `p` of the features while training and scale up the rest."""
        if not self.training or self.p == 0:
            return features
        kept = torch.empty_like(features).bernoulli_(1 - self.p, generator=self.generator)
        return features * kept / (1 - self.p)


class Block(nn.Sequential):
    """Convolution, norm, ReLU and, where asked for, a pool that halves height and width.

    The pool comes before the ReLU: both orders give the same values and gradients, bit for bit (the maximum of what is
    positive is the positive part of the maximum), and so the ReLU has a quarter of the work. Where `is_fused`, all
    that follows the convolution is computed at once while training: the same to rounding.
    """

    is_fused = False

    def __init__(self, channels_in: int, channels_out: int, net: Net, *, pool: bool = False) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1),
            nn.BatchNorm2d(channels_out) if net.batch_norm else nn.Identity(),
            *([nn.MaxPool2d(2)] if pool else []),
            nn.ReLU(inplace=True),
        )
        self.side = 2 if pool else 1

    def forward(self, images: Tensor) -> Tensor:
        """Return features of the images."""
        convolution, norm, *others = self
        assert isinstance(convolution, nn.Conv2d)
        if not self.is_fused:
            features: Tensor = super().forward(images)  # type: ignore[no-untyped-call]  # torch left it untyped
            return features
        if self.training and isinstance(norm, nn.BatchNorm2d) and can_fuse(images, convolution, self.side):
            return conv_norm_relu(images, convolution, norm, self.side)
        features = convolve(images, convolution, convolution.bias)
        for module in (norm, *others):
            features = module(features)
        return features


class ResNet9(nn.Module):
    """Images N x 3 x S x S to logits N x classes, S a multiple of 8."""

    def __init__(self, net: Net, dropout_stream: Generator | None = None) -> None:
        super().__init__()
        w = net.width
        self.residual = net.residual
        self.conv1 = Block(3, w, net)
        self.conv2 = Block(w, 2 * w, net, pool=True)
        self.res1 = nn.Sequential(Block(2 * w, 2 * w, net), Block(2 * w, 2 * w, net))
        self.conv3 = Block(2 * w, 4 * w, net, pool=True)
        self.conv4 = Block(4 * w, 8 * w, net, pool=True)
        self.res2 = nn.Sequential(Block(8 * w, 8 * w, net), Block(8 * w, 8 * w, net))
        self.classifier = nn.Sequential(
            nn.MaxPool2d(net.image_size // 8),  # what three pools leave of the image: 4 x 4 of 32 x 32
            nn.Flatten(),
            StreamDropout(net.dropout, dropout_stream),
            nn.Linear(8 * w, net.classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return logits."""
        logits: Tensor = self.classifier(self.features(images))
        return logits

    def features(self, images: Tensor) -> Tensor:
        """Return what the convolutions make of images: N x 8w x S/8 x S/8. Nothing in it draws at random."""
        features = self.conv2(self.conv1(images))  # N x 2w x S/2 x S/2
        features = self._skip(self.res1, features)
        features = self.conv4(self.conv3(features))
        return self._skip(self.res2, features)

    def fuse(self) -> None:
        """Let the blocks compute norm, pool and ReLU at once while training."""
        for module in self.modules():
            if isinstance(module, Block):
                module.is_fused = True

    def _skip(self, block: nn.Module, features: Tensor) -> Tensor:
        changed: Tensor = block(features)
        return changed + features if self.residual else changed


def build(net: Net, seed: int, device: str = "cpu") -> ResNet9:
    """Return the network with initial weights drawn under `seed`.

    PyTorch's default initialisation (uniform within 1/sqrt(fan-in), for weights and biases alike), one stream a
    parameter, drawn on the CPU: the same on every device and for every combination of switches.
    """
    with torch.random.fork_rng(devices=[]):  # what PyTorch draws here is drawn anew below
        model = ResNet9(net)
    for path, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            _fill(module, path, seed)
        elif isinstance(module, StreamDropout):
            module.generator = torch_stream(seed, "dropout", device)
    placed: ResNet9 = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # stub lacks it
    return placed


@torch.no_grad()
def _fill(module: nn.Conv2d | nn.Linear, path: str, seed: int) -> None:
    bound = 1 / math.sqrt(module.weight[0].numel())
    for name, parameter in module.named_parameters():
        parameter.uniform_(-bound, bound, generator=torch_stream(seed, f"init/{path}.{name}"))


def net_of(state: dict[str, Tensor], *, image_size: int = 32, residual: bool = True, dropout: float = 0.0) -> Net:
    """Return the switches that a state dict was made with; it does not tell of those without weights.

    Raises KeyError where it is not a ResNet9's.
    """
    return Net(
        width=state["conv1.0.weight"].shape[0],
        classes=state["classifier.3.weight"].shape[0],
        image_size=image_size,
        batch_norm="conv1.1.weight" in state,
        residual=residual,
        dropout=dropout,
    )

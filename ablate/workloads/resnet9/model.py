"""ResNet9: the network of the notebook, with components that can be switched off.

The names in its state dict (`conv1.0.weight`, `res1.0.1.running_mean`, `classifier.3.bias`) are the same with and
without these components. Variants therefore share their initial weights, and a checkpoint of the notebook loads into
the baseline.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Generator, Tensor, nn

from ablate.seeding import torch_stream
from ablate.workloads.resnet9.kernels.convolution import convolve
from ablate.workloads.resnet9.kernels.implementations import DEFAULT
from ablate.workloads.resnet9.kernels.norm_pool_relu import can_fuse, conv_norm_relu
from ablate.workloads.resnet9.plan import Net


class StreamDropout(nn.Module):
    """Dropout that draws from a generator of its own, the random stream `stream`."""

    generator: Generator | None = None

    def __init__(self, p: float, stream: str) -> None:
        super().__init__()
        self.p = p
        self.stream = stream

    def forward(self, features: Tensor) -> Tensor:
        """In training, set each feature to zero with probability `p` and scale the others by 1 / (1 - p)."""
        if not self.training or self.p == 0:
            return features
        kept = torch.empty_like(features).bernoulli_(1 - self.p, generator=self.generator)
        return features * kept / (1 - self.p)


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": partial(nn.ReLU, inplace=True),
    "gelu": nn.GELU,
    "silu": partial(nn.SiLU, inplace=True),
}
"""The activations by name: Nair and Hinton (2010), Hendrycks and Gimpel (2016), Elfwing et al. (2018)."""


class Block(nn.Sequential):
    """Convolution, normalisation, activation, optional 2 x 2 max pool.

    A ReLU follows the pool: this gives the same values and gradients, bit for bit, and leaves it a quarter of the work.
    The other activations are not monotonic and precede the pool. If `is_fused`, kernels compute batch norm, pool and
    ReLU in one pass, with the same results up to rounding: compiled ones on the CPU in training, those in Triton on a
    GPU. With another normalisation or activation, only the convolution on the CPU has a kernel.
    """

    is_fused = False
    implementations: Mapping[str, str] = DEFAULT

    def __init__(self, channels_in: int, channels_out: int, net: Net, *, pool: bool = False) -> None:
        last = [*([nn.MaxPool2d(2)] if pool else []), ACTIVATIONS[net.activation]()]
        super().__init__(
            nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1),
            normalisation(channels_out, net),
            *(last if net.activation == "relu" else reversed(last)),
        )
        self.side = 2 if pool else 1
        self.has_kernels = net.batch_norm and net.activation == "relu"

    def forward(self, images: Tensor) -> Tensor:
        """Return the features of the images."""
        convolution, norm, *others = self
        assert isinstance(convolution, nn.Conv2d)
        if self.is_fused and images.is_cuda and self.has_kernels:
            from ablate.workloads.resnet9.kernels.gpu_block import can_fuse_on_gpu, gpu_block

            assert isinstance(norm, nn.BatchNorm2d)
            if can_fuse_on_gpu(images, norm, self.side):
                return gpu_block(images, convolution, norm, self.side)
        if not self.is_fused or images.is_cuda:
            features: Tensor = super().forward(images)  # type: ignore[no-untyped-call]  # torch left it untyped
            return features
        if self.training and self.has_kernels and can_fuse(images, convolution, self.side, self.implementations):
            assert isinstance(norm, nn.BatchNorm2d)
            return conv_norm_relu(images, convolution, norm, self.side, self.implementations)
        features = convolve(images, convolution, convolution.bias, self.implementations)
        for module in (norm, *others):
            features = module(features)
        return features


def normalisation(channels: int, net: Net) -> nn.Module:
    """Return the normalisation of a layer: batch norm, group norm (Wu and He, 2018), or none.

    All groups of a layer have the same size: the largest divisor of its channels up to the network's `group_size`.
    """
    if net.batch_norm:
        return nn.BatchNorm2d(channels)
    if not net.group_size:
        return nn.Identity()
    size = max(divisor for divisor in range(1, net.group_size + 1) if channels % divisor == 0)
    return nn.GroupNorm(channels // size, channels)


class ResNet9(nn.Module):
    """Map images (N x 3 x S x S, S a multiple of 8) to logits (N x classes)."""

    def __init__(self, net: Net) -> None:
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
            nn.MaxPool2d(net.image_size // 8),  # the size after three pools: 4 x 4 for images of 32 x 32
            nn.Flatten(),
            StreamDropout(net.dropout, net.dropout_stream),
            nn.Linear(8 * w, net.classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return logits."""
        logits: Tensor = self.classifier(self.features(images))
        return logits

    def features(self, images: Tensor) -> Tensor:
        """Return the output of the convolutions, N x 8w x S/8 x S/8. It draws no random numbers."""
        features = self.conv2(self.conv1(images))  # N x 2w x S/2 x S/2
        features = self._skip(self.res1, features)
        features = self.conv4(self.conv3(features))
        return self._skip(self.res2, features)

    def fuse(self, implementations: Mapping[str, str] = DEFAULT) -> None:
        """Use the kernels in all blocks, on a CPU those layers that take them. Layers by name; others: the default."""
        for module in self.modules():
            if isinstance(module, Block):
                module.is_fused, module.implementations = True, dict(implementations)

    def _skip(self, block: nn.Module, features: Tensor) -> Tensor:
        changed: Tensor = block(features)
        return changed + features if self.residual else changed


def build(net: Net, seed: int, device: str = "cpu") -> ResNet9:
    """Return the network with initial weights drawn under `seed`.

    PyTorch's default initialisation, uniform within 1/sqrt(fan-in) for weights and biases, with one random stream per
    parameter, drawn on the CPU: the same weights on every device and in every variant.
    """
    with torch.random.fork_rng(devices=[]):  # the constructor draws from the global generator; overwritten below
        model = ResNet9(net)
    for path, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            _fill(module, path, seed)
        elif isinstance(module, StreamDropout):
            module.generator = torch_stream(seed, module.stream, device)
    placed: ResNet9 = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # stub lacks it
    return placed


@torch.no_grad()
def _fill(module: nn.Conv2d | nn.Linear, path: str, seed: int) -> None:
    bound = 1 / math.sqrt(module.weight[0].numel())
    for name, parameter in module.named_parameters():
        parameter.uniform_(-bound, bound, generator=torch_stream(seed, f"init/{path}.{name}"))


def net_of(
    state: dict[str, Tensor],
    *,
    image_size: int,
    residual: bool,
    dropout: float,
    activation: str = "relu",
    group_size: int = 0,
) -> Net:
    """Return the architecture of a state dict. The other arguments are what a state dict does not contain.

    Raises KeyError if it is not the state dict of a ResNet9.
    """
    return Net(
        width=state["conv1.0.weight"].shape[0],
        classes=state["classifier.3.weight"].shape[0],
        image_size=image_size,
        batch_norm="conv1.1.running_mean" in state,
        group_size=group_size,
        activation=activation,
        residual=residual,
        dropout=dropout,
    )

"""Measure the implementations of a layer, and choose those of a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ablate.paths import cache_folder
from ablate.workloads.resnet9.kernels.compile import processor_digest
from ablate.workloads.resnet9.kernels.convolution import (
    convolve,
    has_amx,
    has_pairs,
    supports,
    supports_amx,
    supports_pairs,
)
from ablate.workloads.resnet9.kernels.implementations import (
    AMX,
    FLOAT32,
    IMAGE_CHANNELS,
    KERNEL,
    PAIRS,
    PYTORCH,
    Layer,
    Times,
    convolution_name,
    implementations,
    layers_of,
    shortest_times,
)
from ablate.workloads.resnet9.kernels.norm_pool_relu import norm_pool_relu
from ablate.workloads.resnet9.plan import Net

MOST_IMAGES, MOST_OPERATIONS = 100, 1e10
"""Size of a measured batch: as large as a training's where possible, since small batches favour PyTorch."""


def implementations_for(net: Net, precision: str) -> dict[str, str]:
    """Return the implementation of each layer of a network on this processor, measured at its first use.

    The measurement uses one thread: results are the same for any number of threads.
    """
    return implementations(layers_of(net, precision), table_path(), measure)


def usable(chosen: Mapping[str, str]) -> dict[str, str]:
    """Return the implementations with `default` in place of those that this process cannot use.

    A resumed training may have begun on another processor.
    """
    available = {AMX: has_amx, PAIRS: has_pairs}
    return {layer: name if name not in available or available[name]() else "default" for layer, name in chosen.items()}


def table_path() -> Path:
    """Return the table of this processor and of this version of PyTorch and the kernels."""
    return cache_folder() / "kernels" / f"{processor_digest(torch.__version__)}.json"


def measure(layer: Layer) -> Times:
    """Return the shortest processor time of each implementation of a layer, forward and backward, with one thread."""
    with _one_thread(), torch.enable_grad():
        return shortest_times(_convolutions(layer) if layer.operation == "conv" else _norms(layer))


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _convolutions(layer: Layer) -> dict[str, Callable[[], None]]:
    with torch.random.fork_rng(devices=[]):  # the constructor draws from the global generator; overwritten below
        convolution = nn.Conv2d(layer.inputs, layer.outputs, 3, padding=1)
    convolution.to(memory_format=torch.channels_last)
    with torch.no_grad():
        convolution.weight.uniform_(-0.1, 0.1, generator=torch.Generator().manual_seed(0))
    images = _drawn(layer, layer.inputs).requires_grad_(layer.inputs != IMAGE_CHANNELS)
    gradient = _drawn(layer, layer.outputs)
    inputs = [each for each in (images, convolution.weight) if each.requires_grad]
    is_half = layer.precision == "bf16"

    def train(name: str) -> Callable[[], None]:
        chosen = {convolution_name(layer.inputs, layer.outputs, layer.side, layer.precision): name}

        def call() -> None:
            with torch.autocast("cpu", torch.bfloat16, enabled=is_half):
                output = convolve(images, convolution, None, chosen)
            torch.autograd.grad(output, inputs, gradient)  # adding to earlier gradients would count, too

        return call

    with torch.autocast("cpu", torch.bfloat16, enabled=is_half):
        has = {
            KERNEL: supports(images, convolution),
            PAIRS: supports_pairs(images, convolution),
            AMX: supports_amx(images, convolution),
            FLOAT32: is_half,
        }
    return {name: train(name) for name in (PYTORCH, *(name for name in has if has[name]))}


def _norms(layer: Layer) -> dict[str, Callable[[], None]]:
    norm, offset = nn.BatchNorm2d(layer.outputs), torch.zeros(layer.outputs)
    features = _drawn(layer, layer.outputs).requires_grad_()
    gradient = _drawn(layer, layer.outputs, layer.side // layer.pool)

    def pytorch() -> None:
        pooled = norm(features) if layer.pool == 1 else F.max_pool2d(norm(features), layer.pool)
        torch.autograd.backward(F.relu(pooled, inplace=True), gradient)

    def kernel() -> None:
        torch.autograd.backward(norm_pool_relu(features, norm, offset, layer.pool), gradient)

    return {PYTORCH: pytorch, KERNEL: kernel}


def _drawn(layer: Layer, channels: int, side: int | None = None) -> Tensor:
    """Return a batch of noise in the layer's precision."""
    operations = 2 * 9 * 3 * layer.inputs * layer.outputs * layer.side**2
    count = max(4, min(MOST_IMAGES, int(MOST_OPERATIONS / operations)))
    shape = (count, channels, side or layer.side, side or layer.side)
    values = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    dtype = torch.bfloat16 if layer.precision == "bf16" else torch.float32
    return values.to(dtype).contiguous(memory_format=torch.channels_last)

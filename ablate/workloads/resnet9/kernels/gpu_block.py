"""A block of the network on a GPU: its convolution, then batch norm, pooling and ReLU in one pass."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ablate.workloads.resnet9.kernels import triton_kernels as kernels

_LAST = torch.channels_last
_TILE = 4096
_PROGRAMS = 528
"""Programs that add up the rows: four for each multiprocessor of a large GPU."""


def gpu_block(images: Tensor, convolution: nn.Conv2d, norm: nn.BatchNorm2d, side: int) -> Tensor:
    """Return convolution, batch norm, max pooling (`side` x `side`, 1 or 2) and ReLU of images.

    In training, the bias of the convolution is not added: batch norm subtracts it again. It changes the running mean
    only, and its gradient is exactly zero.
    """
    features = _convolve(images, convolution)
    if not norm.training:
        return _evaluate(features, convolution, norm, side)
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked.add_(1)
    output: Tensor = _NormPoolReLU.apply(features, norm.weight, norm.bias, convolution.bias, norm, side)
    return output


def can_fuse_on_gpu(images: Tensor, norm: nn.BatchNorm2d, side: int) -> bool:
    """Return whether the kernels support these images: whole windows, and at least two values per channel.

    In evaluation mode they compute no gradients.
    """
    count, _, height, width = images.shape
    is_supported = norm.weight.dtype == torch.float32 and (norm.training or not torch.is_grad_enabled())
    return is_supported and height % side == 0 and width % side == 0 and count * height * width > 1


def _convolve(images: Tensor, convolution: nn.Conv2d) -> Tensor:
    """Return the convolution without its bias. The first one, of three channels, is a matrix product in bfloat16."""
    weight = convolution.weight
    if weight.shape[1] != 3 or images.requires_grad or not torch.is_autocast_enabled(images.device.type):
        return F.conv2d(images, weight, None, padding=1)
    count, inputs, height, width = images.shape
    rows = count * height * width
    columns = torch.empty(rows, 32, dtype=torch.bfloat16, device=images.device)
    kernels.columns[(_split(rows, 64),)](images, columns, rows, height, width, *images.stride(), inputs, 32, 64)
    matrix = F.pad(weight.permute(2, 3, 1, 0).reshape(9 * inputs, -1), (0, 0, 0, 32 - 9 * inputs))
    return (columns @ matrix).view(count, height, width, -1).permute(0, 3, 1, 2)


@torch.no_grad()
def _evaluate(features: Tensor, convolution: nn.Conv2d, norm: nn.BatchNorm2d, side: int) -> Tensor:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert convolution.bias is not None
    inverse = (norm.running_var + norm.eps).rsqrt()
    scale = norm.weight * inverse
    shift = norm.bias + (convolution.bias - norm.running_mean) * scale
    return _forward(features, torch.stack([norm.running_mean, inverse, scale, shift]), side)


class _NormPoolReLU(torch.autograd.Function):
    """N x C x H x W to N x C x H/side x W/side. Images are float32 or bfloat16, all else is float32."""

    @staticmethod
    def forward(
        context: Any, features: Tensor, weight: Tensor, bias: Tensor, offset: Tensor, norm: nn.BatchNorm2d, side: int
    ) -> Tensor:
        features = features.contiguous(memory_format=_LAST)
        count, channels, height, width = features.shape
        rows = count * height * width
        grid, tile = _reduction(rows, channels, 1)
        parts = features.new_empty(grid[0], 2, channels, dtype=torch.float32)
        kernels.statistics[grid](features, parts, rows, channels, *tile)
        terms = weight.new_empty(4, channels)
        kernels.finish_statistics[(_split(channels, 8),)](
            parts, features, weight, bias, offset, norm.running_mean, norm.running_var, terms,
            grid[0], rows, channels, norm.momentum, norm.eps, 128, 8,
        )  # fmt: skip
        context.save_for_backward(features, terms)
        context.side = side
        return _forward(features, terms, side)

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        features, terms = context.saved_tensors
        gradient = gradient.contiguous(memory_format=_LAST)
        count, channels, height, width = features.shape
        side = context.side
        rows = count * height * width
        outputs = rows // side**2
        grid, tile = _reduction(outputs, channels, side)
        parts = terms.new_empty(grid[0], 2, channels)
        sizes = (outputs, height, width, channels)
        kernels.reduce_gradients[grid](features, gradient, terms, parts, *sizes, side, *tile)
        totals = parts.sum(0)
        result = torch.empty_like(features)
        kernels.apply_gradients[_pointwise(outputs, tile, channels)](
            features, gradient, terms, totals, result, *sizes, rows, side, *tile
        )
        return result, totals[1], totals[0], torch.zeros_like(totals[0]), None, None


def _forward(features: Tensor, terms: Tensor, side: int) -> Tensor:
    features = features.contiguous(memory_format=_LAST)
    count, channels, height, width = features.shape
    shape = (count, channels, height // side, width // side)
    output = torch.empty(shape, dtype=features.dtype, device=features.device, memory_format=_LAST)
    rows = output.numel() // channels
    tile = _tile(channels, side)
    grid = _pointwise(rows, tile, channels)
    kernels.apply[grid](features, terms, output, rows, height, width, channels, side, *tile)
    return output


def _tile(channels: int, side: int) -> tuple[int, int]:
    """Return the rows of the output and the channels of a tile: fewer rows where each reads four positions."""
    across = min(64, 1 << (channels - 1).bit_length())
    return _TILE // across // side, across


def _pointwise(rows: int, tile: tuple[int, int], channels: int) -> tuple[int, int]:
    return _split(rows, tile[0]), _split(channels, tile[1])


def _reduction(rows: int, channels: int, side: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the grid and the tile of a sum over rows of the output."""
    tile = _tile(channels, side)
    down, across = _pointwise(rows, tile, channels)
    return (min(down, max(1, _PROGRAMS // across)), across), tile


def _split(size: int, block: int) -> int:
    return -(-size // block)

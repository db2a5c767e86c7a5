"""A block of the network on the CPU: its convolution, then batch norm, pooling and ReLU in one pass."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ablate.workloads.resnet9.kernels.compile import library
from ablate.workloads.resnet9.kernels.convolution import NAMES, convolve, precision_of
from ablate.workloads.resnet9.kernels.implementations import DEFAULT, PYTORCH, norm_name

_LAST = torch.channels_last
_SIZES = ("rows", "width", "channels", "side", "threads")
_POINTERS = (
    *("input", "output", "peaks", "places", "input_gradient", "weight", "bias", "offset"),
    *("running_mean", "running_variance", "terms", "weight_gradient", "bias_gradient"),
)


class _Block(ctypes.Structure):
    """The structure of the same name in `norm_pool_relu.cpp`."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in _SIZES),
        *((name, ctypes.c_void_p) for name in _POINTERS),
        ("momentum", ctypes.c_double),
        ("epsilon", ctypes.c_double),
    )


def conv_norm_relu(
    images: Tensor, convolution: nn.Conv2d, norm: nn.BatchNorm2d, side: int, chosen: Mapping[str, str] = DEFAULT
) -> Tensor:
    """Return convolution, batch norm, max pooling (`side` x `side`, 1 or 2) and ReLU of images, in training mode.

    The bias of the convolution is not added: batch norm subtracts it again. It changes the running mean only, and its
    gradient is exactly zero.
    """
    assert convolution.bias is not None
    return norm_pool_relu(convolve(images, convolution, None, chosen), norm, convolution.bias, side)


def norm_pool_relu(features: Tensor, norm: nn.BatchNorm2d, offset: Tensor, side: int) -> Tensor:
    """Return batch norm, pooling and ReLU of the output of a convolution without its bias, which is `offset`.

    Updates the running statistics.
    """
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked.add_(1)
    output: Tensor = _NormPoolReLU.apply(features, norm.weight, norm.bias, offset, norm, side)
    return output


def can_fuse(images: Tensor, convolution: nn.Conv2d, side: int, chosen: Mapping[str, str] = DEFAULT) -> bool:
    """Return whether the kernels are used for these images: whole windows, at least two values per channel.

    `chosen` may have PyTorch's operators for these layers instead.
    """
    count, _, height, width = images.shape
    precision = "bf16" if precision_of(images) == torch.bfloat16 else "fp32"
    if chosen and chosen.get(norm_name(convolution.out_channels, height, side, precision)) == PYTORCH:
        return False
    is_supported = images.device.type == "cpu" and convolution.weight.dtype == torch.float32
    return is_supported and height % side == 0 and width % side == 0 and count * height * width > 1


class _NormPoolReLU(torch.autograd.Function):
    """N x C x H x W to N x C x H/side x W/side. Images are float32 or bfloat16, all else is float32."""

    @staticmethod
    def forward(
        context: Any, features: Tensor, weight: Tensor, bias: Tensor, offset: Tensor, norm: nn.BatchNorm2d, side: int
    ) -> Tensor:
        features = features.contiguous(memory_format=_LAST)
        count, channels, height, width = features.shape
        shape = (count, channels, height // side, width // side)
        output = torch.empty(shape, dtype=features.dtype, memory_format=_LAST)
        peaks = torch.empty_like(output) if side == 2 else None
        places = torch.empty_like(output, dtype=torch.uint16) if side == 2 else None
        terms = weight.new_empty(4, channels)
        call(
            "forward", output, side,
            input=features, peaks=peaks, places=places, terms=terms, weight=weight, bias=bias,
            offset=offset, running_mean=norm.running_mean, running_variance=norm.running_var,
            momentum=norm.momentum, epsilon=norm.eps,
        )  # fmt: skip
        context.save_for_backward(features, peaks, places, terms)
        context.side = side
        return output

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        features, peaks, places, terms = context.saved_tensors
        gradient = gradient.contiguous(memory_format=_LAST)
        input_gradient = torch.empty_like(features)
        weight_gradient, bias_gradient = torch.empty_like(terms[0]), torch.empty_like(terms[0])
        call(
            "backward", gradient, context.side,
            input=features, peaks=peaks, places=places, terms=terms, input_gradient=input_gradient,
            weight_gradient=weight_gradient, bias_gradient=bias_gradient,
        )  # fmt: skip
        return input_gradient, weight_gradient, bias_gradient, torch.zeros_like(terms[0]), None, None


def call(kernel: str, output: Tensor, side: int, **fields: Tensor | float | None) -> None:
    """Call the kernel "forward" or "backward" on an output (or its gradient) and the other `fields` of `Block`."""
    count, channels, height, width = output.shape
    values = {name: value.data_ptr() if isinstance(value, Tensor) else value for name, value in fields.items()}
    sizes = (count * height, width, channels, side, torch.get_num_threads())
    block = _Block(*sizes, output=output.data_ptr(), **values)
    getattr(library(), f"{kernel}_{NAMES[output.dtype]}")(ctypes.byref(block))

"""A convolution by PyTorch whose weight gradient is our own where that is faster, in float32 on the CPU."""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ablate.fused.library import library

_LAST = torch.channels_last
_FEW = 8
"""Input channels below which PyTorch's weight gradient is the faster one."""


def convolve(images: Tensor, weight: Tensor) -> Tensor:
    """Return the 3 x 3 convolution of images, padding 1, without a bias."""
    if _pays(images, weight):
        made: Tensor = _Convolution.apply(images, weight)
        return made
    return F.conv2d(images, weight, None, padding=1)


def weight_gradient(images: Tensor, gradient: Tensor) -> Tensor:
    """Return the gradient with respect to the weights, out x in x 3 x 3; float32, `out` a multiple of two vectors."""
    images, gradient = (one.contiguous(memory_format=_LAST) for one in (images, gradient))
    count, inputs, height, width = images.shape
    taps = torch.zeros(3, 3, inputs, gradient.shape[1])
    pointers = (ctypes.c_void_p(one.data_ptr()) for one in (images, gradient, taps))
    sizes = (count, height, width, inputs, gradient.shape[1], torch.get_num_threads())
    library().weight_gradient(*pointers, *map(ctypes.c_int64, sizes))
    return taps.permute(3, 2, 0, 1)


def _pays(images: Tensor, weight: Tensor) -> bool:
    outputs, inputs = weight.shape[:2]
    return bool(
        images.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and inputs >= _FEW
        and outputs % library().weight_gradient_channels() == 0
        and library().weight_gradient_pays()
    )


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, images: Tensor, weight: Tensor) -> Tensor:
        context.save_for_backward(images, weight)
        return F.conv2d(images, weight, None, padding=1)

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor]:
        images, weight = context.saved_tensors
        made = None
        if context.needs_input_grad[0]:
            one, none = [1, 1], [0, 0]
            made, _, _ = torch.ops.aten.convolution_backward(
                gradient, images, weight, None, one, one, one, False, none, 1, [True, False, False]
            )
        return made, weight_gradient(images, gradient)

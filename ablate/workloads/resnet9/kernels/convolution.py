"""A 3 x 3 convolution on the CPU in a quarter of the multiplications, and its gradients."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ablate.workloads.resnet9.cpu_features import (
    floats_a_vector,
    multiplies_bf16_fast,
    multiplies_blocks_of_bf16,
    processor_facts,
)
from ablate.workloads.resnet9.kernels.compile import library

NAMES = {torch.float32: "float32", torch.bfloat16: "bfloat16"}
"""What the kernels call the types of images that they know."""

_LAST = torch.channels_last
_KIND = ((3, 3), (1, 1), (1, 1), (1, 1), 1)
_TILE = 4


class _Convolution(ctypes.Structure):
    """The structure of the same name in `convolution.h`."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("count", "height", "width", "inputs", "outputs", "threads")),
        *((name, ctypes.c_void_p) for name in ("images", "weights", "bias")),
        *((name, ctypes.c_void_p) for name in ("output", "image_gradient", "weight_gradient")),
    )


def convolve(images: Tensor, convolution: nn.Conv2d, bias: Tensor | None) -> Tensor:
    """Return the convolution of images with a layer's weights: by the kernels where they know how, else by PyTorch.

    Errors are some 1e-6 of the norm: three to five times PyTorch's, but in the gradient of the weights, where they are
    about its own or less. Under autocast to bfloat16 images are rounded to it, but not the weights, nor what is
    computed in between, so that errors are below PyTorch's; where PyTorch would be slow, it computes so, too.
    """
    if can_convolve(images, convolution):
        made: Tensor = _Convolve.apply(images.to(_precision(images)), convolution.weight, bias)
        return made
    steps = {name: getattr(convolution, name) for name in ("stride", "padding", "dilation", "groups")}
    is_half = _precision(images) == torch.bfloat16 and convolution.weight.dtype == torch.float32
    if is_half and is_slow_in_bf16():
        with torch.autocast("cpu", enabled=False):
            return F.conv2d(images.float(), convolution.weight, bias, **steps).to(torch.bfloat16)
    return F.conv2d(images, convolution.weight, bias, **steps)


def can_convolve(images: Tensor, convolution: nn.Conv2d) -> bool:
    """Return whether the kernels know such images and weights, and are faster: whole tiles, enough channels."""
    weight, (height, width) = convolution.weight, images.shape[2:]
    kind = (convolution.kernel_size, convolution.stride, convolution.padding, convolution.dilation, convolution.groups)
    is_known = _precision(images) in NAMES and images.dtype in NAMES and weight.dtype == torch.float32
    is_large = min(weight.shape[:2]) >= fewest_channels() and height % _TILE == width % _TILE == 0 < len(images)
    is_faster = _precision(images) == torch.float32 or are_for_bf16()
    return images.device.type == "cpu" and kind == _KIND and is_known and is_large and is_faster


@cache
def fewest_channels() -> int:
    """Return how many channels it takes: a whole vector, and eight; with fewer, transforming tiles does not pay."""
    return max(8, floats_a_vector(processor_facts()))


@cache
def are_for_bf16() -> bool:
    """Return whether the kernels are faster here in bfloat16, too, though they compute in float32."""
    return not multiplies_blocks_of_bf16(processor_facts())


@cache
def is_slow_in_bf16() -> bool:
    """Return whether PyTorch makes products in bfloat16 of other instructions here, slower than float32's."""
    facts = processor_facts()
    return not (multiplies_bf16_fast(facts) or multiplies_blocks_of_bf16(facts))


def _precision(images: Tensor) -> torch.dtype:
    """Return what PyTorch's convolution would compute in."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else images.dtype


class _Convolve(torch.autograd.Function):
    """N x C x H x W to N x K x H x W; H and W multiples of 4; float32 or bfloat16 images, float32 for all else."""

    @staticmethod
    def forward(context: Any, images: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        images, weight = (each.contiguous(memory_format=_LAST) for each in (images, weight))
        context.save_for_backward(images, weight)
        shape = (len(images), len(weight), *images.shape[2:])
        output = torch.empty(shape, dtype=images.dtype, memory_format=_LAST)
        call("convolve_images", images, output, weights=weight, bias=bias)
        return output

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        images, weight = context.saved_tensors
        gradient = gradient.contiguous(memory_format=_LAST)
        needs_images, needs_weight, needs_bias = context.needs_input_grad
        images_gradient = torch.empty_like(images) if needs_images else None
        weight_gradient = torch.empty_like(weight) if needs_weight else None
        if needs_images:
            call("convolve_gradients", images, gradient, weights=weight, image_gradient=images_gradient)
        if needs_weight:
            call("weigh_gradients", images, gradient, weight_gradient=weight_gradient)
        bias_gradient = gradient.sum((0, 2, 3), dtype=torch.float32) if needs_bias else None
        return images_gradient, weight_gradient, bias_gradient


def call(which: str, images: Tensor, output: Tensor, **fields: Tensor | None) -> None:
    """Call a kernel on images and what is made of them (or its gradient), and the other `fields` of the structure."""
    count, inputs, height, width = images.shape
    sizes = (count, height, width, inputs, output.shape[1], torch.get_num_threads())
    places = {name: value.data_ptr() for name, value in fields.items() if value is not None}
    given = _Convolution(*sizes, images=images.data_ptr(), output=output.data_ptr(), **places)
    getattr(library(), f"{which}_{NAMES[images.dtype]}")(ctypes.byref(given))

"""3 x 3 convolution on the CPU and its gradients: Winograd convolution, and matrix instructions for bfloat16 (AMX).

Winograd convolution multiplies in float32, or pairs of bfloat16 values where the processor has instructions for them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ablate.workloads.resnet9.cpu_features import (
    floats_per_vector,
    has_bf16_matrix_instructions,
    multiplies_bf16_fast,
    processor_facts,
)
from ablate.workloads.resnet9.kernels.compile import library
from ablate.workloads.resnet9.kernels.implementations import (
    AMX,
    DEFAULT,
    FLOAT32,
    KERNEL,
    PAIRS,
    PYTORCH,
    convolution_name,
)

NAMES = {torch.float32: "float32", torch.bfloat16: "bfloat16"}
"""The supported data types of images, and their names in the kernels."""

_LAST = torch.channels_last
_TILE = 4
_SUPPORTED = ((3, 3), (1, 1), (1, 1), (1, 1), 1)
"""Kernel size, stride, padding, dilation and groups."""


class _Convolution(ctypes.Structure):
    """The structure of the same name in `arguments.h`."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("count", "height", "width", "inputs", "outputs", "threads")),
        *((name, ctypes.c_void_p) for name in ("images", "weights", "bias")),
        *((name, ctypes.c_void_p) for name in ("output", "image_gradient", "weight_gradient")),
    )


def convolve(
    images: Tensor, convolution: nn.Conv2d, bias: Tensor | None, chosen: Mapping[str, str] = DEFAULT
) -> Tensor:
    """Return the convolution of images with a layer's weights, by its implementation in `chosen` or the default one.

    Errors of the kernels are about 1e-6 of the norm, two to seven times PyTorch's. Under autocast to bfloat16, images
    are rounded but weights and intermediate values are not, and errors are below PyTorch's. With products of pairs, all
    factors are rounded after their transforms, and errors are about 1 %. With AMX, weights are rounded as well, as
    PyTorch does it, but not their gradients.
    """
    implementation = implementation_of(images, convolution, chosen)
    if implementation in (KERNEL, PAIRS, AMX):
        rounded = images.to(precision_of(images))
        variant = NAMES[rounded.dtype] if implementation == KERNEL else implementation
        output: Tensor = _Convolve.apply(rounded, convolution.weight, bias, variant)
        return output
    options = {name: getattr(convolution, name) for name in ("stride", "padding", "dilation", "groups")}
    if implementation == FLOAT32:
        with torch.autocast("cpu", enabled=False):
            return F.conv2d(images.float(), convolution.weight, bias, **options).to(torch.bfloat16)
    return F.conv2d(images, convolution.weight, bias, **options)


def implementation_of(images: Tensor, convolution: nn.Conv2d, chosen: Mapping[str, str] = DEFAULT) -> str:
    """Return the implementation of a layer: the chosen one if it supports these images and weights, else the default.

    The default follows from the features of the processor: the kernels from a whole vector of channels on, except in
    bfloat16 with matrix instructions; PyTorch's operator for the others, in float32 where it is slow in bfloat16.
    """
    is_half = precision_of(images) == torch.bfloat16 and convolution.weight.dtype == torch.float32
    implementation = chosen.get(layer_name(images, convolution)) if chosen else None
    if implementation == PYTORCH or (implementation == FLOAT32 and is_half):
        return implementation
    if (implementation == AMX and supports_amx(images, convolution)) or (
        implementation == PAIRS and supports_pairs(images, convolution)
    ):
        return implementation
    if supports(images, convolution):
        is_large = min(convolution.weight.shape[:2]) >= min_channels()
        is_faster = precision_of(images) == torch.float32 or are_faster_in_bf16()
        if implementation == KERNEL or (is_large and is_faster):
            return KERNEL
    return FLOAT32 if is_half and is_pytorch_slow_in_bf16() else PYTORCH


def layer_name(images: Tensor, convolution: nn.Conv2d) -> str:
    """Return the name of a layer in the table of implementations."""
    precision = "bf16" if precision_of(images) == torch.bfloat16 else "fp32"
    return convolution_name(images.shape[1], convolution.out_channels, images.shape[2], precision)


def supports(images: Tensor, convolution: nn.Conv2d) -> bool:
    """Return whether the kernels support these images and weights."""
    height, width = images.shape[2:]
    has_types = precision_of(images) in NAMES and images.dtype in NAMES
    return has_types and height % _TILE == width % _TILE == 0 and _is_supported(images, convolution)


def supports_amx(images: Tensor, convolution: nn.Conv2d) -> bool:
    """Return whether the kernels for AMX support these images and weights, and this process may use AMX."""
    is_half = precision_of(images) == torch.bfloat16 and images.dtype in NAMES
    return is_half and _is_supported(images, convolution) and images[0].numel() > 0 and has_amx()


def supports_pairs(images: Tensor, convolution: nn.Conv2d) -> bool:
    """Return whether the kernels with products of bfloat16 pairs support these images and weights, and are compiled."""
    return precision_of(images) == torch.bfloat16 and supports(images, convolution) and has_pairs()


def _is_supported(images: Tensor, convolution: nn.Conv2d) -> bool:
    kind = (convolution.kernel_size, convolution.stride, convolution.padding, convolution.dilation, convolution.groups)
    is_single = convolution.weight.dtype == torch.float32
    return images.device.type == "cpu" and kind == _SUPPORTED and is_single and len(images) > 0


@cache
def has_amx() -> bool:
    """Return whether the kernels for AMX are compiled for this processor, and the system lets this process use it."""
    return bool(library().amx_is_available())


@cache
def has_pairs() -> bool:
    """Return whether the kernels with products of bfloat16 pairs are compiled for this processor."""
    return bool(library().pairs_are_available())


@cache
def min_channels() -> int:
    """Return the minimum number of channels: a whole vector, and at least eight, to outweigh the transforms."""
    return max(8, floats_per_vector(processor_facts()))


@cache
def are_faster_in_bf16() -> bool:
    """Return whether the kernels are faster than PyTorch on this processor in bfloat16 as well."""
    return not has_bf16_matrix_instructions(processor_facts())


@cache
def is_pytorch_slow_in_bf16() -> bool:
    """Return whether PyTorch multiplies bfloat16 more slowly than float32 on this processor."""
    facts = processor_facts()
    return not (multiplies_bf16_fast(facts) or has_bf16_matrix_instructions(facts))


def precision_of(images: Tensor) -> torch.dtype:
    """Return the data type in which PyTorch's convolution would compute."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else images.dtype


class _Convolve(torch.autograd.Function):
    """N x C x H x W to N x K x H x W, H and W multiples of 4. Images are float32 or bfloat16, all else is float32."""

    @staticmethod
    def forward(context: Any, images: Tensor, weight: Tensor, bias: Tensor | None, variant: str) -> Tensor:
        images, weight = (each.contiguous(memory_format=_LAST) for each in (images, weight))
        context.save_for_backward(images, weight)
        context.variant = variant
        shape = (len(images), len(weight), *images.shape[2:])
        output = torch.empty(shape, dtype=images.dtype, memory_format=_LAST)
        call(f"convolution_forward_{variant}", images, output, weights=weight, bias=bias)
        return output

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        images, weight = context.saved_tensors
        gradient = gradient.contiguous(memory_format=_LAST)
        needs_images, needs_weight, needs_bias, _ = context.needs_input_grad
        images_gradient = torch.empty_like(images) if needs_images else None
        weight_gradient = torch.empty_like(weight) if needs_weight else None
        if needs_images:
            name = f"convolution_image_gradient_{context.variant}"
            call(name, images, gradient, weights=weight, image_gradient=images_gradient)
        if needs_weight:
            call(f"convolution_weight_gradient_{context.variant}", images, gradient, weight_gradient=weight_gradient)
        bias_gradient = gradient.sum((0, 2, 3), dtype=torch.float32) if needs_bias else None
        return images_gradient, weight_gradient, bias_gradient, None


def call(kernel: str, images: Tensor, output: Tensor, **fields: Tensor | None) -> None:
    """Call a kernel on images and their output (or its gradient). `fields` are the other fields of the structure."""
    count, inputs, height, width = images.shape
    sizes = (count, height, width, inputs, output.shape[1], torch.get_num_threads())
    pointers = {name: value.data_ptr() for name, value in fields.items() if value is not None}
    argument = _Convolution(*sizes, images=images.data_ptr(), output=output.data_ptr(), **pointers)
    getattr(library(), kernel)(ctypes.byref(argument))

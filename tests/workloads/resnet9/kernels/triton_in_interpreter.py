"""Checks of the Triton kernels on the CPU, in Triton's interpreter; `test_triton_kernels.py` runs them.

Triton decides at its import whether to compile or to interpret, so they need a process of their own, with
TRITON_INTERPRET=1.
"""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from ablate.workloads.resnet9.kernels import gpu_block as gpu
from ablate.workloads.resnet9.kernels import triton_kernels as kernels
from ablate.workloads.resnet9.kernels.gpu_block import can_fuse_on_gpu, gpu_block
from ablate.workloads.resnet9.model import Block
from tests.samples.training import bare_net

EXACT = 3e-6
"""Largest error of float32 compared with double precision, relative to the norm."""

TRUNCATED = 2**-8
"""Largest relative error of a number in bfloat16: the interpreter truncates, a GPU rounds to the nearest."""


def block(inputs: int, channels: int, *, pool: bool, seed: int = 0) -> Block:
    """Return a block with random parameters. Some scales of its norm are negative, one is zero."""
    made = Block(inputs, channels, bare_net(batch_norm=True), pool=pool)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.uniform_(-1, 1, generator=generator)
        made[1].weight[0] = 0.0
        made[1].running_mean.uniform_(-1, 1, generator=generator)
        made[1].running_var.uniform_(0.5, 2, generator=generator)
    return made.to(memory_format=torch.channels_last)


def images_of(count: int, channels: int, size: int, seed: int = 0) -> Tensor:
    images = torch.randn(count, channels, size, size, generator=torch.Generator().manual_seed(seed))
    return images.contiguous(memory_format=torch.channels_last)


def fused(one: Block, images: Tensor) -> Tensor:
    return gpu_block(images, one[0], one[1], one.side)


def passed(one: Block, images: Tensor, *, is_fused: bool, seed: int = 0) -> dict[str, Tensor]:
    """Return output, gradients and running statistics of a forward and a backward pass."""
    images = images.clone().requires_grad_(images.shape[1] != 3)
    output = fused(one, images) if is_fused else one(images)
    gradient = torch.randn(output.shape, generator=torch.Generator().manual_seed(seed))
    output.backward(gradient.to(output.dtype))
    found = {"output": output, "images": images.grad, **dict(one[1].named_buffers())}
    found |= {f"gradient of {name}": parameter.grad for name, parameter in one.named_parameters()}
    return {name: value.detach().double() for name, value in found.items() if value is not None}


def error(found: Tensor, exact: Tensor) -> float:
    return float((found - exact).norm() / (exact.norm() + 1))


def errors(one: Block, images: Tensor, *, is_fused: bool = True) -> dict[str, float]:
    """Return the errors of a block compared with double precision, for all but the bias of the convolution."""
    exact = passed(copy.deepcopy(one).double(), images.double(), is_fused=False)
    found = passed(one, images, is_fused=is_fused)
    assert found.keys() == exact.keys()
    return {name: error(value, exact[name]) for name, value in found.items() if name != "gradient of 0.bias"}


# derandomized: in one of many examples, two values of a window are almost equal
@settings(max_examples=4, derandomize=True, deadline=None)
@example(count=1, inputs=3, channels=1, half=1, pool=True, seed=0)  # a single window
@example(count=2, inputs=5, channels=72, half=2, pool=True, seed=0)  # more channels than a tile has
@example(count=9, inputs=4, channels=64, half=8, pool=False, seed=0)  # several tiles of rows
@given(
    count=st.integers(1, 4),
    inputs=st.integers(1, 6),
    channels=st.integers(1, 20),
    half=st.integers(1, 5),
    pool=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_output_gradients_and_statistics(
    count: int, inputs: int, channels: int, half: int, pool: bool, seed: int
) -> None:
    one = block(inputs, channels, pool=pool, seed=seed)
    images = images_of(count, inputs, 2 * half, seed)
    assert can_fuse_on_gpu(images, one[1], one.side)
    found = errors(one, images)
    assert max(found.values()) < EXACT, found
    assert float(one[0].bias.grad.abs().max()) == 0.0
    assert int(one[1].num_batches_tracked) == 1


def test_large_means_lose_little() -> None:
    """Sums are those of differences from the first value of a channel."""
    found = errors(block(4, 8, pool=True), images_of(4, 4, 8) + 100)
    assert max(found.values()) < 4 * EXACT, found


@pytest.mark.parametrize("pool", [False, True])
def test_results_are_the_same_every_time(pool: bool) -> None:
    one, images = block(4, 24, pool=pool), images_of(5, 4, 8)
    first, second = (passed(copy.deepcopy(one), images, is_fused=True) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("inputs", [3, 8])
@pytest.mark.parametrize("pool", [False, True])
def test_evaluation(inputs: int, pool: bool) -> None:
    one, images = block(inputs, 12, pool=pool).eval(), images_of(3, inputs, 8)
    assert not can_fuse_on_gpu(images, one[1], one.side), "it computes no gradients"
    with torch.no_grad():
        assert can_fuse_on_gpu(images, one[1], one.side)
        assert error(fused(one, images), copy.deepcopy(one).double()(images.double())) < EXACT


@pytest.mark.parametrize("inputs", [3, 8])
@pytest.mark.parametrize("pool", [False, True])
def test_bfloat16_is_as_accurate_as_pytorch(inputs: int, pool: bool) -> None:
    """The first layer, of three channels, is a matrix product of its columns."""
    one, images = block(inputs, 16, pool=pool), images_of(6, inputs, 12)
    exact = passed(copy.deepcopy(one).double(), images.double(), is_fused=False)
    with torch.autocast("cpu", torch.bfloat16):
        ours = passed(copy.deepcopy(one), images, is_fused=True)
        pytorchs = passed(copy.deepcopy(one), images, is_fused=False)
    for name in ours.keys() - {"gradient of 0.bias", "num_batches_tracked"}:
        assert error(ours[name], exact[name]) < 1.6 * error(pytorchs[name], exact[name]) + TRUNCATED, name


def test_columns_are_the_padded_neighbourhoods() -> None:
    images = images_of(3, 3, 6).to(torch.bfloat16).float()
    rows = 3 * 6 * 6
    columns = torch.empty(rows, 32, dtype=torch.bfloat16)
    kernels.columns[(-(-rows // 64),)](images, columns, rows, 6, 6, *images.stride(), 3, 32, 64)
    expected = F.unfold(images, 3, padding=1).view(3, 3, 9, 36).permute(0, 3, 2, 1).reshape(rows, 27)
    assert torch.equal(columns[:, :27].float(), expected)
    assert float(columns[:, 27:].abs().max()) == 0.0


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of the interpreter, which computes with NumPy
@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@torch.no_grad()
def test_evaluation_passes_values_that_are_not_finite(value: float, pool: bool) -> None:
    one, images = block(4, 6, pool=pool).eval(), images_of(2, 4, 6)
    images[0, 1, 2, 3] = value
    found, expected = fused(one, images), one(images)
    assert not expected.isfinite().all()
    assert torch.equal(found.isnan(), expected.isnan())
    torch.testing.assert_close(found, expected, equal_nan=True)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of the interpreter, which computes with NumPy
@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_training_diverges_where_pytorch_does(value: float, pool: bool) -> None:
    one, images = block(4, 6, pool=pool), images_of(2, 4, 6)
    images[0, 1, 2, 3] = value
    found = passed(copy.deepcopy(one), images, is_fused=True)
    expected = passed(one, images, is_fused=False)
    for name in ("output", "running_mean", "running_var", "gradient of 0.weight", "gradient of 1.weight"):
        assert found[name].isfinite().sum() <= expected[name].isfinite().sum(), name
    assert not found["output"].isfinite().any()


def test_shapes_that_are_not_supported() -> None:
    one = block(4, 6, pool=True)
    assert not can_fuse_on_gpu(images_of(2, 4, 5), one[1], 2), "half a window"
    assert not can_fuse_on_gpu(images_of(1, 4, 1), one[1], 1), "no variance of a single value"
    assert not can_fuse_on_gpu(images_of(2, 4, 4), one[1].double(), 2)


def test_the_number_of_programs_does_not_change_the_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    one, images = block(4, 8, pool=True), images_of(4, 4, 8)
    many = passed(copy.deepcopy(one), images, is_fused=True)
    monkeypatch.setattr(gpu, "_TILE", 64)
    monkeypatch.setattr(gpu, "_PROGRAMS", 3)
    few = passed(one, images, is_fused=True)
    assert max(error(few[name], many[name]) for name in many if name != "gradient of 0.bias") < EXACT

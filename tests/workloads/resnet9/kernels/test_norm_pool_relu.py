"""The norm-pool-ReLU kernels: PyTorch's results with smaller errors, with any number of threads."""

from __future__ import annotations

import copy
import ctypes
import stat
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from ablate.errors import UsageError
from ablate.runs.runner import is_comparable
from ablate.studies.conditions import Conditions, RequestedConditions, custom_conditions
from ablate.workloads.resnet9 import model
from ablate.workloads.resnet9.devices import kernel_error, resolve_conditions
from ablate.workloads.resnet9.factors import FACTORS
from ablate.workloads.resnet9.kernels.compile import compiler, library
from ablate.workloads.resnet9.kernels.norm_pool_relu import norm_pool_relu
from ablate.workloads.resnet9.model import Block
from tests.samples.processes import start_program
from tests.samples.report import report_text, small_study, tracked
from tests.samples.training import bare_net, differing, plan_of, tiny_images, train, weights

pytestmark = pytest.mark.skipif(not compiler() or sys.platform != "linux", reason="there is no C++ compiler")

EXACT = {torch.float32: 3e-6, torch.bfloat16: 6e-3}
"""Largest error compared with double precision, relative to the norm. Rounding to bfloat16 is at most 2^-9."""


def blocks(channels: int, pool: bool, seed: int) -> tuple[Block, Block]:
    """Return the same block twice, fused and in double precision. Some scales of its norm are negative, one is zero."""
    fused, exact = (Block(3, channels, bare_net(batch_norm=True), pool=pool) for _ in range(2))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in fused.parameters():
            parameter.uniform_(-1, 1, generator=generator)
        fused[1].weight[0] = 0.0
    exact.load_state_dict(fused.state_dict())
    fused.is_fused = True
    return fused.to(memory_format=torch.channels_last), exact.double()


def passed(block: Block, images: Tensor, seed: int, dtype: torch.dtype) -> dict[str, Tensor]:
    """Return output, gradients and running statistics of a forward and a backward pass."""
    images = images.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        output = block(images)
    gradient = torch.randn(output.shape, generator=torch.Generator().manual_seed(seed))
    output.backward(gradient.to(output.dtype))
    gradients = {f"gradient of {name}": parameter.grad for name, parameter in block.named_parameters()}
    found = {"output": output, "gradient of images": images.grad, **gradients, **dict(block[1].named_buffers())}
    return {name: value.detach().double() for name, value in found.items()}


def distance(one: Tensor, other: Tensor) -> float:
    return float((one - other).norm() / other.norm().clamp(min=1e-6))


@given(
    count=st.integers(1, 5), rows=st.integers(1, 5), columns=st.integers(1, 5), channels=st.integers(1, 70),
    pool=st.booleans(), far=st.sampled_from([0.0, 50.0]), seed=st.integers(0, 9),
)  # fmt: skip
@example(count=1, rows=2, columns=2, channels=1, pool=False, far=0.0, seed=8)
@settings(max_examples=60)
def test_a_block_equals_double_precision(count, rows, columns, channels, pool, far, seed):
    images = torch.randn(count, 3, 2 * rows, 2 * columns, generator=torch.Generator().manual_seed(seed)) + far
    fused, exact = blocks(channels, pool, seed)
    found = passed(fused, images, seed, torch.float32)
    expected = passed(exact, images.double(), seed, torch.float64)
    assert torch.equal(found.pop("gradient of 0.bias"), torch.zeros(channels).double())
    noise = expected.pop("gradient of 0.bias")
    assert noise.abs().max() < 1e-9, "it is zero where rounding plays no part"
    # A float32 convolution of images far from zero loses digits before the kernels; those of the mean are kept.
    tolerance = 1e-4 if far else 1e-5
    off = {name: distance(found[name], expected[name]) for name in expected}
    lost = found["running_mean"] - expected["running_mean"]  # a mean may cancel, and lose the digits of its terms
    off["running_mean"] = float(lost.norm() / (expected["running_mean"] ** 2 + expected["running_var"]).sqrt().norm())
    assert not {name: by for name, by in off.items() if by > tolerance}


def norms(channels: int) -> tuple[nn.BatchNorm2d, nn.BatchNorm2d, nn.BatchNorm2d]:
    """Return three equal norms: for the kernels, for PyTorch, and one in double precision."""
    generator, norm = torch.Generator().manual_seed(0), nn.BatchNorm2d(channels)
    with torch.no_grad():
        for parameter in norm.parameters():
            parameter.uniform_(-1, 1, generator=generator)
    return norm, copy.deepcopy(norm), copy.deepcopy(norm).double()


def worked(norm: nn.BatchNorm2d, features: Tensor, gradient: Tensor, side: int, *, fused: bool) -> list[Tensor]:
    """Return output, gradients and running statistics of norm, pool and ReLU, ours or PyTorch's."""
    features = features.clone(memory_format=torch.preserve_format).requires_grad_()
    if fused:
        output = norm_pool_relu(features, norm, torch.zeros(len(norm.weight)), side)
    else:
        output = F.relu(F.max_pool2d(norm(features), side))
    output.backward(gradient.to(output.dtype))
    given = (norm.weight, norm.bias)
    return [output.detach(), *(one.grad for one in given), norm.running_mean, norm.running_var, features.grad]


@pytest.mark.parametrize("side", [1, 2])
@pytest.mark.parametrize("dtype", EXACT)
@pytest.mark.parametrize("channels", [5, 16, 40, 96])
def test_errors_are_smaller_than_pytorchs(channels, dtype, side):
    generator = torch.Generator().manual_seed(1)
    features = (torch.randn(30, channels, 32, 32, generator=generator) + 3).to(dtype)
    features = features.contiguous(memory_format=torch.channels_last)
    gradient = torch.randn(30, channels, 32 // side, 32 // side, generator=generator).to(dtype)
    first, second, third = norms(channels)
    ours = worked(first, features, gradient, side, fused=True)
    theirs = worked(second, features, gradient, side, fused=False)
    exact = worked(third, features.double(), gradient.double(), side, fused=False)
    *mine, _ = (distance(one.double(), other) for one, other in zip(ours, exact, strict=True))
    *other, _ = (distance(one.double(), other) for one, other in zip(theirs, exact, strict=True))
    # Without the gradient of the features: for near ties, it may go to another maximum of the window.
    assert max(mine) < EXACT[dtype]
    assert max(mine) < 1.01 * max(other)
    assert max(mine[1:]) < 3e-6, "parameters and statistics are in single precision, whatever the features are"


def test_results_do_not_depend_on_threads():
    features = torch.randn(7, 24, 16, 16).contiguous(memory_format=torch.channels_last)
    gradient, before, found = torch.randn(7, 24, 8, 8), torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(worked(norms(24)[0], features, gradient, 2, fused=True))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one, other) for later in found[1:] for one, other in zip(found[0], later, strict=True))


def test_equal_pixels_pass_their_gradient_to_the_first_of_a_window_as_in_pytorch():
    fused, exact = blocks(8, True, 0)
    images = torch.ones(2, 3, 8, 8)
    images[1] = 2.0
    images[:, :, 3] = 0.5
    found, expected = passed(fused, images, 0, torch.float32), passed(exact, images.double(), 0, torch.float64)
    assert distance(found["gradient of images"], expected["gradient of images"]) < 1e-4


@pytest.mark.parametrize("dtype", EXACT)
def test_nan_and_infinity_propagate(dtype):
    fused, _ = blocks(20, True, 0)
    images = torch.randn(2, 3, 8, 8)
    images[0, 0, 0, 0] = torch.nan
    found = passed(fused, images, 0, dtype)
    assert found["output"].isnan().all(), "every channel's mean saw it"
    assert found["gradient of images"].isnan().any()


@pytest.mark.parametrize("pool", [False, True])
def test_evaluation_odd_sizes_and_single_pixels_are_pytorchs(pool):
    fused, plain = (Block(3, 8, bare_net(batch_norm=True), pool=pool) for _ in range(2))
    plain.load_state_dict(fused.state_dict())
    fused.is_fused = True
    images = torch.randn(2, 3, 8, 8)
    assert torch.equal(fused.eval()(images), plain.eval()(images))
    torch.testing.assert_close(fused.train()(images[..., 1:]), plain.train()(images[..., 1:]), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        fused.train()(images[:1, :, :1, :1])


# --- trainings -----------------------------------------------------------------------------------------------------


def first_step(plan, *, fused: bool) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Return the log and the gradients of a training of one step."""
    training, log = train(replace(plan, epochs=1), tiny_images(16), fused=fused)
    gradients = {name: parameter.grad.clone() for name, parameter in training.model.named_parameters()}
    return log.history[1], gradients


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("toggled", FACTORS)
def test_a_step_is_the_same_with_every_factor_switched(toggled):
    plan = plan_of(FACTORS.in_order(set(FACTORS.baseline) ^ {toggled}), width=8)
    (ours, mine), (theirs, other) = (first_step(plan, fused=way) for way in (True, False))
    assert ours["train/loss"] == pytest.approx(theirs["train/loss"], rel=1e-5)
    assert ours["grad_norm"] == pytest.approx(theirs["grad_norm"], rel=1e-4)
    whole = torch.cat([value.flatten() for value in other.values()]).norm()
    for name in mine:
        assert (mine[name] - other[name]).norm() < 1e-4 * whole, name


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    "values", [{"batch_norm.kind": "group"}, {"activation": "gelu"}, {"activation": "silu"}], ids=str
)
def test_other_norms_and_activations_use_the_kernel_of_the_convolution_only(values, monkeypatch):
    plan = plan_of(width=8, **values)
    monkeypatch.setattr(model, "conv_norm_relu", None)
    (ours, mine), (theirs, other) = (first_step(plan, fused=way) for way in (True, False))
    assert ours["train/loss"] == pytest.approx(theirs["train/loss"], rel=1e-5)
    assert ours["val/loss"] == pytest.approx(theirs["val/loss"], rel=1e-3)
    whole = torch.cat([value.flatten() for value in other.values()]).norm()
    for name in mine:
        assert (mine[name] - other[name]).norm() < 1e-4 * whole, name


@pytest.mark.usefixtures("one_thread")
def test_narrow_and_without_batch_norm_nothing_changes(monkeypatch):
    monkeypatch.setattr("ablate.workloads.resnet9.kernels.convolution.min_channels", lambda: 17)
    plan = plan_of([name for name in FACTORS.baseline if name != "batch_norm"], width=2)
    first, second = (weights(train(plan, tiny_images(), fused=way)[0]) for way in (True, False))
    assert differing(first, second) == []


@pytest.mark.usefixtures("one_thread")
def test_it_is_reproducible_and_differs_from_pytorch_by_rounding_only():
    plan = plan_of(FACTORS.baseline, optimizer="sgd", lr=0.001)
    first, again, plain = (weights(train(plan, tiny_images(), fused=way)[0]) for way in (True, True, False))
    assert differing(first, again) == []
    assert differing(first, plain)
    for name, value in plain.items():
        torch.testing.assert_close(first[name], value, rtol=1e-3, atol=1e-4, msg=name)


# --- the library, and who decides ----------------------------------------------------------------------------------


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache, in a process that has loaded no kernels."""
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))
    library.cache_clear()
    yield tmp_path
    library.cache_clear()


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.mark.slow
def test_concurrent_compilations_never_load_a_partial_library(fresh, monkeypatch):
    quick = script(fresh / "quick++", f'exec {compiler()} "$@" -O0')  # so that the test takes seconds
    monkeypatch.setenv("CXX", quick)
    code = "from ablate.workloads.resnet9.kernels.compile import library; print(library().forward_float32 is not None)"
    programs = [start_program(code=code, folder=fresh) for _ in range(2)]
    assert [program.communicate()[0] for program in programs] == ["True\n"] * 2
    digest, made = sorted((fresh / "cache" / "kernels").iterdir())
    assert (digest.suffix, made.suffix) == (".sha256", ".so")
    before = made.stat().st_mtime_ns
    assert isinstance(library(), ctypes.CDLL)
    assert made.stat().st_mtime_ns == before, "compiled once"


def test_without_a_compiler_trainings_are_not_fused(fresh, monkeypatch):
    monkeypatch.setenv("PATH", str(fresh))
    monkeypatch.delenv("CXX", raising=False)
    assert kernel_error() == "The CPU kernels need a C++ compiler (g++ or clang++) on the PATH"
    assert not resolve_conditions(RequestedConditions("cpu")).fused
    with pytest.raises(UsageError, match=r"need a C\+\+ compiler .* on the PATH. Omit --fused"):
        resolve_conditions(RequestedConditions("cpu", fused=True))


def test_a_compiler_that_fails_is_named_with_its_first_line(fresh, monkeypatch):
    broken = script(fresh / "broken++", "echo 'no such flag' >&2; echo more >&2; exit 3")
    monkeypatch.setenv("CXX", broken)
    assert kernel_error() == f"{broken} could not compile the CPU kernels: no such flag"
    assert not resolve_conditions(RequestedConditions("cpu")).fused
    assert not list((fresh / "cache" / "kernels").iterdir())


def test_a_cache_that_cannot_be_written_is_named(fresh, monkeypatch):
    (fresh / "cache").write_text("a file")
    assert "The CPU kernels cannot be stored in" in (kernel_error() or "")
    assert not resolve_conditions(RequestedConditions("cpu")).fused


def test_the_cpu_is_fused_by_default(monkeypatch):
    assert resolve_conditions(RequestedConditions("cpu")).fused
    assert resolve_conditions(RequestedConditions("cpu", fused=True)).fused
    assert not resolve_conditions(RequestedConditions("cpu", fused=False)).fused
    assert not resolve_conditions(RequestedConditions("cpu", compiled=True)).fused
    with pytest.raises(UsageError, match="exclude each other"):
        resolve_conditions(RequestedConditions("cpu", compiled=True, fused=True))
    with pytest.raises(UsageError, match="--no-fused apply to the built-in network"):
        custom_conditions(RequestedConditions(fused=True))


def test_fused_runs_are_comparable_with_plain_ones():
    wanted = Conditions("cpu", "fp32", 1, fused=True)
    assert is_comparable({"device": "cpu", "precision": "fp32", "threads": 1}, wanted)
    assert is_comparable(
        {"device": "cpu", "precision": "fp32", "threads": 1, "fused": True}, replace(wanted, fused=False)
    )


def test_a_report_names_fused_kernels_and_arms_that_differ_in_them(tmp_path):
    def change(variant, seed):
        return {"conditions": {"device": "cpu", "precision": "fp32", "threads": 1, "fused": variant == "baseline"}}

    text = report_text(tracked(small_study(), tmp_path / "journals", change))
    assert "cpu fp32 fused; cpu fp32" in text
    assert "Mixed conditions: fused kernels False and True" in text


@pytest.mark.parametrize(
    ("flags", "compiler_fails", "precision"),
    [
        ("avx2", False, "bf16"),
        ("avx2", True, "fp32"),
        ("asimd", False, "fp32"),
        ("AuthenticAMD avx2 avx512_bf16", True, "bf16"),
        ("GenuineIntel avx2 avx512_bf16", True, "fp32"),
    ],
)
def test_auto_is_bfloat16_where_products_or_kernels_are_faster_in_it(monkeypatch, flags, compiler_fails, precision):
    monkeypatch.setattr("ablate.workloads.resnet9.devices.processor_facts", lambda: f"flags : fpu {flags}")
    error = "it fails" if compiler_fails else None
    monkeypatch.setattr("ablate.workloads.resnet9.devices.kernel_error", lambda device: error)
    assert resolve_conditions(RequestedConditions("cpu")).precision == precision
    assert resolve_conditions(RequestedConditions("cpu", "fp32")).precision == "fp32"

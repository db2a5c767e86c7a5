"""The convolution kernels: equal to PyTorch's double precision up to rounding, with any number of threads."""

from __future__ import annotations

import math
import sys

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from ablate.workloads.resnet9.kernels.compile import compiler
from ablate.workloads.resnet9.kernels.convolution import (
    convolve,
    has_amx,
    has_pairs,
    implementation_of,
    layer_name,
    min_channels,
)
from ablate.workloads.resnet9.kernels.implementations import AMX, FLOAT32, KERNEL, PAIRS, PYTORCH, convolution_name
from ablate.workloads.resnet9.kernels.measure import usable

pytestmark = pytest.mark.skipif(not compiler() or sys.platform != "linux", reason="there is no C++ compiler")

has_kernels = bool(compiler()) and sys.platform == "linux"
needs_amx = pytest.mark.skipif(has_kernels and not has_amx(), reason="this process cannot use AMX")
needs_pairs = pytest.mark.skipif(has_kernels and not has_pairs(), reason="no instruction for pairs of bfloat16 values")
with_amx, with_pairs = pytest.param(AMX, marks=needs_amx), pytest.param(PAIRS, marks=needs_pairs)
SINGLE = (torch.float32, torch.float32)
NAMES = ("output", "gradient of images", "gradient of weights", "gradient of bias")

SHAPES = {
    "count": st.integers(1, 5),
    "rows": st.integers(1, 4),
    "columns": st.integers(1, 4),
    "inputs": st.integers(1, 70),
    "outputs": st.integers(1, 70),
    "seed": st.integers(0, 9),
}


@pytest.fixture(scope="module", autouse=True)
def _any_processor():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ablate.workloads.resnet9.kernels.convolution.are_faster_in_bf16", lambda: True)
        yield


def layer(inputs: int, outputs: int, seed: int = 0) -> nn.Conv2d:
    """Return a layer with weights drawn under `seed`."""
    made = nn.Conv2d(inputs, outputs, 3, padding=1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.uniform_(-1, 1, generator=torch.Generator().manual_seed(seed))
    return made


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def passed(
    convolution: nn.Conv2d, images: Tensor, gradient: Tensor, *, ours: bool, is_half: bool = False, chosen: str = KERNEL
) -> list[Tensor]:
    """Return output and gradients of a convolution with bias, in bfloat16 as autocast does it if `is_half`."""
    images = images.clone().requires_grad_()
    convolution.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=is_half):
        choice = {layer_name(images, convolution): chosen}
        output = convolve(images, convolution, convolution.bias, choice) if ours else convolution(images)
    output.backward(gradient.to(output.dtype))
    return [output.detach(), images.grad, *(parameter.grad.clone() for parameter in convolution.parameters())]


def distances(found: list[Tensor], exact: list[Tensor], terms: Tensor | None = None) -> dict[str, float]:
    """Return the errors relative to the norm, compared with double precision.

    The error of the gradient of the bias is relative to the norm of its `terms`, if given: they may cancel.
    """
    norms = [other.norm() for other in exact]
    if terms is not None:
        norms[-1] = torch.maximum(norms[-1], terms.double().norm())
    errors = [(one.double() - other).norm() / norm for one, other, norm in zip(found, exact, norms, strict=True)]
    return dict(zip(NAMES, map(float, errors), strict=True))


@given(**SHAPES, is_last=st.booleans())
@example(count=1, rows=3, columns=3, inputs=1, outputs=1, is_last=False, seed=2).via("terms that cancel")
@settings(max_examples=60)
def test_it_equals_double_precision(count, rows, columns, inputs, outputs, is_last, seed):
    images, gradient = (drawn(count, channels, 4 * rows, 4 * columns, seed=seed) for channels in (inputs, outputs))
    if is_last:
        images, gradient = (each.contiguous(memory_format=torch.channels_last) for each in (images, gradient))
    convolution = layer(inputs, outputs, seed)
    assert implementation_of(images, convolution) == (KERNEL if min(inputs, outputs) >= min_channels() else PYTORCH)
    found = passed(convolution, images, gradient, ours=True)
    exact = passed(convolution.double(), images.double(), gradient.double(), ours=False)
    assert max(distances(found, exact, gradient).values()) < 1e-5


@pytest.mark.parametrize(("inputs", "outputs", "side"), [(min_channels(), 16, 32), (16, 32, 32), (128, 128, 4)])
def test_no_digits_are_lost_over_a_whole_batch(inputs, outputs, side):
    convolution = layer(inputs, outputs)
    images, gradient = drawn(200, inputs, side, side), drawn(200, outputs, side, side)
    found, theirs = (passed(convolution, images, gradient, ours=way) for way in (True, False))
    exact = passed(convolution.double(), images.double(), gradient.double(), ours=False)
    ours, pytorchs = distances(found, exact), distances(theirs, exact)
    assert max(ours.values()) < 1e-5
    assert ours["gradient of weights"] < 3 * pytorchs["gradient of weights"]


@given(**SHAPES, is_rounded=st.booleans())
@settings(max_examples=30)
def test_in_bfloat16_only_images_are_rounded(count, rows, columns, inputs, outputs, is_rounded, seed):
    images, gradient = (
        drawn(count, channels, 4 * rows, 4 * columns, seed=seed).bfloat16() for channels in (inputs, outputs)
    )
    convolution = layer(inputs, outputs, seed)
    found = passed(convolution, images if is_rounded else images.float(), gradient, ours=True, is_half=True)
    exact = passed(convolution.double(), images.double(), gradient.double(), ours=False)
    assert [each.dtype for each in found] == [torch.bfloat16, images.dtype if is_rounded else torch.float32, *SINGLE]
    output, images_gradient, weights_gradient, bias_gradient = distances(found, exact, gradient).values()
    assert max(output, images_gradient) < 2**-8  # half of the last digit, at most
    assert max(weights_gradient, bias_gradient) < 1e-5


def test_in_bfloat16_errors_are_smaller_than_pytorchs():
    convolution, images, gradient = layer(32, 32), drawn(20, 32, 16, 16).bfloat16(), drawn(20, 32, 16, 16).bfloat16()
    found, theirs = (passed(convolution, images.float(), gradient, ours=way, is_half=True) for way in (True, False))
    exact = passed(convolution.double(), images.double(), gradient.double(), ours=False)
    ours, pytorchs = distances(found, exact), distances(theirs, exact)
    assert all(ours[name] < pytorchs[name] for name in NAMES)


@needs_amx
@given(**SHAPES, cut=st.integers(0, 3))
@settings(max_examples=15)
def test_with_amx_only_images_and_weights_are_rounded(count, rows, columns, inputs, outputs, cut, seed):
    """The weights as PyTorch rounds them; their gradient is not rounded."""
    images, gradient = (
        drawn(count, channels, 4 * rows, 4 * columns - cut, seed=seed).bfloat16() for channels in (inputs, outputs)
    )
    convolution, rounded = layer(inputs, outputs, seed), layer(inputs, outputs, seed)
    with torch.no_grad():
        rounded.weight.copy_(rounded.weight.bfloat16())
    given_images = images if seed % 2 else images.float()
    found = passed(convolution, given_images, gradient, ours=True, is_half=True, chosen=AMX)
    exact = passed(rounded.double(), images.double(), gradient.double(), ours=False)
    assert [each.dtype for each in found] == [torch.bfloat16, given_images.dtype, *SINGLE]
    output, images_gradient, weights_gradient, bias_gradient = distances(found, exact, gradient).values()
    assert max(output, images_gradient) < 2**-8, "half of the last digit"
    assert max(weights_gradient, bias_gradient) < 1e-5


@needs_amx
@pytest.mark.parametrize(("inputs", "outputs", "side"), [(3, 8, 32), (16, 32, 16), (70, 50, 4), (64, 64, 2)])
def test_with_amx_errors_over_a_whole_batch_are_below_pytorchs(inputs, outputs, side):
    convolution = layer(inputs, outputs)
    images, gradient = drawn(130, inputs, side, side).bfloat16(), drawn(130, outputs, side, side).bfloat16()
    found, theirs = (passed(convolution, images, gradient, ours=way, is_half=True, chosen=AMX) for way in (True, False))
    exact = passed(convolution.double(), images.double(), gradient.double(), ours=False)
    ours, pytorchs = distances(found, exact), distances(theirs, exact)
    assert ours["gradient of weights"] < min(1e-5, pytorchs["gradient of weights"])
    assert all(ours[name] < 1.01 * pytorchs[name] for name in NAMES)


def values_at(points: tuple[float, ...], terms: int) -> Tensor:
    """Return powers of the points and of infinity, with which polynomials of `terms` terms are evaluated there."""
    powers = [[point**power for power in range(terms)] for point in points]
    return torch.tensor([*powers, [0.0] * (terms - 1) + [1.0]], dtype=torch.float64)


def by_pairs(images: Tensor, weights: Tensor, gradient: Tensor) -> list[Tensor]:
    """Return a convolution and its gradients, in double precision except for transformed values, which are bfloat16.

    The transforms are those of Toom and Cook: evaluation at points, and the transpose of Lagrange's interpolation.
    """
    points = (0, 2**-0.5, -(2**-0.5), 2**0.5, -(2**0.5))
    divisors = [math.prod(point - other for other in points if other != point) for point in points]
    divisor = torch.tensor([*divisors, 1.0], dtype=torch.float64)[:, None]
    taps, outputs, pixels = (values_at(points, terms) for terms in (3, 4, 6))
    taps, pixels = taps / divisor, pixels.inverse().T * divisor

    def at_points(values: Tensor, transform: Tensor) -> Tensor:
        return (transform @ values @ transform.T).bfloat16().double()

    def tiles(values: Tensor) -> Tensor:
        return at_points(F.pad(values, (1, 1, 1, 1)).unfold(2, 6, 4).unfold(3, 6, 4), pixels)

    def convolved(values: Tensor, weights: Tensor) -> Tensor:
        products = torch.einsum("ncyxij,kcij->nkyxij", tiles(values), at_points(weights, taps))
        return (outputs.T @ products @ outputs).transpose(3, 4).flatten(2, 3).flatten(3, 4)

    output_tiles = at_points(gradient.unfold(2, 4, 4).unfold(3, 4, 4), outputs)
    sums = torch.einsum("ncyxij,nkyxij->kcij", tiles(images), output_tiles)
    turned = weights.transpose(0, 1).flip(2, 3)
    return [convolved(images, weights), convolved(gradient, turned), taps.T @ sums @ taps]


@needs_pairs
@given(**SHAPES)
@settings(max_examples=15)
def test_with_pairs_transformed_values_are_rounded(count, rows, columns, inputs, outputs, seed):
    images, gradient = (
        drawn(count, channels, 4 * rows, 4 * columns, seed=seed).bfloat16() for channels in (inputs, outputs)
    )
    convolution, given_images = layer(inputs, outputs, seed), images if seed % 2 else images.float()
    found = passed(convolution, given_images, gradient, ours=True, is_half=True, chosen=PAIRS)
    weights, bias = (parameter.detach().double() for parameter in convolution.parameters())
    expected = by_pairs(images.double(), weights, gradient.double())
    expected = [expected[0] + bias[:, None, None], *expected[1:], gradient.double().sum((0, 2, 3))]
    assert [each.dtype for each in found] == [torch.bfloat16, given_images.dtype, *SINGLE]
    output, images_gradient, weights_gradient, bias_gradient = distances(found, expected, gradient).values()
    assert max(output, images_gradient) < 2**-8, "half of the last digit of the result"
    assert max(weights_gradient, bias_gradient) < 1e-3, "values on the border of two roundings"


@needs_pairs
@pytest.mark.parametrize(("inputs", "outputs", "side"), [(3, 8, 32), (16, 32, 16), (70, 50, 4), (128, 128, 4)])
def test_with_pairs_errors_are_below_two_percent(inputs, outputs, side):
    convolution = layer(inputs, outputs)
    images, gradient = drawn(130, inputs, side, side).bfloat16(), drawn(130, outputs, side, side).bfloat16()
    found = passed(convolution, images, gradient, ours=True, is_half=True, chosen=PAIRS)
    exact = passed(convolution.double(), images.double(), gradient.double(), ours=False)
    assert max(distances(found, exact).values()) < 0.02


@pytest.mark.parametrize(
    ("is_half", "chosen"),
    [
        *((False, KERNEL), (True, KERNEL)),
        pytest.param(True, PAIRS, marks=needs_pairs),
        pytest.param(True, AMX, marks=needs_amx),
    ],
)
def test_results_do_not_depend_on_threads(is_half, chosen):
    convolution, images, gradient = layer(20, 40), drawn(9, 20, 12, 8), drawn(9, 40, 12, 8)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            found.append(passed(convolution, images, gradient, ours=True, is_half=is_half, chosen=chosen)[:3])
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one, other) for later in found[1:] for one, other in zip(found[0], later, strict=True))


@pytest.mark.parametrize("chosen", [KERNEL, with_pairs, with_amx])
def test_an_image_does_not_depend_on_its_batch(chosen):
    convolution, images = layer(16, 16), drawn(70, 16, 8, 8)
    with torch.autocast("cpu", torch.bfloat16, enabled=chosen != KERNEL):
        choice = {layer_name(images, convolution): chosen}
        whole = convolve(images, convolution, None, choice)
        assert torch.equal(convolve(images[33:34], convolution, None, choice), whole[33:34])


@pytest.mark.parametrize(
    ("images", "convolution"),
    [
        (drawn(0, 16, 8, 8), nn.Conv2d(16, 16, 3, padding=1)),
        (drawn(2, 16, 8, 6), nn.Conv2d(16, 16, 3, padding=1)),
        (drawn(2, 3, 8, 8), nn.Conv2d(3, 16, 3, padding=1)),
        (drawn(2, 16, 8, 8), nn.Conv2d(16, 16, 3, padding=1, stride=2)),
        (drawn(2, 16, 8, 8), nn.Conv2d(16, 16, 3)),
        (drawn(2, 16, 8, 8), nn.Conv2d(16, 16, 5, padding=1)),
        (drawn(2, 32, 8, 8), nn.Conv2d(32, 32, 3, padding=1, groups=2)),
        (drawn(2, 16, 8, 8), nn.Conv2d(16, 16, 3, padding=1, dilation=2)),
        (drawn(2, 16, 8, 8).double(), nn.Conv2d(16, 16, 3, padding=1).double()),
        (drawn(2, 16, 8, 8).bfloat16(), nn.Conv2d(16, 16, 3, padding=1).bfloat16()),
    ],
    ids=[
        *("no images", "no whole tiles", "few channels", "stride", "no padding", "other taps", "groups", "dilation"),
        *("double", "weights of bfloat16"),
    ],
)
def test_unsupported_convolutions_are_pytorchs(images, convolution):
    assert implementation_of(images, convolution) == PYTORCH
    assert torch.equal(convolve(images, convolution, convolution.bias), convolution(images))


@pytest.mark.parametrize(("dtype", "is_faster"), [(torch.bfloat16, False), (torch.float16, True)])
def test_under_autocast_pytorch_is_used_if_it_is_faster_or_unsupported(monkeypatch, dtype, is_faster):
    monkeypatch.setattr("ablate.workloads.resnet9.kernels.convolution.are_faster_in_bf16", lambda: is_faster)
    monkeypatch.setattr("ablate.workloads.resnet9.kernels.convolution.is_pytorch_slow_in_bf16", lambda: False)
    convolution, images = layer(16, 16), drawn(2, 16, 8, 8)
    with torch.autocast("cpu", dtype):
        assert implementation_of(images, convolution) == PYTORCH
        assert torch.equal(convolve(images, convolution, None), F.conv2d(images, convolution.weight, padding=1))


def test_where_pytorch_is_slow_in_bfloat16_it_computes_in_float32(monkeypatch):
    monkeypatch.setattr("ablate.workloads.resnet9.kernels.convolution.is_pytorch_slow_in_bf16", lambda: True)
    convolution, images, gradient = layer(3, 16), drawn(2, 3, 8, 8).bfloat16(), drawn(2, 16, 8, 8).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        assert implementation_of(images, convolution) == FLOAT32
    found = passed(convolution, images, gradient, ours=True, is_half=True, chosen=FLOAT32)
    exact = passed(convolution, images.float(), gradient.float(), ours=False)
    assert all(torch.equal(one, other.to(one.dtype)) for one, other in zip(found, exact, strict=True))
    assert [each.dtype for each in found] == [torch.bfloat16, torch.bfloat16, *SINGLE]


@pytest.mark.parametrize("chosen", [KERNEL, PYTORCH, FLOAT32, with_pairs, with_amx])
@pytest.mark.parametrize("inputs", [3, 16])
def test_a_layer_takes_the_chosen_implementation(chosen, inputs, monkeypatch):
    monkeypatch.setattr("ablate.workloads.resnet9.kernels.convolution.is_pytorch_slow_in_bf16", lambda: False)
    convolution, images = layer(inputs, 4), drawn(2, inputs, 8, 8).bfloat16()
    choice = {convolution_name(inputs, 4, 8, "bf16"): chosen, convolution_name(inputs, 4, 8, "fp32"): FLOAT32}
    plain = F.conv2d(images.float(), convolution.weight, padding=1)
    with torch.autocast("cpu", torch.bfloat16):
        found = convolve(images, convolution, None, choice)
        theirs = F.conv2d(images, convolution.weight, padding=1)
        assert implementation_of(images, convolution, choice) == chosen
        assert implementation_of(images[..., 1:], convolution, choice) not in (KERNEL, PAIRS)
    if chosen in (PYTORCH, FLOAT32):
        assert torch.equal(found, theirs if chosen == PYTORCH else plain.bfloat16())
    assert (found - plain).norm() < (0.02 if chosen == PAIRS else 2**-8) * plain.norm()
    for other in (FLOAT32, PAIRS, AMX):
        choice[convolution_name(inputs, 4, 8, "fp32")] = other
        assert implementation_of(images.float(), convolution, choice) == PYTORCH, "no layer in float32 is rounded"


@pytest.mark.parametrize("lost", [AMX, PAIRS])
def test_layers_whose_instructions_are_missing_take_the_default(lost, monkeypatch):
    """As in a training that began on another machine."""
    for module in ("convolution", "measure"):
        monkeypatch.setattr(f"ablate.workloads.resnet9.kernels.{module}.has_{lost}", lambda: False)
    convolution, images = layer(16, 16), drawn(2, 16, 8, 8).bfloat16()
    choice = {convolution_name(16, 16, 8, "bf16"): lost, "norm 16@8/1 bf16": KERNEL}
    with torch.autocast("cpu", torch.bfloat16):
        assert implementation_of(images, convolution, choice) == implementation_of(images, convolution)
    assert usable(choice) == {convolution_name(16, 16, 8, "bf16"): "default", "norm 16@8/1 bf16": KERNEL}


@pytest.mark.parametrize("chosen", [KERNEL, with_pairs, with_amx])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_nan_and_infinity_propagate_within_their_image(value, chosen):
    images, convolution = drawn(3, 16, 8, 8), layer(16, 16)
    images[1, 4, 3, 3] = value
    with torch.autocast("cpu", torch.bfloat16, enabled=chosen != KERNEL):
        found = convolve(images, convolution, None, {layer_name(images, convolution): chosen})
    exact = F.conv2d(images, convolution.weight, padding=1)
    assert not found[~exact.isfinite()].isfinite().any()
    assert found[[0, 2]].isfinite().all()


def test_only_requested_gradients_are_computed():
    convolution, images = layer(16, 16), drawn(2, 16, 8, 8)
    convolve(images, convolution, convolution.bias).sum().backward()
    assert convolution.weight.grad is not None
    frozen, images = layer(16, 16).requires_grad_(requires_grad=False), images.requires_grad_()
    convolve(images, frozen, frozen.bias).sum().backward()
    assert frozen.weight.grad is None
    assert torch.allclose(images.grad, torch.autograd.grad(frozen(images).sum(), images)[0], atol=1e-4)
    with torch.no_grad():
        assert not convolve(images, frozen, None).requires_grad

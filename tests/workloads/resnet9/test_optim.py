"""Clipping, weight decay, the schedule and the weight average, each compared with its formula."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW
from torch.optim.lr_scheduler import OneCycleLR

from ablate.workloads.resnet9.factors import FACTORS
from ablate.workloads.resnet9.model import build
from ablate.workloads.resnet9.optim import WeightAverage, clip_and_measure, make_optimizer, one_cycle, without_compiler
from ablate.workloads.resnet9.plan import TrainingPlan
from ablate.workloads.resnet9.training import Training
from ablate.workloads.resnet9.workload import WORKLOAD
from tests.samples.training import bare_net, plan_of, tiny_images, train

OPTIMIZERS = next(setting.domain.words for setting in WORKLOAD.settings if setting.name == "optimizer")

pytestmark = pytest.mark.usefixtures("one_thread")


def parameters_with(*gradients: list[float]) -> list[nn.Parameter]:
    made = [nn.Parameter(torch.ones(len(gradient), dtype=torch.double)) for gradient in gradients]
    for parameter, gradient in zip(made, gradients, strict=True):
        parameter.grad = torch.tensor(gradient, dtype=torch.double)
    return made


def test_clipping_is_by_value_and_the_norm_is_measured_before():
    parameters = parameters_with([3.0, -0.05], [0.1, -4.0, 0.0])
    norm = clip_and_measure(parameters, 0.1)
    assert norm.item() == pytest.approx((9 + 0.0025 + 0.01 + 16) ** 0.5)
    assert parameters[0].grad.tolist() == [0.1, -0.05]
    assert parameters[1].grad.tolist() == [0.1, -0.1, 0.0]


def test_without_a_clip_the_gradient_stays():
    parameters = parameters_with([3.0, -4.0])
    assert clip_and_measure(parameters, None).item() == pytest.approx(5)
    assert parameters[0].grad.tolist() == [3.0, -4.0]


def test_a_parameter_without_a_gradient_is_ignored():
    parameters = [*parameters_with([3.0, 4.0]), nn.Parameter(torch.ones(2))]
    assert clip_and_measure(parameters, 1.0).item() == pytest.approx(5)


def plan(optimizer: str, weight_decay: float, lr: float = 0.01) -> TrainingPlan:
    return replace(plan_of([], optimizer=optimizer, lr=lr), weight_decay=weight_decay)


def stepped(optimizer: str, weight_decay: float, start: Tensor, gradients: list[Tensor]) -> Tensor:
    """Return the weights after a step with each of `gradients`."""
    parameter = nn.Parameter(start.clone())
    made = make_optimizer([parameter], plan(optimizer, weight_decay))
    for gradient in gradients:
        parameter.grad = gradient.clone()
        made.step()
    return parameter.detach()


def by_hand(optimizer: str, weight_decay: float, start: Tensor, gradients: list[Tensor], lr: float = 0.01) -> Tensor:
    """Kingma and Ba (2015), decay as L2; Loshchilov and Hutter (2019), decoupled; momentum 0.9."""
    weights, first, second = start.clone(), torch.zeros_like(start), torch.zeros_like(start)
    for step, gradient in enumerate(gradients, start=1):
        if optimizer == "adamw":
            weights = weights * (1 - lr * weight_decay)
        else:
            gradient = gradient + weight_decay * weights  # noqa: PLW2901  # as in the formula
        if optimizer == "sgd":
            first = gradient if step == 1 else 0.9 * first + gradient
            weights = weights - lr * first
            continue
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        unbiased, spread = first / (1 - 0.9**step), (second / (1 - 0.999**step)).sqrt()
        weights = weights - lr * unbiased / (spread + 1e-8)
    return weights


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_optimisers_follow_their_formulas(optimizer, weight_decay):
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(50, generator=generator, dtype=torch.double)
    gradients = [torch.randn(50, generator=generator, dtype=torch.double) for _ in range(4)]
    result = stepped(optimizer, weight_decay, start, gradients)
    torch.testing.assert_close(result, by_hand(optimizer, weight_decay, start, gradients), rtol=1e-9, atol=1e-12)
    if weight_decay:
        without = by_hand(optimizer, 0.0, start, gradients)
        assert (result - without).abs().max() > 1e-4, "the decay shows"
    if optimizer == "adamw" and weight_decay:
        assert (result - by_hand("adam", weight_decay, start, gradients)).abs().max() > 1e-4, "decoupled is not L2"


@pytest.mark.parametrize("kind", [SGD, Adam, AdamW])
def test_without_the_compiler_optimisers_are_torchs_bit_for_bit(kind):
    def went(kind, halfway):
        parameter = nn.Parameter(torch.linspace(-1, 1, 50))
        optimizer = kind([parameter], 0.1, weight_decay=0.01, fused=True)
        for step in range(6):
            if step == 3:
                halfway.append(copy.deepcopy(optimizer.state_dict()))
                optimizer.load_state_dict(halfway[0])
            parameter.grad = None
            (parameter**3).sum().backward()
            optimizer.step()
        return parameter

    theirs, ours = [], []
    assert torch.equal(went(kind, theirs), went(without_compiler(kind), ours))
    assert str(ours) == str(theirs)
    assert issubclass(without_compiler(kind), kind)


def test_all_parameters_decay_as_in_the_notebook():
    model = build(bare_net(width=2, batch_norm=True), seed=0)
    groups = make_optimizer(model.parameters(), plan("adam", 0.1)).param_groups
    assert [group["weight_decay"] for group in groups] == [0.1]
    assert len(groups[0]["params"]) == len(list(model.parameters()))


def rates_and_momenta(schedule_of, total: int, kind: str) -> list[tuple[float, float]]:
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = make_optimizer([parameter], plan(kind, 0.0, lr=0.02))
    schedule, found = schedule_of(optimizer), []
    for _ in range(total):
        group = optimizer.param_groups[0]
        found.append((group["lr"], group["momentum"] if kind == "sgd" else group["betas"][0]))
        parameter.grad = torch.zeros(1)
        optimizer.step()
        schedule.step()
    return found


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("total", [2, 7, 90])
@pytest.mark.parametrize("warmup", [0.3, 0.11])
def test_the_schedule_is_torchs_one_cycle(kind, total, warmup):
    ours = rates_and_momenta(lambda made: one_cycle(made, total, peak=0.02, warmup=warmup), total, kind)
    theirs = rates_and_momenta(lambda made: OneCycleLR(made, 0.02, total_steps=total, pct_start=warmup), total, kind)
    assert ours == theirs


@settings(max_examples=200)
@given(st.integers(1, 120), st.integers(1, 99).map(lambda percent: percent / 100))
def test_any_length_and_warmup_makes_a_schedule(total, warmup):
    """Also with a warm-up of exactly one step, for which PyTorch's schedule divides by zero."""
    found = rates_and_momenta(lambda made: one_cycle(made, total, peak=0.02, warmup=warmup), total, "adam")
    for rate, beta1 in found:
        assert 0 < rate <= 0.02 * (1 + 1e-9)
        assert 0.85 - 1e-9 <= beta1 <= 0.95 + 1e-9


def test_the_average_is_the_hand_computed_one():
    averaged, last = [], []
    decay = 0.8

    class Log:
        def __call__(self, step, **metrics):
            pass

        def series(self, name, first, values):
            pass

        def progress(self, done, total):
            last.append({name: value.double().clone() for name, value in training.model.state_dict().items()})
            network = training.average.model
            averaged.append({name: value.double().clone() for name, value in network.state_dict().items()})

    training = Training(plan_of(["batch_norm", "ema"], epochs=2, **{"ema.decay": decay}), tiny_images(40), 0)
    training.run(tiny_images(8, seed=1), Log())
    assert len(last) == 6
    for name in last[0]:
        if name.endswith("num_batches_tracked"):
            continue
        expected = last[0][name]  # the average starts at the first step's weights
        for step in range(1, 6):
            expected = decay * expected + (1 - decay) * last[step][name]
            torch.testing.assert_close(averaged[step][name], expected, rtol=1e-4, atol=1e-6)
    assert not torch.equal(averaged[-1]["conv1.0.weight"], last[-1]["conv1.0.weight"])


def test_the_average_is_scored_and_does_not_change_the_training():
    (plain, plain_log), (averaged, averaged_log) = (
        train(plan_of(factors), tiny_images(40)) for factors in (FACTORS.baseline, (*FACTORS.baseline, "ema"))
    )
    for row, other in zip(plain_log.history, averaged_log.history, strict=True):
        assert row.get("train/loss") == other.get("train/loss")
    assert plain_log.history[-1]["val/loss"] != averaged_log.history[-1]["val/loss"]
    assert averaged.scored_model is averaged.average.model
    assert plain.scored_model is plain.model


def test_a_fresh_average_scores_as_the_network():
    model = build(bare_net(width=2, batch_norm=True), seed=0)
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(WeightAverage(model, 0.9).model.eval()(images), model.eval()(images))

"""Schedules of the learning rate, compared with PyTorch's or with their formulas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, MultiStepLR, OneCycleLR

from ablate.workloads.resnet9.checkpoint import Checkpoint
from ablate.workloads.resnet9.factors import FACTORS
from ablate.workloads.resnet9.optimizers import make_optimizer
from ablate.workloads.resnet9.plan import TrainingPlan
from ablate.workloads.resnet9.schedules import SHAPES, one_cycle, warmup_steps
from ablate.workloads.resnet9.training import Training
from ablate.workloads.resnet9.workload import WORKLOAD, training_plan
from tests.samples.training import CLASSES, ListLog, differing, plan_of, recipe_of, tiny_images, train, weights

OPTIMIZERS = WORKLOAD.setting("optimizer").domain.words

pytestmark = pytest.mark.usefixtures("one_thread")


def plan(optimizer: str, lr: float) -> TrainingPlan:
    return replace(plan_of([], optimizer=optimizer, lr=lr), weight_decay=0.0)


def rates_and_momenta(
    schedule_of: Callable[[Optimizer], LRScheduler], total: int, kind: str = "adam"
) -> list[tuple[float, float]]:
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = make_optimizer([parameter], plan(kind, lr=0.02))
    schedule, found = schedule_of(optimizer), []
    for _ in range(total):
        group = optimizer.param_groups[0]
        found.append((group["lr"], group["momentum"] if kind in ("sgd", "nesterov") else group["betas"][0]))
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


@settings(max_examples=60)
@given(st.integers(1, 120), st.integers(1, 99).map(lambda percent: percent / 100))
def test_any_length_and_warmup_makes_a_schedule(total, warmup):
    """Also with a warm-up of exactly one step, for which PyTorch's schedule divides by zero."""
    found = rates_and_momenta(lambda made: one_cycle(made, total, peak=0.02, warmup=warmup), total, "adam")
    for rate, beta1 in found:
        assert 0 < rate <= 0.02 * (1 + 1e-9)
        assert 0.85 - 1e-9 <= beta1 <= 0.95 + 1e-9


def rates(shape: str, total: int, warmup: float = 0.3, kind: str = "adam") -> list[float]:
    """Return the learning rate of each step as a multiple of the peak. The momentum stays as it is."""
    make = partial(SHAPES[shape], peak=0.02, warmup=warmup)
    found = rates_and_momenta(lambda optimizer: make(optimizer, total), total, kind)
    assert len({momentum for _, momentum in found}) == 1
    return [rate / 0.02 for rate, _ in found]


@pytest.mark.parametrize("total", [1, 2, 7, 90])
def test_cosine_and_steps_are_torchs(total):
    torchs = {
        "cosine": partial(CosineAnnealingLR, T_max=total),
        "step": partial(MultiStepLR, milestones=[(total + 1) // 2, (3 * total + 3) // 4], gamma=0.1),
    }
    for shape, theirs in torchs.items():
        assert rates(shape, total) == [rate / 0.02 for rate, _ in rates_and_momenta(theirs, total)]


@pytest.mark.parametrize("total", [1, 2, 4, 7, 90, 301])
def test_shapes_follow_their_formulas(total):
    steps = np.arange(total)
    np.testing.assert_allclose(rates("cosine", total), (1 + np.cos(np.pi * steps / total)) / 2, atol=1e-9)
    tenths = (steps >= total / 2).astype(int) + (steps >= 3 * total / 4)
    np.testing.assert_allclose(rates("step", total), 0.1**tenths)
    for warmup in (0.01, 0.3, 0.99):
        rising = warmup_steps(total, warmup)
        corners = [-1, rising - 1, total]
        np.testing.assert_allclose(rates("linear", total, warmup), np.interp(steps, corners, [0, 1, 0]))
        np.testing.assert_allclose(rates("warmup", total, warmup), np.interp(steps, corners, [0, 1, 1]))


@settings(max_examples=60)
@given(
    st.sampled_from(sorted(SHAPES.keys() - {"one-cycle"})),
    st.integers(1, 120),
    st.integers(1, 99).map(lambda percent: percent / 100),
)
def test_every_rate_is_above_zero_and_at_most_the_peak(shape, total, warmup):
    make = partial(SHAPES[shape], peak=0.02, warmup=warmup)
    found = [rate for rate, _ in rates_and_momenta(lambda optimizer: make(optimizer, total), total)]
    assert all(0 < rate <= 0.02 * (1 + 1e-9) for rate in found)
    assert max(found) == pytest.approx(0.02)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_every_group_of_every_optimizer_follows_the_schedule(kind):
    training = Training(plan_of(["batch_norm", "lr_schedule"], optimizer=kind), tiny_images(), 0)
    seen = []
    groups = training.optimizer.param_groups
    training.optimizer.register_step_pre_hook(
        lambda *_: seen.append([(group["lr"], group.get("momentum"), group.get("betas")) for group in groups])
    )
    training.run(tiny_images(8, seed=1), ListLog())
    assert len(seen) == 9
    assert all(len({rate for rate, *_ in row}) == 1 for row in seen)
    momenta = [row[0][1] if kind in ("sgd", "nesterov") else row[0][2][0] for row in seen]
    assert (max(momenta), min(momenta)) == (pytest.approx(0.95), pytest.approx(0.85, abs=0.02))
    assert all(row[-1][2] is None or row[-1][2][0] == momentum for row, momentum in zip(seen, momenta, strict=True))
    assert groups[0].get("momentum", momenta[-1]) == pytest.approx(momenta[-1], abs=0.02)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_training_resumes_in_the_middle_of_every_schedule(shape, tmp_path):
    settings = training_plan(recipe_of(FACTORS.baseline, **{"lr_schedule.shape": shape}), CLASSES)
    whole, log = train(settings, tiny_images())
    kept, resumed = Checkpoint(tmp_path, every_seconds=0), Training(settings, tiny_images(), 0)
    Training(settings, tiny_images(), 0).run(tiny_images(20, seed=1), ListLog(), kept)  # saved last after two epochs
    resumed.load_state_dict(kept.restore())
    rest = ListLog()
    rest.rates = log.rates[:6]
    resumed.run(tiny_images(20, seed=1), rest)
    assert differing(weights(whole), weights(resumed)) == []
    assert rest.rates == log.rates

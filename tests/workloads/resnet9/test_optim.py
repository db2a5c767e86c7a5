"""Clipping and the weight average, each compared with its formula."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ablate.workloads.resnet9.factors import FACTORS
from ablate.workloads.resnet9.model import build
from ablate.workloads.resnet9.optim import WeightAverage, clip_and_measure
from ablate.workloads.resnet9.training import Training
from tests.samples.training import bare_net, plan_of, tiny_images, train

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

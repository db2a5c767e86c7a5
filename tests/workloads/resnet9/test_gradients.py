"""Gradients one by one and as a CUDA graph: the same training, bit for bit. The graph is a fake one on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ablate.workloads.resnet9.factors import FACTORS
from ablate.workloads.resnet9.gradients import WARM_UP, CapturedGradients, EagerGradients
from ablate.workloads.resnet9.model import StreamDropout
from ablate.workloads.resnet9.training import Training
from tests.samples.cuda_graphs import FakeGraph, fake_graphs
from tests.samples.training import ListLog, plan_of, tiny_images, weights

pytestmark = pytest.mark.usefixtures("one_thread")

IMAGES = 40
"""Batches of 16, 16 and 8: the last one of an epoch is smaller than those of the plan."""


OTHERS: dict[str, dict[str, str]] = {
    "muon": {"optimizer": "muon"},
    "group norm and GELU": {"batch_norm.kind": "group", "activation": "gelu"},
}

Captured = Callable[..., tuple[Training, list[FakeGraph]]]


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch) -> Captured:
    """Return a function that makes a training whose gradients are captured by fake graphs, which it also returns."""

    def make(*arguments: Any, **options: Any) -> tuple[Training, list[FakeGraph]]:
        training = Training(*arguments, captured=True, **options)
        assert isinstance(training.gradients, CapturedGradients)
        return training, fake_graphs(monkeypatch)

    return make


@pytest.mark.parametrize("toggled", ["nothing", "batch_norm", "dropout", "mixup", "ema", *OTHERS])
def test_captured_trainings_equal_eager_ones(toggled: str, captured: Captured) -> None:
    factors = FACTORS.in_order({*FACTORS.baseline} ^ ({toggled} & {*FACTORS}))
    plan = plan_of(factors, epochs=3, **OTHERS.get(toggled, {}))
    images, validation = tiny_images(IMAGES), tiny_images(20, seed=1)
    eager, eager_log = Training(plan, images, 0), ListLog()
    training, graphs = captured(plan, images, 0)
    log = ListLog()
    eager.run(validation, eager_log)
    training.run(validation, log)
    (graph,) = graphs
    assert graph.replays == 2 * 3, "two of three batches in each of three epochs"
    assert log.history == eager_log.history
    expected = weights(eager)
    assert all(torch.equal(value, expected[name]) for name, value in weights(training).items())


def test_the_warm_up_leaves_no_trace(captured: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    compute = EagerGradients.__call__
    monkeypatch.setattr(EagerGradients, "__call__", lambda self, *batch: (calls.append(1), compute(self, *batch))[1])
    training, graphs = captured(plan_of(FACTORS.baseline), tiny_images(IMAGES), 0)
    training._reseed_dropout()
    training.model.train()
    gradients = training.gradients
    (dropout,) = (module for module in training.model.modules() if isinstance(module, StreamDropout))
    assert dropout.generator
    before = dropout.generator.get_state()
    gradients(*next(iter(training.batches())))
    assert len(calls) == WARM_UP + 1, "warm-up, capture"
    assert graphs[0].generators == [dropout.generator]
    assert torch.equal(graphs[0].states[0], before)
    counts = [value for name, value in training.model.named_buffers() if name.endswith("num_batches_tracked")]
    assert {int(count) for count in counts} == {1}


def test_a_smaller_batch_does_not_replace_the_captured_gradients(captured: Captured) -> None:
    training, graphs = captured(plan_of(FACTORS.baseline), tiny_images(IMAGES), 0)
    gradients = training.gradients
    assert isinstance(gradients, CapturedGradients)
    training._reseed_dropout()
    first, second, small = training.batches()
    assert [len(batch[0]) for batch in (first, second, small)] == [16, 16, 8]
    owned = []
    for batch in (small, first, small, second):
        gradients(*batch)
        owned.append([parameter.grad for parameter in training.parameters])
    assert len(graphs) == 1
    assert all(mine is its for mine, its in zip(owned[1], gradients.gradients, strict=True))
    assert all(mine is its for mine, its in zip(owned[3], owned[1], strict=True))
    assert not any(mine is its for mine, its in zip(owned[2], owned[1], strict=True))
    assert graphs[0].replays == 2


def test_eager_gradients_are_those_of_the_loss() -> None:
    plan = plan_of(["batch_norm", "label_smoothing", "grad_clip"])
    training = Training(plan, tiny_images(IMAGES), 0)
    batch = next(iter(training.batches()))
    images, labels, targets = batch
    loss_sum, correct, norm = training.gradients(*batch)
    found = [parameter.grad for parameter in training.parameters]
    for parameter in training.parameters:
        parameter.grad = None
    logits = training.model(images)
    loss = F.cross_entropy(logits, targets, label_smoothing=plan.label_smoothing)
    loss.backward()
    exact = [parameter.grad for parameter in training.parameters]
    assert float(loss_sum) == pytest.approx(float(loss.detach()) * len(labels))
    assert int(correct) == int((logits.argmax(1) == labels).sum())
    assert float(norm) == pytest.approx(float(torch.cat([one.flatten() for one in exact]).norm()), rel=1e-5)
    assert plan.clip_value
    assert float(norm) > max(float(one.abs().max()) for one in exact)
    for mine, its in zip(found, exact, strict=True):
        torch.testing.assert_close(mine, its.clamp(-plan.clip_value, plan.clip_value))


def test_smaller_batches_are_not_compiled() -> None:
    sizes = []
    training = Training(plan_of(), tiny_images(IMAGES), 0)

    def features(images: Tensor) -> Tensor:
        sizes.append(len(images))
        return training.model.features(images)

    gradients = EagerGradients(training.model, training.plan, training.autocast, features)
    for batch in training.batches():
        gradients(*batch)
    assert sizes == [16, 16]

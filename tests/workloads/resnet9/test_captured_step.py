"""Whole steps as a CUDA graph: the same training as operation by operation, bit for bit. The graph is a fake one."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from torch import Generator, Tensor

from ablate.workloads.resnet9 import model
from ablate.workloads.resnet9 import training as trainer
from ablate.workloads.resnet9.augment import crop_and_flip
from ablate.workloads.resnet9.captured_step import CapturedStep
from ablate.workloads.resnet9.checkpoint import Checkpoint
from ablate.workloads.resnet9.factors import FACTORS
from ablate.workloads.resnet9.optimizers import make_optimizer
from ablate.workloads.resnet9.plan import TrainingPlan
from ablate.workloads.resnet9.schedules import SHAPES
from ablate.workloads.resnet9.training import Training
from ablate.workloads.resnet9.workload import WORKLOAD
from tests.samples.cuda_graphs import FakeGraph, fake_graphs
from tests.samples.training import ListLog, differing, plan_of, tiny_images, weights

pytestmark = pytest.mark.usefixtures("one_thread")

IMAGES = 40
"""Batches of 16, 16 and 8: the last one of an epoch is smaller than those of the plan."""

OPTIMIZERS = WORKLOAD.setting("optimizer").domain.words
PLANS: dict[str, TrainingPlan] = {
    "baseline": plan_of(FACTORS.baseline),
    "everything": plan_of(FACTORS),
    **{f"{name} toggled": plan_of(FACTORS.in_order({*FACTORS.baseline} ^ {name})) for name in FACTORS},
    **{name: plan_of(FACTORS.baseline, optimizer=name) for name in OPTIMIZERS},
    **{f"{name}, no weight decay": plan_of(["lr_schedule"], optimizer=name) for name in OPTIMIZERS},
    **{name: plan_of(FACTORS.baseline, **{"lr_schedule.shape": name}) for name in SHAPES},
    "group norm and GELU": plan_of(FACTORS.baseline, **{"batch_norm.kind": "group", "activation": "gelu"}),
}


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[FakeGraph]:
    """Fake CUDA graphs, those that were made."""
    return fake_graphs(monkeypatch)


class Uncaptured(CapturedStep):
    """The same step, operation by operation."""

    def __call__(self, positions: Tensor, streams: Mapping[str, Generator]) -> Tensor:
        self.optimizer.send()
        return self.compute(positions, streams)


def captured(plan: TrainingPlan, *, double: bool = False, uncaptured: bool = False, plain: bool = False) -> Training:
    """Return a new training whose steps are captured, or of the same operations without a graph, or the default."""
    images = tiny_images(IMAGES)
    with pytest.MonkeyPatch.context() as patch:
        if double:
            images = replace(images, mean=images.mean.double(), std=images.std.double())
            patch.setattr(trainer, "build", lambda *arguments: model.build(*arguments).double())
        training = Training(plan, images, 0, captured=False if plain else "step")
    if uncaptured:
        step = training.captured_step
        assert step
        training.captured_step = Uncaptured(step.gradients, step.optimizer, images)
    return training


def trained(training: Training, log: ListLog | None = None) -> ListLog:
    """Train to the end, and return the log."""
    log = log or ListLog()
    images = replace(tiny_images(20, seed=1), mean=training.train.mean, std=training.train.std)
    training.run(images, log)
    return log


@pytest.mark.parametrize("name", PLANS)
def test_captured_steps_equal_those_operation_by_operation(name: str, graphs: list[FakeGraph]) -> None:
    training, twin = captured(PLANS[name]), captured(PLANS[name], uncaptured=True)
    log, expected = trained(training), trained(twin)
    (graph,) = graphs
    assert graph.replays == 2 * 3, "two of three batches in each of three epochs"
    assert (log.history, log.rates) == (expected.history, expected.rates)
    assert differing(weights(training), weights(twin)) == []


@pytest.mark.parametrize("name", ["everything", *OPTIMIZERS, *(f"{name}, no weight decay" for name in OPTIMIZERS)])
def test_captured_steps_differ_from_the_default_by_rounding_only(name: str, graphs: list[FakeGraph]) -> None:
    training, default = captured(PLANS[name], double=True), captured(PLANS[name], double=True, plain=True)
    log, expected = trained(training), trained(default)
    assert log.rates == expected.rates
    assert log.history[-1] == pytest.approx(expected.history[-1], rel=1e-9)
    assert_close(training, default)


def assert_close(training: Training, default: Training) -> None:
    """Compare weights except biases before batch norm, whose gradients are rounding errors, and the means they shift.

    Adam scales the errors up to its step size.
    """
    found = weights(training)
    for name, value in weights(default).items():
        if not (training.plan.net.batch_norm and name.endswith((".0.bias", "running_mean"))):
            torch.testing.assert_close(found[name], value, rtol=1e-9, atol=1e-10, msg=name)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_captured_training_resumes_bit_for_bit(optimizer: str, graphs: list[FakeGraph]) -> None:
    plan = PLANS[optimizer]
    whole, resumed = captured(plan), captured(plan)
    log = ListLog()
    whole.train_epoch(log)
    whole.epoch = 1
    resumed.load_state_dict(copy.deepcopy(whole.state_dict()))
    trained(whole, log)
    rest = ListLog()
    rest.rates = log.rates[:3]
    trained(resumed, rest)
    assert (rest.rates, rest.history) == (log.rates, log.history)
    assert differing(weights(whole), weights(resumed)) == []


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("first", ["captured", "default"])
def test_checkpoints_fit_both(first: str, optimizer: str, graphs: list[FakeGraph], tmp_path) -> None:
    """A training that changes between captured steps and the default equals, up to rounding, one that does not."""
    plan = PLANS[optimizer]
    before, after = (captured(plan, double=True, plain=way) for way in (first == "default", first == "captured"))
    default = captured(plan, double=True, plain=True)
    for training in (before, default):
        training.train_epoch(ListLog())
        training.epoch = 1
    checkpoint = Checkpoint(tmp_path, every_seconds=0)
    checkpoint.save(before.state_dict())
    state = checkpoint.restore()
    assert state
    assert structure(state) == structure(default.state_dict())
    after.load_state_dict(state)
    for training in (after, default):
        rest = ListLog()
        rest.rates = [0.0] * 3
        trained(training, rest)
    assert_close(after, default)


def structure(state: object) -> object:
    """Return the types and the shapes of a state."""
    if isinstance(state, Mapping):
        return {name: structure(value) for name, value in state.items()}
    if isinstance(state, list | tuple):
        return [structure(value) for value in state]
    return (state.dtype, state.shape) if isinstance(state, Tensor) else type(state)


def test_the_capture_leaves_no_trace(graphs: list[FakeGraph]) -> None:
    training = captured(PLANS["everything"])
    step = training.captured_step
    assert step
    before = weights(training)
    streams = {name: torch.Generator().manual_seed(3) for name in PLANS["everything"].streams if name != "dropout"}
    replayed: list[dict[str, Tensor]] = []
    replay = FakeGraph.replay
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeGraph, "replay", lambda graph: (replayed.append(weights(training)), replay(graph))[1])
        step(torch.arange(16), streams)
    assert differing(before, replayed[0]) == []
    assert differing(before, weights(training)) != []
    assert {float(state["step"]) for state in training.optimizer.state.values()} == {1.0}


# --- the fake graph shows what a real one would not compute -----------------------------------------------------------


def test_a_learning_rate_outside_of_tensors_would_show(graphs: list[FakeGraph]) -> None:
    training, twin = captured(PLANS["baseline"]), captured(PLANS["baseline"], plain=True)
    step = training.captured_step
    assert step
    frozen = make_optimizer(training.parameters, training.plan)
    frozen.send, frozen.states = lambda: None, list  # type: ignore[attr-defined]  # as a capturable one
    training.optimizer = step.optimizer = frozen  # type: ignore[assignment]
    training.schedule = training.plan.schedule(frozen, training.total_steps) if training.plan.schedule else None
    trained(training)
    trained(twin)
    assert differing(weights(training), weights(twin)) != []


def test_random_numbers_outside_of_tensors_would_show(graphs: list[FakeGraph]) -> None:
    def frozen(images: Tensor, stream: object) -> Tensor:
        return crop_and_flip(images, torch.Generator().manual_seed(next(seeds)), pad=4, flip=0.5)

    plan = plan_of(["batch_norm"]).add_image_step("frozen", frozen)
    results = []
    for uncaptured in (False, True):
        seeds = iter(range(100))
        training = captured(plan, uncaptured=uncaptured)
        trained(training)
        results.append(weights(training))
    assert differing(*results) != []


def test_waiting_for_the_device_would_show(graphs: list[FakeGraph]) -> None:
    plan = plan_of().add_image_step("curious", lambda images, stream: images * images.mean().item())
    with pytest.raises(RuntimeError, match=r"the host waits for aten\._local_scalar_dense"):
        trained(captured(plan))

"""No training step waits for its device. Tested with fake tensors on a fake GPU."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from ablate.seeding import torch_stream
from ablate.workloads.resnet9 import batches, captured_step, model
from ablate.workloads.resnet9 import training as trainer
from ablate.workloads.resnet9.factors import FACTORS
from ablate.workloads.resnet9.images import Images
from ablate.workloads.resnet9.plan import TrainingPlan
from ablate.workloads.resnet9.training import Training
from ablate.workloads.resnet9.workload import WORKLOAD
from tests.samples.training import plan_of

IMAGES, BATCH = 40, 16
ON_GPU = torch.device("cuda")
OPTIMIZERS = WORKLOAD.setting("optimizer").domain.words


class Waits(TorchDispatchMode):
    """Counts the copies between devices that the host waits for. Reading values of fake tensors raises."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, operator: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        given = [value.device for value in arguments if isinstance(value, torch.Tensor)]
        if operator is torch.ops.aten._local_scalar_dense.default and given[0].type == "cpu":
            return 1  # a value on the CPU
        result = operator(*arguments, **(options or {}))
        if "copy" in operator.__name__ and any(device != result.device for device in given):
            self.count += not ((options or {}).get("non_blocking", False) or True in arguments[2:])  # of copy_
        return result


class StepLog:
    """A log that records how often the host has waited by the end of each step."""

    def __init__(self, waits: Waits) -> None:
        self.waits, self.by_step = waits, []

    def __call__(self, step: int, **metrics: float) -> None:
        """Ignore the values."""

    def series(self, name: str, first: int, values: list[float]) -> None:
        """Ignore the values."""

    def progress(self, done: int, total: int) -> None:
        self.by_step.append(self.waits.count)


def waits_by_step(plan: TrainingPlan, monkeypatch: pytest.MonkeyPatch, **how: Any) -> list[int]:
    """Return how often the host has waited by the end of each step of an epoch; it may read the sums afterwards."""

    def build(net, seed, device):
        with torch.device(device):
            return model.ResNet9(net)

    def backward(loss):  # autograd's own threads would ask for a real device
        for parameter in training.parameters:
            parameter.grad = torch.empty_like(parameter)

    monkeypatch.setattr(trainer, "build", build)
    monkeypatch.setattr(batches, "torch_stream", lambda seed, purpose, device: torch_stream(seed, purpose))
    monkeypatch.setattr(torch.Tensor, "backward", backward)
    monkeypatch.setattr(FakeTensorMode, "__deepcopy__", lambda mode, memo: mode, raising=False)  # for copies of a model
    with FakeTensorMode(), Waits() as waits, torch.device(ON_GPU):
        pixels = torch.zeros(IMAGES, 3, 16, 16, dtype=torch.uint8)
        members, half = torch.arange(IMAGES), torch.full((1, 3, 1, 1), 0.5)
        training = Training(plan, Images(pixels, members % 4, members, half, half), seed=0, **how)
        log = StepLog(waits)
        with pytest.raises(DataDependentOutputException):  # the sums, once, at the end
            training.train_epoch(log)
    return log.by_step


@pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor")  # copy.deepcopy of a parameter does
@pytest.mark.parametrize("toggled", FACTORS)
def test_no_step_waits_for_the_device(toggled, monkeypatch):
    factors = FACTORS.in_order(set(FACTORS.baseline) ^ {toggled})
    counts = waits_by_step(plan_of(factors, batch_size=BATCH), monkeypatch)
    assert len(counts) == -(-IMAGES // BATCH), "every step was made, and only then was a value asked for"
    assert set(counts) == {counts[0]}, "what waits, waits before the first step"


@pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor")
@pytest.mark.parametrize("values", [{"optimizer": "muon"}, {"batch_norm.kind": "group", "activation": "gelu"}], ids=str)
def test_no_step_waits_for_the_device_with_other_values(values, monkeypatch):
    counts = waits_by_step(plan_of(batch_size=BATCH, **values), monkeypatch)
    assert len(counts) == -(-IMAGES // BATCH)
    assert set(counts) == {counts[0]}


@pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor")
@pytest.mark.parametrize("name", ["everything", *OPTIMIZERS])
def test_no_captured_step_waits_for_the_device(name, monkeypatch):
    """Nor does a capture, which would fail."""

    def capture(compute, model, changed):
        before = waits.count
        result = compute()
        assert waits.count == before
        return SimpleNamespace(replay=lambda: None), result

    waits = Waits()
    monkeypatch.setattr(sys.modules[__name__], "Waits", lambda: waits)
    monkeypatch.setattr(captured_step, "capture", capture)
    plan = plan_of(FACTORS) if name == "everything" else plan_of(optimizer=name)
    first, *others = waits_by_step(plan, monkeypatch, captured="step")
    assert others == [first] * (-(-IMAGES // BATCH) - 1)


def test_waiting_would_show(monkeypatch):
    def impatient(images, generator):
        return images + torch.ones(1, device="cpu").to(images.device)

    counts = waits_by_step(plan_of(batch_size=BATCH).add_image_step("impatient", impatient), monkeypatch)
    assert counts == [counts[0], counts[0] + 1, counts[0] + 2]


def test_reading_would_show(monkeypatch):
    def curious(images, generator):
        return images * images.mean().item()

    assert waits_by_step(plan_of(batch_size=BATCH).add_image_step("curious", curious), monkeypatch) == []

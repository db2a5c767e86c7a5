"""`--compile`: the same training up to rounding, compiled once per architecture and shared by seeds."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ablate.errors import UsageError
from ablate.runs.runner import is_comparable
from ablate.studies.conditions import Conditions, RequestedConditions, custom_conditions
from ablate.workloads.resnet9.devices import resolve_conditions
from ablate.workloads.resnet9.factors import FACTORS
from ablate.workloads.resnet9.plan import TrainingPlan
from ablate.workloads.resnet9.training import Training
from tests.samples.training import ListLog, plan_of, tiny_images, weights

pytestmark = pytest.mark.usefixtures("one_thread")


def trained(plan: TrainingPlan, seed: int, *, compiled: bool) -> dict[str, torch.Tensor]:
    """Return the weights after a training in double precision, where rounding is negligible."""
    images = tiny_images(40)
    images = replace(images, mean=images.mean.double(), std=images.std.double())
    training = Training(plan, images, seed, compiled=compiled)
    training.model.double()
    training.run(images, ListLog())
    return weights(training)


@pytest.mark.slow  # the C++ compiler takes most of a minute on a busy machine
@pytest.mark.skipif(not any(map(shutil.which, ("c++", "g++", "clang++"))), reason="there is no C++ compiler")
@pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated:DeprecationWarning")  # in torch 2.11
def test_seeds_train_as_without_and_share_the_code() -> None:
    plan = plan_of(FACTORS.baseline, width=2, epochs=2)  # batches of 16, 16 and 8: the last is not compiled
    from torch._dynamo.utils import counters  # takes a second

    counters.clear()
    for seed in (0, 1):
        plain, compiled = (trained(plan, seed, compiled=way) for way in (False, True))
        for name, value in plain.items():
            torch.testing.assert_close(compiled[name], value, rtol=1e-6, atol=1e-8, msg=f"{name}, seed {seed}")
    assert counters["stats"]["unique_graphs"] == 1
    assert not counters["graph_break"]


def test_compiled_runs_are_conditions_of_their_own() -> None:
    wanted = Conditions("cpu", "fp32", 1, compiled=True)
    made_before = {"device": "cpu", "precision": "fp32", "threads": 1}
    assert not is_comparable(made_before, wanted)
    assert is_comparable(made_before, replace(wanted, compiled=False))
    assert is_comparable({**made_before, "compiled": True}, wanted)
    with pytest.raises(UsageError, match="--compile applies to the built-in network"):
        custom_conditions(RequestedConditions(compiled=True))


def test_without_a_compiler_it_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(UsageError, match=r"needs a C\+\+ compiler"):
        resolve_conditions(RequestedConditions("cpu", "fp32", 1, compiled=True))
    assert resolve_conditions(RequestedConditions("cpu", "fp32", 1)).compiled is False

"""The executor and the conditions that options choose."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from ablate.api.resources import ComputeChoice, ExecutionChoice
from ablate.cores import usable_cores
from ablate.errors import UsageError
from ablate.runs.executors.ray_cluster import RayExecutor
from ablate.studies.study import Study
from ablate.workloads.resnet9 import devices


@pytest.mark.parametrize(
    ("options", "compute", "expected"),
    [
        ("partition=gpu,gres=gpu:1,cpus-per-task=6", ComputeChoice(), ("cuda", "bf16", 6)),
        ("gpus=1", ComputeChoice(precision="fp32", threads=2), ("cuda", "fp32", 2)),
        ("cpus-per-task=4", ComputeChoice(precision="fp32", fused=False), ("cpu", "fp32", 4)),
        ("", ComputeChoice(device="cuda"), ("cuda", "bf16", 1)),
    ],
)
def test_runs_on_slurm_have_the_device_and_the_threads_of_their_job(
    options: str,
    compute: ComputeChoice,
    expected: tuple[str, str, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also on a login node without a GPU."""
    monkeypatch.setitem(sys.modules, "submitit", ModuleType("submitit"))
    monkeypatch.chdir(tmp_path)
    choice = ExecutionChoice(executor="slurm", slurm=options)
    workers = choice.workers(Study(preset="notebook").baseline, compute)
    found = workers.conditions
    assert (found.device, found.precision, found.threads) == expected
    assert workers.executor.slots == 10


@pytest.mark.parametrize("choice", [ExecutionChoice(slurm="partition=gpu"), ExecutionChoice(runs_per_job=2)])
def test_options_of_slurm_need_its_executor(choice: ExecutionChoice) -> None:
    with pytest.raises(UsageError, match="add --executor slurm"):
        choice.workers(Study(preset="demo").baseline, ComputeChoice())


@pytest.mark.parametrize(
    ("address", "choice", "expected"),
    [
        ("head:6379", ComputeChoice(device="cuda"), ("cuda", "bf16", 10, 1.0)),
        ("head:6379", ComputeChoice(device="cuda", precision="fp32", threads=2), ("cuda", "fp32", 10, 1.0)),
        ("head:6379", ComputeChoice(precision="fp32", threads=1), ("cpu", "fp32", usable_cores(), 0.0)),
    ],
)
def test_runs_on_a_ray_cluster_may_use_its_gpus(
    address: str, choice: ComputeChoice, expected: tuple[str, str, int, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the machine of the command has none."""
    monkeypatch.setattr(devices, "available_devices", lambda: ("cpu",))
    workers = ExecutionChoice(executor="ray", address=address).workers(Study(preset="demo").baseline, choice)
    found, executor = workers.conditions, workers.executor
    assert isinstance(executor, RayExecutor)
    assert (found.device, found.precision, executor.slots, executor.gpus) == expected


def test_an_address_needs_the_executor_ray() -> None:
    with pytest.raises(UsageError, match="add --executor ray"):
        ExecutionChoice(address="head:6379").workers(Study(preset="demo").baseline, ComputeChoice())

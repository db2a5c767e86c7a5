"""The executor and the conditions that options choose."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from ablate.api.resources import ComputeChoice, ExecutionChoice
from ablate.errors import UsageError
from ablate.studies.study import Study


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

"""The number of threads of a run: one for small steps, else the cores divided among the parallel runs."""

from __future__ import annotations

from types import SimpleNamespace

import psutil
import pytest

from ablate.api import resources
from ablate.cli.options.common import ComputeFlags
from ablate.cores import idle_cores
from ablate.studies.conditions import Conditions
from ablate.studies.recipe import Recipe
from ablate.workloads.resnet9.workload import WORKLOAD


@pytest.mark.parametrize(
    ("preset", "given", "slots", "threads"),
    [
        ("demo", None, 1, 1),
        ("demo", None, 2, 1),
        ("demo", 4, 2, 4),
        ("laptop", None, 1, 8),
        ("laptop", None, 2, 4),
        ("laptop", None, 16, 1),
        ("notebook", None, 1, 8),
        ("notebook", 3, 1, 3),
    ],
)
def test_a_run_gets_the_threads_that_its_steps_can_use(
    preset: str, given: int | None, slots: int, threads: int
) -> None:
    recipe = Recipe.of(WORKLOAD, None, WORKLOAD.preset(preset).settings)
    eight = Conditions("cpu", "fp32", 8, fused=True)
    found = ComputeFlags(threads=given).with_threads(eight, recipe, slots)
    assert found == Conditions("cpu", "fp32", threads, fused=True)


@pytest.mark.parametrize(
    ("preset", "given", "device", "threads"),
    [("laptop", None, "cpu", 3), ("demo", None, "cpu", 1), ("laptop", 6, "cpu", 6), ("laptop", None, "cuda", 8)],
)
def test_a_single_run_leaves_busy_cores_to_other_processes(
    monkeypatch: pytest.MonkeyPatch, preset: str, given: int | None, device: str, threads: int
) -> None:
    monkeypatch.setattr(resources, "idle_cores", lambda: 3)
    recipe = Recipe.of(WORKLOAD, None, WORKLOAD.preset(preset).settings)
    eight = Conditions(device, "fp32", 8, fused=True)
    assert ComputeFlags(threads=given).for_one_run(eight, recipe) == Conditions(device, "fp32", threads, fused=True)


@pytest.mark.parametrize(
    ("idle", "cores"), [((100, 99, 98), 3), ((100, 30, 10), 1), ((80, 90, 0), 2), ((0, 0, 0), 1), ((100, 100), 2)]
)
def test_idle_cores_are_counted_among_the_usable_ones(
    monkeypatch: pytest.MonkeyPatch, idle: tuple[int, ...], cores: int
) -> None:
    shares = [SimpleNamespace(idle=share) for share in (*idle, 100)]  # the last core is not usable
    monkeypatch.setattr(psutil, "cpu_times_percent", lambda **_: shares)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(len(idle))), raising=False)
    assert idle_cores() == cores

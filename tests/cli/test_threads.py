"""The number of threads of a run: one for small steps, else the cores divided among the parallel runs."""

from __future__ import annotations

import pytest

from ablate.cli.options.common import ComputeFlags
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

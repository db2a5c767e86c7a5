"""Sequential testing: interim analyses and early stopping."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ablate.errors import UsageError
from ablate.journal.run_journal import Journals, Run
from ablate.runs.executors import SerialExecutor
from ablate.runs.runner import RunOptions
from ablate.runs.sweep import (
    RunTask,
    run_tasks,
)
from ablate.runs.until_clear import InterimDecision, SequentialTest
from ablate.studies.study import Study
from tests.samples.sweeps import Events, planned, study


def with_own_noise(run: Run) -> Run:
    """Return the run with some noise of its variant: differences without variance have no verdict."""
    own = np.random.default_rng([run.seed, *run.variant.encode()]).normal(0, 0.0005)
    return replace(run, metrics={**run.metrics, "taste": run.metrics["taste"] + own})


def until_clear(asked: Study, folder: Path) -> tuple[list[InterimDecision], int, int]:
    journals = Journals(folder / "mlruns" / "journal")
    made: list[Run] = []
    decisions: list[InterimDecision] = []
    test = SequentialTest(asked, 0.1)
    jobs = {(entry.job.recipe.label, entry.job.recipe.seed): entry.job for entry in planned(asked, journals)}
    while not test.is_done:
        tasks = [RunTask(jobs[pair], journals.folder, RunOptions(folder)) for pair in test.missing_runs(made)]
        made += [with_own_noise(run) for run, _ in Events(run_tasks(tasks, SerialExecutor())).runs]
        decisions.append(test.analyse(made))
    return decisions, len(made), test.runs_saved


def test_settled_comparisons_get_no_more_seeds(tmp_path: Path) -> None:
    decisions, made, saved = until_clear(study(seeds=20), tmp_path)
    assert decisions[0].seeds == 5
    assert decisions[0].settled["sugar"] == "clear and important loss"
    assert made + saved == 80
    assert made == 4 * 5, "variants share most of their noise: all are settled at the first analysis"


def test_until_clear_needs_planned_pairwise_comparisons(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="leave-one-out and add-one-in"):
        until_clear(study(design="factorial", seeds=20), tmp_path)

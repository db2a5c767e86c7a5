"""Sweeps of the toy workload."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from ablate.journal.run_journal import Journals
from ablate.runs.executors import Executor, SerialExecutor
from ablate.runs.runner import RunOptions
from ablate.runs.sweep import (
    PlannedRun,
    RunEnded,
    RunEvent,
    RunInProgress,
    RunLost,
    RunTask,
    plan_runs,
    run_tasks,
)
from ablate.studies.conditions import Conditions
from ablate.studies.study import Study
from tests.samples import toy

CONDITIONS = Conditions("cpu", "fp32", 1)


def study(**values: object) -> Study:
    """Return a study of the toy workload."""
    return Study(**{"workload": toy.WORKLOAD, "seeds": 2, "name": "kitchen", **values})  # type: ignore[arg-type]


class Events:
    """The events of a sweep by kind."""

    def __init__(self, events: Iterable[RunEvent]) -> None:
        found = list(events)
        self.runs = [(event.run, event.is_new) for event in found if isinstance(event, RunEnded)]
        self.lost = [event.reason for event in found if isinstance(event, RunLost)]
        self.claimed = [event.owner for event in found if isinstance(event, RunInProgress)]

    @property
    def statuses(self) -> Counter[str]:
        return Counter(run.status for run, _ in self.runs)


def planned(asked: Study, journals: Journals) -> list[PlannedRun]:
    """Return the planned runs of a study."""
    return plan_runs(asked.recipes(), toy.open_data(None, None), CONDITIONS, journals)


def sweep(asked: Study, folder: Path, executor: Executor | None = None, **limits: int) -> Events:
    """Make the missing runs of a study."""
    journals = Journals(folder / "mlruns" / "journal")
    tasks = [
        RunTask(entry.job, journals.folder, RunOptions(folder, asked.name))
        for entry in planned(asked, journals)
        if not entry.is_done
    ]
    return Events(run_tasks(tasks, executor or SerialExecutor(), **limits))

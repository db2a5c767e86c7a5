"""Sweep sessions: runs, summary, preparation of the report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from ablate.journal.run_journal import Journals
from ablate.runs.executors import Executor, ProcessExecutor, SerialExecutor
from ablate.runs.runner import RunOptions
from ablate.runs.sweep import plan_runs
from ablate.studies.conditions import Conditions
from ablate.studies.study import Study
from ablate.tracking import JournalTracker, StudyJournals, Tracker, deliver_study, open_tracker
from ablate.workflows.study_recorder import StudyRecorder
from ablate.workflows.sweep import SweepSession
from tests.samples import toy
from tests.samples.memory_tracker import MemoryTracker
from tests.samples.tracking import mlflow_project

STUDY = Study(workload=toy.WORKLOAD, seeds=2, name="kitchen")


def session(folder: Path, executor: Executor, tracker: Tracker | None = None) -> SweepSession:
    journals = Journals(folder / "mlruns" / "journal")
    planned = plan_runs(STUDY.recipes(), toy.open_data(None, None), Conditions("cpu", "fp32", 1), journals)
    recorder = StudyRecorder(STUDY.name, tracker or MemoryTracker(), journals)
    return SweepSession(STUDY, planned, journals, RunOptions(folder, STUDY.name), executor, recorder)


def test_a_session_makes_missing_runs_and_summarises_them(tmp_path: Path) -> None:
    first = session(tmp_path, SerialExecutor())
    first.run()
    assert {name: first.summary(1.0)[name] for name in ("planned", "reused", "ran", "failed")} == {
        "planned": 8,
        "reused": 0,
        "ran": 8,
        "failed": 0,
    }
    again = session(tmp_path, SerialExecutor())
    again.run()
    assert again.summary(1.0)["reused"] == 8


@dataclass
class NextStep:
    """Notes how many runs are missing when its preparation is due."""

    session: SweepSession
    open_runs: list[int]

    def prepare(self) -> None:
        self.open_runs.append(len(self.session.planned) - len(self.session.new_runs))


def test_the_next_step_is_prepared_while_the_last_run_is_in_progress(tmp_path: Path) -> None:
    open_runs: list[int] = []
    busy = session(tmp_path / "two", ProcessExecutor(2))
    busy.next_step = NextStep(busy, open_runs)
    busy.run()
    assert open_runs == [1], "once, while the last run is in progress"
    alone = session(tmp_path / "one", SerialExecutor())
    alone.next_step = NextStep(alone, open_runs)
    alone.run()
    assert open_runs == [1]


def test_runs_that_a_killed_sweep_did_not_deliver_are_delivered_without_new_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    project = mlflow_project(tmp_path)
    session(tmp_path, SerialExecutor(), JournalTracker(project)).run()
    deliver_study(open_tracker(project), StudyJournals(project.studies), STUDY.name)  # killed after this
    again = session(tmp_path, SerialExecutor(), open_tracker(project))
    assert not again.is_recorded
    again.run()
    assert len(open_tracker(project).runs()) == 8
    assert session(tmp_path, SerialExecutor(), open_tracker(project)).is_recorded

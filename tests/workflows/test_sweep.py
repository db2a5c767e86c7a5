"""A sweep from plan to summary, as the command line runs it."""

from __future__ import annotations

from pathlib import Path

from ablate.journal.run_journal import Journals
from ablate.runs.executors import Executor, ProcessExecutor, SerialExecutor
from ablate.runs.runner import Purpose
from ablate.runs.sweep import plan
from ablate.studies.conditions import Conditions
from ablate.studies.study import Study
from ablate.workflows.study_record import Recording
from ablate.workflows.sweep import SweepSession
from tests.samples import toy
from tests.samples.memory_tracker import MemoryTracker

STUDY = Study(workload=toy.WORKLOAD, seeds=2, name="kitchen")


def session(folder: Path, executor: Executor) -> SweepSession:
    journals = Journals(folder / "mlruns" / "journal")
    planned = plan(STUDY.recipes(), toy.open_data(None, None), Conditions("cpu", "fp32", 1), journals)
    recording = Recording(STUDY.name, MemoryTracker(), journals)
    return SweepSession(STUDY, planned, journals, Purpose(folder, STUDY.name), executor, recording)


def test_a_session_makes_what_is_missing_and_says_so(tmp_path: Path) -> None:
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


def test_it_is_told_when_a_worker_has_nothing_left(tmp_path: Path) -> None:
    open_runs: list[int] = []
    busy = session(tmp_path / "two", ProcessExecutor(2))
    busy.on_idle = lambda: open_runs.append(len(busy.planned) - len(busy.made))
    busy.run()
    assert open_runs == [1], "once, while the last run is still going on"
    alone = session(tmp_path / "one", SerialExecutor())
    alone.on_idle = lambda: open_runs.append(0)
    alone.run()
    assert open_runs == [1]

"""Running searches: workers, deadlines, lost processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from ablate.errors import UserError
from ablate.journal.run_journal import Journals, load
from ablate.runs.executors import ProcessExecutor
from ablate.runs.sweep import TooManyFailures
from ablate.tuning.run_search import check_baseline
from ablate.tuning.search import Search
from tests.samples.processes import PATIENCE, until
from tests.samples.searches import run_search, run_task, search_spec, trial_task


def test_workers_make_each_trial_once(tmp_path: Path) -> None:
    trials = run_search(tmp_path, search_spec({"pause": 0.01}, budget=12), ProcessExecutor(3))
    assert Counter(trial.state for trial in trials) == {"complete": 12}
    assert len({str(dict(trial.params)) for trial in trials}) == 12, "workers draw different values"


@pytest.mark.slow
def test_too_many_lost_workers_end_the_search_and_leave_no_running_trial(tmp_path: Path) -> None:
    asked = search_spec({"dies": 1}, budget=8)
    with pytest.raises(TooManyFailures, match="SIGKILL"):
        run_task(trial_task(tmp_path, asked), ProcessExecutor(2), max_failures=4)
    time.sleep(0.1)
    held = Search(asked, trial_task(tmp_path).storage)
    held.close_lost()
    states = Counter(trial.state for trial in held.trials())
    assert "running" not in states
    assert states["lost"] + states["failed"] >= 4
    with pytest.raises(UserError, match="baseline trial of search kitchen has no result"):
        check_baseline(held.trials(), "kitchen")


def test_no_trial_starts_after_the_deadline(tmp_path: Path) -> None:
    late = replace(trial_task(tmp_path), deadline=time.time() - 1)
    assert [trial.state for trial in run_task(late)] == ["waiting"]


def _search_in_a_process(folder: str) -> None:
    run_search(Path(folder), search_spec({"pause": 0.05}, budget=12))


def _stopped_during_a_run(journals: Journals, pid: int) -> bool:
    """Stop a process if it has a run, unless the run ends at that moment."""

    def has_run() -> bool:
        runs = map(load, journals.paths())
        return any(run and run.status == "running" and run.process["pid"] == pid for run in runs)

    if not has_run():
        return False
    os.kill(pid, signal.SIGSTOP)
    if has_run():
        return True
    os.kill(pid, signal.SIGCONT)
    return False


@pytest.mark.slow
def test_a_search_survives_the_death_of_one_of_two_processes(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_search_in_a_process, args=(str(tmp_path),)) for _ in range(2)]
    for process in processes:
        process.start()
    journals = Journals(tmp_path / "mlruns" / "journal")
    victim = processes[0]
    assert victim.pid is not None
    until(lambda: _stopped_during_a_run(journals, int(str(victim.pid))))
    os.kill(victim.pid, signal.SIGKILL)
    for process in processes:
        process.join(PATIENCE)
    assert [process.exitcode for process in processes] == [-signal.SIGKILL, 0]
    trials = Search(search_spec({"pause": 0.05}, budget=12), trial_task(tmp_path).storage).trials()
    states = Counter(trial.state for trial in trials)
    assert states == {"complete": 12, "lost": 1}, "every trial is closed"
    (lost,) = [trial for trial in trials if trial.state == "lost"]
    assert sum(trial.params == lost.params and trial.state == "complete" for trial in trials) == 1, (
        "its values are tried again"
    )
    runs = [load(path) for path in journals.paths()]
    assert Counter(run.status for run in runs if run) == {"finished": 12}, "the killed run was resumed"

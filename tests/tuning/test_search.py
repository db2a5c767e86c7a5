"""Searches: resuming, reuse, interruptions, storage."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from ablate.errors import UsageError, UserError
from ablate.journal.run_journal import Journals, load
from ablate.studies.settings import Value
from ablate.tuning.search import Search
from ablate.tuning.types import SearchStorage, Trial, best
from tests.samples.processes import PATIENCE
from tests.samples.searches import run_search, run_task, search_spec, trial_task


def params(trials: list[Trial]) -> list[dict[str, Value]]:
    return [dict(trial.params) for trial in trials]


def test_the_baseline_is_the_first_trial_and_the_optimum_is_found(tmp_path: Path) -> None:
    trials = run_search(tmp_path, search_spec(budget=20))
    assert trials[0].is_baseline
    assert trials[0].params["lr"] == 0.1
    assert Counter(trial.state for trial in trials) == {"complete": 20}
    winner = best(trials, "max")
    assert winner is not None
    assert 2e-3 < float(winner.params["lr"]) < 5e-2, "sugar is best at 0.01"  # type: ignore[arg-type]
    runs = [load(path) for path in Journals(tmp_path / "mlruns" / "journal").paths()]
    assert len(runs) == 20
    assert {run.study for run in runs if run} == {"kitchen"}
    assert {run.tags["ablate.trial"] for run in runs if run} == {str(number) for number in range(20)}
    assert winner.values[0] == next(
        run.history[-1]["val/taste"] for run in runs if run and run.name == winner.runs[0]
    ), "the last epoch's validation score"


def test_a_resumed_search_has_the_trials_of_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = run_search(tmp_path / "whole", search_spec(budget=14))
    for budget in (1, 5, 12, 14):
        stopped = run_search(tmp_path / "stopped", search_spec(budget=budget))
        assert len(stopped) == budget
    assert params(stopped) == params(whole)
    assert params(run_search(tmp_path / "whole", search_spec(budget=14))) == params(whole), "no trial is missing"
    assert params(run_search(tmp_path / "other", search_spec(budget=14, sampler_seed=1))) != params(whole)


def test_a_search_cannot_be_resumed_with_another_specification(tmp_path: Path) -> None:
    run_search(tmp_path, search_spec(budget=1))
    with pytest.raises(UsageError, match=r"another seeds.*--name"):
        run_search(tmp_path, search_spec(budget=2, seeds=(0, 1)))


def test_trials_reuse_recorded_runs(tmp_path: Path) -> None:
    first = run_search(tmp_path)
    (tmp_path / "mlruns" / "optuna" / "kitchen.log").unlink()
    again = run_search(tmp_path)
    assert params(again) == params(first)
    assert [trial.values for trial in again] == [trial.values for trial in first]
    assert all(trial.reused == 1 and trial.seconds == 0 for trial in again)
    assert len(Journals(tmp_path / "mlruns" / "journal").paths()) == 8


def test_an_interrupted_trial_comes_first_in_a_resumed_search(tmp_path: Path) -> None:
    held = Search(search_spec(), trial_task(tmp_path).storage)
    for _ in range(4):
        trial = held.begin()
        assert trial is not None
        assert trial.is_baseline, "each time the same values"
        trial.give_back()
    trials = run_search(tmp_path)
    assert Counter(trial.state for trial in trials) == {"complete": 8, "lost": 4}
    assert trials[4].is_baseline


def test_a_search_in_a_database(tmp_path: Path) -> None:
    asked = replace(trial_task(tmp_path), storage=SearchStorage(f"sqlite:///{tmp_path / 'tuning.db'}", tmp_path))
    assert len(run_task(asked)) == 8
    broken = replace(asked, storage=SearchStorage(f"sqlite:///{tmp_path / 'no' / 'tuning.db'}", tmp_path))
    with pytest.raises(UserError, match="Cannot use"):
        run_task(broken)


def _die_while_writing(folder: str) -> None:
    os.fsync = lambda _file: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]  # while Optuna holds its file
    Search(search_spec(), trial_task(Path(folder)).storage)


def test_a_process_killed_while_writing_does_not_block_others(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_die_while_writing, args=(str(tmp_path),))
    process.start()
    process.join(PATIENCE)
    assert process.exitcode == -signal.SIGKILL
    began = time.monotonic()
    assert len(run_search(tmp_path, search_spec(budget=1))) == 1
    assert time.monotonic() - began < 20, "Optuna's own lock lasts 30 seconds"


def test_a_lost_trial_is_repeated_once_if_its_closing_was_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = Search(search_spec(budget=3), trial_task(tmp_path).storage)
    trial = search.begin()
    assert trial is not None
    with monkeypatch.context() as patch:
        patch.setattr(type(search.study), "tell", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            trial.lose("its process is gone")
    trial.lose("its process is gone")
    assert Counter(one.state for one in search.trials()) == {"lost": 1, "waiting": 1}

"""Searches on a workload without torch: order, resume, reuse, pruning, failures, and processes that die."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ablate.errors import UsageError, UserError
from ablate.journal.run_journal import Journals, load
from ablate.runs.executors import Executor, ProcessExecutor, SerialExecutor
from ablate.runs.runner import RunOptions
from ablate.runs.sweep import TooManyFailures
from ablate.studies.conditions import Conditions
from ablate.studies.recipe import Recipe
from ablate.studies.settings import Value
from ablate.tuning.importances import importances
from ablate.tuning.pruning import choose_pruner
from ablate.tuning.run_search import check_baseline, run_trials
from ablate.tuning.search import Search
from ablate.tuning.space import space_of
from ablate.tuning.trials import TrialTask
from ablate.tuning.types import SearchSpec, SearchStorage, Trial, best, objectives_of, pareto
from tests.samples import tuning_toy as toy


def tuning(values: Mapping[str, Value] | None = None, **changes: Any) -> SearchSpec:
    base = Recipe.of(toy.WORKLOAD, values={"lr": 0.1, **(values or {})})
    fields = {
        "name": "kitchen", "base": base, "space": space_of(base), "seeds": (0,),
        "objectives": objectives_of(toy.WORKLOAD.validation, "toy"), "pruner": "none", "sampler_seed": 0, "budget": 8,
    }  # fmt: skip
    return SearchSpec(**{**fields, **changes})


def task(folder: Path, asked: SearchSpec | None = None) -> TrialTask:
    storage = folder / "mlruns" / "optuna" / "kitchen.log"
    return TrialTask(
        asked or tuning(),
        SearchStorage(str(storage), storage.parent),
        toy.open_data(None, None),
        Conditions("cpu", "fp32", 1),
        RunOptions(folder, "kitchen"),
        folder / "mlruns" / "journal",
    )


def run(asked: TrialTask, executor: Executor | None = None, max_failures: int | None = None) -> list[Trial]:
    """Run the trials of a search, and return all of them."""
    for _ in run_trials(asked, executor or SerialExecutor(), max_failures=max_failures):
        pass
    return Search(asked.spec, asked.storage).trials()


def search(folder: Path, asked: SearchSpec | None = None, executor: Executor | None = None) -> list[Trial]:
    return run(task(folder, asked), executor)


def params(trials: list[Trial]) -> list[dict[str, Value]]:
    return [dict(trial.params) for trial in trials]


def test_the_recipe_as_it_is_comes_first_and_the_best_is_found(tmp_path: Path) -> None:
    trials = search(tmp_path, tuning(budget=20))
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


def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = search(tmp_path / "whole", tuning(budget=14))
    for budget in (1, 5, 12, 14):
        stopped = search(tmp_path / "stopped", tuning(budget=budget))
        assert len(stopped) == budget
    assert params(stopped) == params(whole)
    assert params(search(tmp_path / "whole", tuning(budget=14))) == params(whole), "nothing is left to make"
    assert params(search(tmp_path / "other", tuning(budget=14, sampler_seed=1))) != params(whole)


def test_a_search_is_not_changed_under_its_name(tmp_path: Path) -> None:
    search(tmp_path, tuning(budget=1))
    with pytest.raises(UsageError, match=r"another seeds.*--name"):
        search(tmp_path, tuning(budget=2, seeds=(0, 1)))


def test_trials_are_answered_from_the_journals(tmp_path: Path) -> None:
    first = search(tmp_path)
    (tmp_path / "mlruns" / "optuna" / "kitchen.log").unlink()
    again = search(tmp_path)
    assert params(again) == params(first)
    assert [trial.values for trial in again] == [trial.values for trial in first]
    assert all(trial.reused == 1 and trial.seconds == 0 for trial in again)
    assert len(Journals(tmp_path / "mlruns" / "journal").paths()) == 8


def test_a_score_is_the_mean_over_seeds(tmp_path: Path) -> None:
    for trial in search(tmp_path, tuning(seeds=(3, 4, 5), budget=3)):
        assert set(trial.scores) == {3, 4, 5}
        assert trial.values[0] == pytest.approx(math.fsum(trial.scores.values()) / 3)


def test_workers_make_each_trial_once(tmp_path: Path) -> None:
    trials = search(tmp_path, tuning({"pause": 0.01}, budget=12), ProcessExecutor(3))
    assert Counter(trial.state for trial in trials) == {"complete": 12}
    assert len({str(dict(trial.params)) for trial in trials}) == 12, "no two workers draw the same"


def test_hopeless_trials_of_one_seed_are_stopped(tmp_path: Path) -> None:
    trials = search(tmp_path, tuning({"epochs": 8}, budget=20, pruner="median"))
    stopped = [trial for trial in trials if trial.state == "pruned"]
    assert stopped
    assert all(trial.number >= 5 and 4 <= trial.epochs < 8 and trial.saved == 8 - trial.epochs for trial in stopped)
    assert trials[0].state == "complete"
    journals = Journals(tmp_path / "mlruns" / "journal")
    runs = [load(journals.path(trial.runs[0])) for trial in stopped]
    assert {run.status for run in runs if run} == {"pruned"}
    whole = search(tmp_path, tuning({"epochs": 8}, name="whole", budget=20))
    assert len({trial.runs[0] for trial in whole} & {trial.runs[0] for trial in stopped}) == 0, "no result"


def test_seeds_are_not_wasted_on_a_trial_that_is_worse_on_each(tmp_path: Path) -> None:
    trials = search(tmp_path, tuning(seeds=tuple(range(8)), budget=12, pruner="wilcoxon"))
    stopped = [trial for trial in trials if trial.state == "pruned"]
    assert stopped
    assert all(4 <= len(trial.scores) < 8 and trial.saved == 4 * (8 - len(trial.scores)) for trial in stopped)
    winner = best(trials, "max")
    assert winner is not None
    assert len(winner.scores) == 8


@pytest.mark.parametrize(
    ("asked", "seeds", "objectives", "chosen"),
    [
        (None, 1, 1, "median"),
        ("hyperband", 1, 1, "hyperband"),
        (None, 2, 1, "none"),
        (None, 4, 1, "none"),
        (None, 5, 1, "wilcoxon"),
        (None, 1, 2, "none"),
        ("none", 9, 1, "none"),
        ("median", 2, 1, None),
        ("wilcoxon", 4, 1, None),
        ("wilcoxon", 5, 2, None),
        ("guess", 1, 1, None),
    ],
)
def test_pruning_only_where_it_is_sound(asked: str | None, seeds: int, objectives: int, chosen: str | None) -> None:
    if chosen is None:
        with pytest.raises(UsageError):
            choose_pruner(asked, seeds, objectives, epochs=8, is_fixed=True)
    else:
        assert choose_pruner(asked, seeds, objectives, epochs=8, is_fixed=True) == chosen
    assert choose_pruner(None, 1, 1, epochs=8, is_fixed=False) == "none"


@pytest.mark.slow
def test_hyperband_runs(tmp_path: Path) -> None:
    trials = search(tmp_path, tuning({"epochs": 9}, budget=20, pruner="hyperband"))
    assert "pruned" in {trial.state for trial in trials}


def test_a_rate_that_diverges_counts_at_the_floor(tmp_path: Path) -> None:
    trials = search(tmp_path, tuning({"breaks_above": 0.05}, budget=8))
    diverged = [trial for trial in trials if float(trial.params["lr"]) > 0.05]  # type: ignore[arg-type]
    assert diverged[0].is_baseline
    assert all(trial.state == "complete" and trial.values == (0.1,) for trial in diverged)


def test_several_objectives_have_a_front(tmp_path: Path) -> None:
    base = Recipe.of(toy.WORKLOAD)
    asked = tuning(
        base=base, space=space_of(base, ["lr", "width=1:64"]), budget=15,
        objectives=objectives_of(toy.WORKLOAD.validation, "toy", ["taste", "parameters"]),
    )  # fmt: skip
    trials = search(tmp_path, asked)
    front = pareto(trials, ["max", "min"])
    assert front
    for trial in trials:
        mine = trial.values
        beaten = any(one.values[0] >= mine[0] and one.values[1] <= mine[1] and one.values != mine
                     for one in trials)  # fmt: skip
        assert beaten == (trial not in front)


def test_importances_name_what_matters(tmp_path: Path) -> None:
    search(tmp_path, tuning(budget=16))
    found = importances(Search(tuning(budget=16), task(tmp_path).storage))
    assert set(found) == {"PED-ANOVA", "fANOVA"}
    assert max(found["fANOVA"], key=lambda name: found["fANOVA"][name]) == "lr"
    assert all(sum(shares.values()) == pytest.approx(1) and min(shares.values()) >= 0 for shares in found.values())
    assert importances(Search(tuning(name="empty"), task(tmp_path).storage)) == {}


def test_workers_that_die_end_the_search_and_leave_nothing_running(tmp_path: Path) -> None:
    asked = tuning({"dies": 1}, budget=8)
    with pytest.raises(TooManyFailures, match="SIGKILL"):
        run(task(tmp_path, asked), ProcessExecutor(2), max_failures=4)
    time.sleep(0.1)
    held = Search(asked, task(tmp_path).storage)
    held.close_lost()
    states = Counter(trial.state for trial in held.trials())
    assert "running" not in states
    assert states["lost"] + states["failed"] >= 4
    with pytest.raises(UserError, match="baseline trial of search kitchen has no result"):
        check_baseline(held.trials(), "kitchen")


def test_time_is_up(tmp_path: Path) -> None:
    late = replace(task(tmp_path), deadline=time.time() - 1)
    assert [trial.state for trial in run(late)] == ["waiting"]


def _search_in_a_process(folder: str) -> None:
    search(Path(folder), tuning({"pause": 0.05}, budget=12))


def test_two_processes_on_one_search_one_of_them_killed(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_search_in_a_process, args=(str(tmp_path),)) for _ in range(2)]
    for process in processes:
        process.start()
    journals = Journals(tmp_path / "mlruns" / "journal")
    victim = processes[0]
    deadline = time.monotonic() + 60
    while not any(run and run.status == "running" and run.process["pid"] == victim.pid
                  for run in map(load, journals.paths())):  # fmt: skip
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert victim.pid is not None
    os.kill(victim.pid, signal.SIGKILL)
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [-signal.SIGKILL, 0]
    trials = Search(tuning({"pause": 0.05}, budget=12), task(tmp_path).storage).trials()
    states = Counter(trial.state for trial in trials)
    assert states == {"complete": 12, "lost": 1}, "all trials accounted for, none stuck"
    (lost,) = [trial for trial in trials if trial.state == "lost"]
    assert sum(trial.params == lost.params and trial.state == "complete" for trial in trials) == 1, "and tried again"
    runs = [load(path) for path in journals.paths()]
    assert Counter(run.status for run in runs if run) == {"finished": 12}, "the killed run went on"


def _die_while_writing(folder: str) -> None:
    os.fsync = lambda _file: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]  # while Optuna holds its file
    Search(tuning(), task(Path(folder)).storage)


def test_a_process_that_is_killed_while_it_writes_holds_nobody_up(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_die_while_writing, args=(str(tmp_path),))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    began = time.monotonic()
    assert len(search(tmp_path, tuning(budget=1))) == 1
    assert time.monotonic() - began < 20, "Optuna's own lock is broken open after 30 seconds"


def test_an_interrupted_trial_comes_first_when_the_search_goes_on(tmp_path: Path) -> None:
    held = Search(tuning(), task(tmp_path).storage)
    for _ in range(4):
        trial = held.begin()
        assert trial is not None
        assert trial.is_baseline, "each time the same again"
        trial.give_back()
    trials = search(tmp_path)
    assert Counter(trial.state for trial in trials) == {"complete": 8, "lost": 4}
    assert trials[4].is_baseline


def test_a_database_keeps_a_search_too(tmp_path: Path) -> None:
    asked = replace(task(tmp_path), storage=SearchStorage(f"sqlite:///{tmp_path / 'tuning.db'}", tmp_path))
    assert len(run(asked)) == 8
    broken = replace(asked, storage=SearchStorage(f"sqlite:///{tmp_path / 'no' / 'tuning.db'}", tmp_path))
    with pytest.raises(UserError, match="Cannot use"):
        run(broken)

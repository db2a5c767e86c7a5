"""Sweeps: what is reused, what is run, what dead workers cost, and what another process is running."""

from __future__ import annotations

import multiprocessing
import statistics
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from ablate.data import ImageSource
from ablate.errors import UsageError
from ablate.journal.run_journal import Journals, Run
from ablate.runs.executors import Executor, ProcessExecutor, SerialExecutor, make_executor
from ablate.runs.forecast import forecast, sensitivity, similar
from ablate.runs.runner import RunOptions
from ablate.runs.sweep import (
    PlannedRun,
    RunEnded,
    RunEvent,
    RunInProgress,
    RunLost,
    RunTask,
    TooManyFailures,
    plan_runs,
    run_tasks,
)
from ablate.runs.until_clear import InterimDecision, SequentialTest
from ablate.studies.conditions import Conditions
from ablate.studies.job import Job
from ablate.studies.study import Study
from ablate.workloads.dispatch import open_data
from tests.samples import toy

CONDITIONS = Conditions("cpu", "fp32", 1)


def study(**values: object) -> Study:
    return Study(**{"workload": toy.WORKLOAD, "seeds": 2, "name": "kitchen", **values})  # type: ignore[arg-type]


class Ended:
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
    return plan_runs(asked.recipes(), toy.open_data(None, None), CONDITIONS, journals)


def sweep(asked: Study, folder: Path, executor: Executor | None = None, **limits: int) -> Ended:
    journals = Journals(folder / "mlruns" / "journal")
    tasks = [
        RunTask(entry.job, journals.folder, RunOptions(folder, asked.name))
        for entry in planned(asked, journals)
        if not entry.is_done
    ]
    return Ended(run_tasks(tasks, executor or SerialExecutor(), **limits))


def test_every_planned_run_is_made_once_seed_by_seed(tmp_path: Path) -> None:
    ended = sweep(study(), tmp_path)
    order = [(run.variant, run.seed) for run, _ in ended.runs]
    arms = ["baseline", "no-sugar", "no-salt", "no-luck"]
    assert order == [(arm, seed) for seed in (0, 1) for arm in arms]
    assert all(is_new for _, is_new in ended.runs)
    assert not sweep(study(), tmp_path).runs, "nothing finished is repeated"


def test_more_seeds_and_arms_run_only_what_is_missing(tmp_path: Path) -> None:
    sweep(study(factors=["sugar"]), tmp_path)
    more = sweep(study(seeds=3), tmp_path)
    assert Counter(run.variant for run, _ in more.runs) == {"baseline": 1, "no-sugar": 1, "no-salt": 3, "no-luck": 3}
    others = sweep(study(design="factorial", seeds=[1]), tmp_path)
    assert len(others.runs) == 8 - 4


def test_the_seed_is_shared_by_the_arms(tmp_path: Path) -> None:
    taste = {(run.variant, run.seed): run.metrics["taste"] for run, _ in sweep(study(seeds=4), tmp_path).runs}
    for seed in range(4):
        assert taste["baseline", seed] - taste["no-sugar", seed] == pytest.approx(0.10)
    assert statistics.stdev(taste["baseline", seed] for seed in range(4)) > 0


def test_failures_are_kept_and_not_retried(tmp_path: Path) -> None:
    unlucky = study(values={"without_luck": "error"})
    ended = sweep(unlucky, tmp_path, ProcessExecutor(2))
    assert ended.statuses == {"finished": 6, "failed": 2}
    entries = planned(unlucky, Journals(tmp_path / "mlruns" / "journal"))
    assert sum(entry.has_failed for entry in entries) == 2
    assert sum(entry.is_done for entry in entries) == 6


def test_a_sweep_that_fails_at_everything_stops(tmp_path: Path) -> None:
    hopeless = study(values={"without_luck": "error"}, off=["luck"], factors=["sugar", "salt"], seeds=5)
    with pytest.raises(TooManyFailures):
        sweep(hopeless, tmp_path, max_failures=2)
    assert len(Journals(tmp_path / "mlruns" / "journal").paths()) == 2


def test_a_dead_worker_costs_its_run_only_and_it_is_tried_once_more(tmp_path: Path) -> None:
    ended = sweep(study(values={"without_luck": "kill once"}), tmp_path, ProcessExecutor(2))
    assert ended.statuses == {"finished": 8}
    assert len(ended.lost) == 2
    assert "SIGKILL" in ended.lost[0]
    paths = Journals(tmp_path / "mlruns" / "journal").paths()
    assert len(paths) == 8, "the second try goes on with the first one's journal"


def test_a_worker_that_dies_twice_is_reported(tmp_path: Path) -> None:
    ended = sweep(study(values={"without_luck": "kill"}, seeds=1), tmp_path, ProcessExecutor(2))
    assert ended.statuses == {"finished": 3, "failed": 1}
    failed = next(run for run, _ in ended.runs if run.status == "failed")
    assert "SIGKILL" in str(failed.error)


@pytest.mark.parametrize("name", ["processes", pytest.param("ray", marks=pytest.mark.slow)])  # ray: 20 s of starting
def test_another_executor_gives_the_same_history(name: str, tmp_path: Path) -> None:
    """A real training of one recipe at one thread, in a worker as in this process."""
    asked = Study(preset="demo", factors=["dropout"], seeds=1, values={"epochs": 2, "width": 2}, name="same")
    data = open_data(asked.baseline, ImageSource("digits"))
    here, there = (
        Ended(run_tasks([RunTask(Job(asked.baseline, data, CONDITIONS), folder, RunOptions(tmp_path))], executor))
        for folder, executor in (
            (tmp_path / "here", SerialExecutor()),
            (tmp_path / "there", make_executor(name, 2)),
        )
    )
    (one, _), (other, _) = *here.runs, *there.runs
    assert one.metrics["test/loss"] == other.metrics["test/loss"]
    assert one.params["weights_digest"] == other.params["weights_digest"]
    assert [row["train/loss"] for row in one.history[1:]] == [row["train/loss"] for row in other.history[1:]]


def _sweep_in_a_process(folder: str, queue: multiprocessing.Queue[tuple[list[str], int]]) -> None:
    ended = sweep(study(values={"pause": 0.02}), Path(folder))
    queue.put(([run.name for run, is_new in ended.runs if is_new], len(ended.claimed)))


def test_sweeps_at_the_same_time_do_not_run_a_recipe_twice(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    queue: multiprocessing.Queue[tuple[list[str], int]] = context.Queue()
    processes = [context.Process(target=_sweep_in_a_process, args=(str(tmp_path), queue)) for _ in range(4)]
    for process in processes:
        process.start()
    answers = [queue.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    made = [name for names, _ in answers for name in names]
    assert len(made) == len(set(made)) == 8
    assert len(Journals(tmp_path / "mlruns" / "journal").paths()) == 8


def until_clear(asked: Study, folder: Path) -> tuple[list[InterimDecision], int, int]:
    journals = Journals(folder / "mlruns" / "journal")
    made: list[Run] = []
    decisions: list[InterimDecision] = []
    test = SequentialTest(asked, 0.1)
    jobs = {(entry.job.recipe.label, entry.job.recipe.seed): entry.job for entry in planned(asked, journals)}
    while not test.is_done:
        tasks = [RunTask(jobs[pair], journals.folder, RunOptions(folder)) for pair in test.missing_runs(made)]
        made += [run for run, _ in Ended(run_tasks(tasks, SerialExecutor())).runs]
        decisions.append(test.analyse(made))
    return decisions, len(made), test.runs_saved


def test_what_is_clear_gets_no_more_seeds(tmp_path: Path) -> None:
    decisions, made, saved = until_clear(study(seeds=20), tmp_path)
    assert decisions[0].seeds == 5
    assert decisions[0].settled["sugar"] == "clear and important loss"
    assert made + saved == 80
    assert made == 4 * 5, "noise is shared by the arms, so every difference is exact: all is clear at the first look"


def test_until_clear_is_for_planned_pairs_only(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="leave-one-out and add-one-in"):
        until_clear(study(design="factorial", seeds=20), tmp_path)


def test_a_forecast_from_earlier_runs(tmp_path: Path) -> None:
    journals = Journals(tmp_path / "mlruns" / "journal")
    assert forecast(planned(study(), journals), journals, 2) is None, "no earlier runs, and the workload has no pilot"
    guess = sensitivity(study(seeds=5), planned(study(), journals), journals)
    assert guess is not None
    assert "an assumption" in guess.basis
    sweep(study(seeds=4), tmp_path)
    entries = planned(study(seeds=6), journals)
    ahead = forecast(entries, journals, 2)
    assert ahead is not None
    assert ahead.missing == 8
    assert ahead.seconds == pytest.approx(4 * ahead.seconds_each)
    power = sensitivity(study(seeds=6), entries, journals)
    assert power is not None
    assert power.basis == "4 earlier runs of the baseline"
    assert len(similar(entries[0].job, journals)) == 16
    assert similar(Job(entries[0].job.recipe.change({"epochs": 3}), entries[0].job.data, CONDITIONS), journals) == []

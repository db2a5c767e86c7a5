"""Sweeps: planning, reuse, failures, lost workers, concurrent sweeps."""

from __future__ import annotations

import multiprocessing
import statistics
from collections import Counter
from pathlib import Path

import pytest

from ablate.data import ImageSource
from ablate.journal.run_journal import Journals
from ablate.runs.executors import ProcessExecutor, SerialExecutor, make_executor
from ablate.runs.runner import RunOptions
from ablate.runs.sweep import (
    RunTask,
    TooManyFailures,
    run_tasks,
)
from ablate.studies.job import Job
from ablate.studies.study import Study
from ablate.workloads.dispatch import open_data
from tests.samples.processes import PATIENCE
from tests.samples.sweeps import CONDITIONS, Events, planned, study, sweep


def test_each_planned_run_is_made_once_ordered_by_seed(tmp_path: Path) -> None:
    events = sweep(study(), tmp_path)
    order = [(run.variant, run.seed) for run, _ in events.runs]
    arms = ["baseline", "no-sugar", "no-salt", "no-luck"]
    assert order == [(arm, seed) for seed in (0, 1) for arm in arms]
    assert all(is_new for _, is_new in events.runs)
    assert not sweep(study(), tmp_path).runs, "finished runs are reused"


def test_more_seeds_and_variants_make_missing_runs_only(tmp_path: Path) -> None:
    sweep(study(factors=["sugar"]), tmp_path)
    more = sweep(study(seeds=3), tmp_path)
    assert Counter(run.variant for run, _ in more.runs) == {"baseline": 1, "no-sugar": 1, "no-salt": 3, "no-luck": 3}
    others = sweep(study(design="factorial", seeds=[1]), tmp_path)
    assert len(others.runs) == 8 - 4


def test_variants_share_seeds(tmp_path: Path) -> None:
    taste = {(run.variant, run.seed): run.metrics["taste"] for run, _ in sweep(study(seeds=4), tmp_path).runs}
    for seed in range(4):
        assert taste["baseline", seed] - taste["no-sugar", seed] == pytest.approx(0.10)
    assert statistics.stdev(taste["baseline", seed] for seed in range(4)) > 0


def test_failed_runs_are_kept_and_not_repeated(tmp_path: Path) -> None:
    unlucky = study(values={"without_luck": "error"})
    events = sweep(unlucky, tmp_path, ProcessExecutor(2))
    assert events.statuses == {"finished": 6, "failed": 2}
    entries = planned(unlucky, Journals(tmp_path / "mlruns" / "journal"))
    assert sum(entry.has_failed for entry in entries) == 2
    assert sum(entry.is_done for entry in entries) == 6


def test_a_sweep_stops_after_too_many_failures(tmp_path: Path) -> None:
    hopeless = study(values={"without_luck": "error"}, off=["luck"], factors=["sugar", "salt"], seeds=5)
    with pytest.raises(TooManyFailures):
        sweep(hopeless, tmp_path, max_failures=2)
    assert len(Journals(tmp_path / "mlruns" / "journal").paths()) == 2


def test_the_run_of_a_dead_worker_is_tried_a_second_time(tmp_path: Path) -> None:
    events = sweep(study(values={"without_luck": "kill once"}), tmp_path, ProcessExecutor(2))
    assert events.statuses == {"finished": 8}
    assert len(events.lost) == 2
    assert "SIGKILL" in events.lost[0]
    paths = Journals(tmp_path / "mlruns" / "journal").paths()
    assert len(paths) == 8, "the second attempt resumes the journal of the first"


def test_a_run_whose_worker_dies_twice_has_failed(tmp_path: Path) -> None:
    events = sweep(study(values={"without_luck": "kill"}, seeds=1), tmp_path, ProcessExecutor(2))
    assert events.statuses == {"finished": 3, "failed": 1}
    failed = next(run for run, _ in events.runs if run.status == "failed")
    assert "SIGKILL" in str(failed.error)


@pytest.mark.parametrize("name", ["processes", pytest.param("ray", marks=pytest.mark.slow)])  # ray: 20 s of starting
def test_executors_give_the_same_history(name: str, tmp_path: Path) -> None:
    """Train one recipe with one thread, in a worker and in this process."""
    asked = Study(preset="demo", factors=["dropout"], seeds=1, values={"epochs": 2, "width": 2}, name="same")
    data = open_data(asked.baseline, ImageSource("digits"))
    here, there = (
        Events(run_tasks([RunTask(Job(asked.baseline, data, CONDITIONS), folder, RunOptions(tmp_path))], executor))
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
    events = sweep(study(values={"pause": 0.02}), Path(folder))
    queue.put(([run.name for run, is_new in events.runs if is_new], len(events.claimed)))


def test_concurrent_sweeps_make_each_run_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    queue: multiprocessing.Queue[tuple[list[str], int]] = context.Queue()
    processes = [context.Process(target=_sweep_in_a_process, args=(str(tmp_path), queue)) for _ in range(4)]
    for process in processes:
        process.start()
    answers = [queue.get(timeout=PATIENCE) for _ in processes]
    for process in processes:
        process.join()
    made = [name for names, _ in answers for name in names]
    assert len(made) == len(set(made)) == 8
    assert len(Journals(tmp_path / "mlruns" / "journal").paths()) == 8

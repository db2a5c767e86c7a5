"""From planned recipes to runs: what is there is reused, what is missing is run, whatever is interrupted goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from ablate.errors import UserError
from ablate.journal.run_journal import Journal, Journals, Run, load
from ablate.runs.executors import Executor, Lost
from ablate.runs.run_log import Watcher
from ablate.runs.runner import Purpose, comparable, make
from ablate.studies.conditions import Conditions
from ablate.studies.job import Data, Job
from ablate.studies.recipe import Recipe


@dataclass(frozen=True)
class Planned:
    """One planned run and the newest attempt at it, if there is one that counts under the conditions."""

    job: Job
    run: Run | None = None

    @property
    def is_done(self) -> bool:
        """Whether there is a result, which is never repeated."""
        return self.run is not None and self.run.is_result

    @property
    def has_failed(self) -> bool:
        """Whether the newest attempt failed; it is repeated only when asked for."""
        return self.run is not None and self.run.status in ("failed", "out_of_memory")


def plan(
    recipes: Iterable[Recipe], data: Data, conditions: Conditions, journals: Journals, *, mix: bool = False
) -> list[Planned]:
    """Return every recipe as a planned run, with what the journals hold for it."""
    attempts = journals.index()
    jobs = [Job(recipe, data, conditions) for recipe in recipes]
    return [Planned(job, _newest(attempts.get((job.recipe.key, data.fingerprint), ()), job, mix)) for job in jobs]


def _newest(attempts: Sequence[Path], job: Job, mix: bool) -> Run | None:
    """Return the newest result, or else the newest attempt, made under comparable conditions."""
    runs = [run for path in attempts if (run := load(path)) and (mix or comparable(run.conditions, job.conditions))]
    found = [run for run in runs if run.is_result] or runs
    return found[-1] if found else None


@dataclass(frozen=True)
class Task:
    """What a worker is handed."""

    job: Job
    journals: Path
    purpose: Purpose
    wait: bool = False


@dataclass(frozen=True)
class Claimed:
    """Another process runs the recipe just now; `holder` says which."""

    holder: str


class _Nobody:
    """Watches nothing: the journal tells all."""

    def started(self, journal: Path) -> None:
        """Ignore it."""

    def progress(self, done: int, total: int) -> None:
        """Ignore it."""

    def recorded(self, step: int, metrics: Mapping[str, float]) -> None:
        """Ignore it."""


def perform(task: Task) -> tuple[Run, bool] | Claimed:
    """Make the run of a task, in a worker: the run, and whether it was made just now."""
    watcher: Watcher = _Nobody()
    journals = Journals(task.journals)
    key, data = task.job.recipe.key, task.job.data.fingerprint
    if not task.wait and journals.is_locked(key, data):
        return Claimed(journals.lock_owner(key, data))
    return make(task.job, journals, task.purpose, watcher)


@dataclass(frozen=True)
class Progress:
    """Who is told of a sweep.

    `ended` when there is a run (and whether it is new), `lost` when a worker died (and how), `claimed` when another
    process has the recipe (and which).
    """

    ended: Callable[[Job, Run, bool], None]
    lost: Callable[[Job, str], None]
    claimed: Callable[[Job, str], None]


class TooManyFailures(Exception):  # noqa: N818  # it ends a sweep; the failures themselves are recorded
    """As many runs failed as the sweep may bear."""


def carry_out(
    tasks: Sequence[Task], executor: Executor, progress: Progress, *, max_failures: int | None = None
) -> None:
    """Run every task. What another process runs is left for last; what a dead worker had is tried once more.

    Raises TooManyFailures as soon as `max_failures` runs have failed.
    """
    failures = 0
    waiting: list[Task] = []
    lost: list[Task] = []
    for round_tasks, is_last in ((tasks, False), (waiting, False), (lost, True)):
        if not round_tasks:
            continue
        with closing(executor.results(perform, list(round_tasks))) as outcomes:  # whatever happens, workers end here
            for task, outcome in outcomes:
                if isinstance(outcome, Claimed):
                    waiting.append(replace(task, wait=True))
                    progress.claimed(task.job, outcome.holder)
                elif isinstance(outcome, Lost) and not is_last:
                    lost.append(replace(task, wait=True))
                    progress.lost(task.job, outcome.reason)
                else:
                    run, is_new = (_give_up(task, outcome), True) if isinstance(outcome, Lost) else outcome
                    progress.ended(task.job, run, is_new)
                    failures += not run.is_result
                    if failures == max_failures:
                        raise TooManyFailures


def _give_up(task: Task, lost: Lost) -> Run:
    """Close the journal of a run whose worker died twice."""
    key, data = task.job.recipe.key, task.job.data.fingerprint
    journals = Journals(task.journals)
    attempts = journals.attempts(key, data)
    if not attempts:
        raise UserError(f"a worker died before its run began: {lost.reason}")
    with journals.lock(key, data), Journal(attempts[-1]) as journal:
        journal.write("end", status="failed", error=lost.reason)
    run = load(journal.path)
    assert run is not None
    return run

"""Plan the runs of a study, reuse finished runs, and make the others with an executor."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ablate.errors import UserError
from ablate.journal.run_journal import Journal, Journals, Run, load
from ablate.runs.executors import Executor, WorkerLost
from ablate.runs.runner import RunOptions, is_comparable, make_run
from ablate.studies.conditions import Conditions
from ablate.studies.job import Data, Job, TrainingLost
from ablate.studies.recipe import Recipe


@dataclass(frozen=True)
class PlannedRun:
    """A planned run, and its newest attempt under comparable conditions, if any."""

    job: Job
    run: Run | None = None

    @property
    def is_done(self) -> bool:
        """Whether the run has a result. Results are reused."""
        return self.run is not None and self.run.is_result

    @property
    def has_failed(self) -> bool:
        """Whether the newest attempt failed. Failed runs are repeated on request only."""
        return self.run is not None and self.run.status in ("failed", "out_of_memory")


def plan_runs(
    recipes: Iterable[Recipe], data: Data, conditions: Conditions, journals: Journals, *, mix: bool = False
) -> list[PlannedRun]:
    """Return a planned run for each recipe, with its newest attempt in the journals. Damaged ones are skipped."""
    attempts = journals.index()
    jobs = [Job(recipe, data, conditions) for recipe in recipes]
    return [
        PlannedRun(job, _newest(map(journals.read, attempts.get((job.recipe.key, data.fingerprint), ())), job, mix))
        for job in jobs
    ]


def _newest(attempts: Iterable[Run | None], job: Job, mix: bool) -> Run | None:
    """Return the newest result, or else the newest attempt, under comparable conditions."""
    runs = [run for run in attempts if run and (mix or is_comparable(run.conditions, job.conditions))]
    found = [run for run in runs if run.is_result] or runs
    return found[-1] if found else None


@dataclass(frozen=True)
class RunTask:
    """One run to make in a worker. With `wait`, the worker waits if another process is making the run."""

    job: Job
    journals: Path
    options: RunOptions
    wait: bool = False

    @property
    def identity(self) -> str:
        """The same for the same run in each command. Empty for a run that waits for another process."""
        job, conditions = self.job, asdict(self.job.conditions)
        facts = [job.recipe.key, job.data.fingerprint, conditions, job.keep_weights, self.options.again]
        return "" if self.wait else json.dumps(facts)

    @property
    def title(self) -> str:
        """The name of the run."""
        return self.job.recipe.title


@dataclass(frozen=True)
class RunEnded:
    """A run ended. It is new, or another process made it."""

    run: Run
    is_new: bool


@dataclass(frozen=True)
class RunInProgress:
    """Another process, the `owner`, is making the run of `job`."""

    job: Job
    owner: str


@dataclass(frozen=True)
class RunLost:
    """The worker that was making the run of `job` died. The run is tried a second time."""

    job: Job
    reason: str


RunEvent = RunEnded | RunInProgress | RunLost


class TooManyFailures(Exception):  # noqa: N818  # it ends a sweep or a search; each failure is recorded by itself
    """The limit of failures was reached; the message is that of the last failure."""


def run_tasks(tasks: Sequence[RunTask], executor: Executor, *, max_failures: int | None = None) -> Generator[RunEvent]:
    """Make the run of each task, and yield events as runs end.

    Runs that another process is making come last. Runs of dead workers are tried a second time. Close the generator to
    end the workers.

    Raises:
        TooManyFailures: After `max_failures` failed runs.
    """
    failures = 0
    in_progress: list[RunTask] = []
    lost: list[RunTask] = []
    for round_tasks, is_last in ((tasks, False), (in_progress, False), (lost, True)):
        if not round_tasks:
            continue
        with closing(executor.results(run_task, list(round_tasks))) as results:
            for task, result in results:
                event: RunEvent
                if isinstance(result, WorkerLost) and not is_last:
                    lost.append(replace(task, wait=True))
                    event = RunLost(task.job, result.reason)
                elif isinstance(result, WorkerLost):
                    event = RunEnded(_close_lost_run(task, result), is_new=True)
                else:
                    event = result
                if isinstance(event, RunInProgress):
                    in_progress.append(replace(task, wait=True))
                yield event
                if isinstance(event, RunEnded) and not event.run.is_result:
                    failures += 1
                    if failures == max_failures:
                        raise TooManyFailures(event.run.error)


def run_task(task: RunTask) -> RunEnded | RunInProgress | WorkerLost:
    """Make the run of a task, in a worker. Return WorkerLost if the process of the training died."""
    journals = Journals(task.journals)
    key, data = task.job.recipe.key, task.job.data.fingerprint
    if not task.wait and journals.is_locked(key, data):
        return RunInProgress(task.job, journals.lock_owner(key, data))
    try:
        run, is_new = make_run(task.job, journals, task.options)
    except TrainingLost as reason:
        return WorkerLost(str(reason))
    return RunEnded(run, is_new)


def _close_lost_run(task: RunTask, lost: WorkerLost) -> Run:
    """Record the run of a worker that died twice as failed."""
    key, data = task.job.recipe.key, task.job.data.fingerprint
    journals = Journals(task.journals)
    attempts = [path for path in journals.attempts(key, data) if journals.read(path)]
    if not attempts:
        raise UserError(f"A worker died before its run started: {lost.reason}")
    with journals.lock(key, data), Journal(attempts[-1]) as journal:
        journal.write("end", status="failed", error=lost.reason)
    run = load(journal.path)
    assert run is not None
    return run

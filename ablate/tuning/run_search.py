"""Run the trials of a search with an executor."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from uuid import uuid4

from ablate.errors import UserError
from ablate.runs.executors import Executor, WorkerLost
from ablate.runs.sweep import TooManyFailures
from ablate.tuning.search import Search
from ablate.tuning.trials import TrialTask, make_trial
from ablate.tuning.types import Trial

POLL_INTERVAL = 0.5
"""Seconds between two checks of trials that other processes are running."""


@dataclass(frozen=True)
class TrialEnded:
    """A trial of this command ended."""

    trial: Trial


@dataclass(frozen=True)
class TrialLost:
    """The worker of a trial died. The trial's values are tried again."""

    reason: str


@dataclass(frozen=True)
class TrialsAwaited:
    """The remaining trials are running in other processes."""

    trials: Sequence[Trial]


TrialEvent = TrialEnded | TrialLost | TrialsAwaited


def run_trials(
    task: TrialTask, executor: Executor, *, max_failures: int | None = None
) -> Generator[TrialEvent, None, None]:
    """Run the missing trials of a search, wait for those of other processes, and yield events as trials end.

    Trials of dead processes are repeated. Close the generator to end the workers.

    Raises:
        TooManyFailures: After `max_failures` trials of this command that failed or were lost.
    """
    search = Search(task.spec, task.storage)
    task = replace(task, batch=uuid4().hex)
    failures, is_announced = 0, False
    while True:
        search.close_lost()
        is_late = time.time() > task.deadline
        if search.missing > 0 and not is_late:
            with closing(executor.results(make_trial, [task] * search.missing)) as results:
                for _, result in results:
                    if result is None:  # the budget was exhausted meanwhile
                        continue
                    yield TrialLost(result.reason) if isinstance(result, WorkerLost) else TrialEnded(result)
                    error = _failure(result)
                    failures += error is not None
                    if error is not None and failures == max_failures:
                        search.close_lost()
                        raise TooManyFailures(error)
            continue
        running = [trial for trial in search.trials() if trial.state == "running"]
        if not running or is_late:
            return
        if not is_announced:
            yield TrialsAwaited(running)
            is_announced = True
        time.sleep(POLL_INTERVAL)


def _failure(result: Trial | WorkerLost) -> str | None:
    """Return the error of a lost or failed trial."""
    if isinstance(result, WorkerLost):
        return result.reason
    return result.error if result.state == "failed" else None


def check_baseline(trials: Sequence[Trial], name: str) -> Trial:
    """Return the baseline's trial. Raises UserError if it has no score."""
    found = [trial for trial in trials if trial.is_baseline and trial.state == "complete"]
    if not found:
        reasons = [trial.error for trial in trials if trial.is_baseline and trial.error]
        reason = f": {reasons[-1]}" if reasons else ""
        raise UserError(f"The baseline trial of search {name} has no result{reason}")
    return found[0]

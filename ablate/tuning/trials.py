"""Making trials: in a worker, one ticket after the other; the runs are ordinary runs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from uuid import uuid4

from ablate.errors import UserError
from ablate.journal.run_journal import Journals, Run
from ablate.runs.executors import Executor, Lost
from ablate.runs.interrupts import Terminated
from ablate.runs.run_log import Pruned
from ablate.runs.runner import Purpose, make
from ablate.studies.conditions import Conditions
from ablate.studies.job import Data, Job
from ablate.tuning.search import Attempt, Search, prunes_over_epochs
from ablate.tuning.types import Place, Trial, Tuning

PATIENCE = 0.5
"""Seconds between two looks at trials that other processes make."""


@dataclass(frozen=True)
class Ticket:
    """The right to make one trial of a search, if there is one left to make before `deadline` (seconds since 1970).

    `round` names the command that gave it out.
    """

    tuning: Tuning
    place: Place
    data: Data
    conditions: Conditions
    purpose: Purpose
    journals: Path
    deadline: float = math.inf
    round: str = ""

    @property
    def floor(self) -> float | None:
        """What a run that diverged counts as: what guessing scores, where the validation metric is of that kind."""
        workload = self.tuning.base.workload
        kinds = {(metric.goal, metric.unit) for metric in (workload.metric, workload.validation) if metric}
        return self.data.floor if len(kinds) == 1 else None

    def job(self, trial: Trial | Attempt, seed: int) -> Job:
        """Return the run of a trial under a seed."""
        values = trial.values if isinstance(trial, Attempt) else trial.params
        return Job(self.tuning.recipe(values, seed), self.data, self.conditions)


class Follow:
    """The watcher of a trial's run: signs of life, and the pruner's word after each epoch."""

    def __init__(self, attempt: Attempt, tuning: Tuning) -> None:
        self._attempt, self._tuning = attempt, tuning

    def started(self, journal: Path) -> None:
        """Nothing is to be done: whoever gave out the ticket follows the journals."""

    def progress(self, done: int, total: int) -> None:  # noqa: ARG002  # the watcher's signature
        """Give a sign of life."""
        self._attempt.beat()

    def recorded(self, step: int, metrics: Mapping[str, float]) -> None:
        """Pass on the score of an epoch, and end the run where the pruner has seen enough."""
        score = metrics.get(self._tuning.objectives[0].tracked, math.nan)
        if not prunes_over_epochs(self._tuning) or step == 0 or not math.isfinite(score):
            return
        self._attempt.report(score, step)
        if step < (self._tuning.epochs or 0) and self._attempt.is_hopeless():
            raise Pruned(f"stopped after epoch {step} by the {self._tuning.pruner} pruner")


_OPENED: dict[str, Search] = {}
"""The search that this process has open: a worker keeps it from a trial to the next."""


def make_trial(ticket: Ticket) -> Trial | None:
    """Make the next trial of a search, or nothing when there is none left or the time is up."""
    if time.time() > ticket.deadline:
        return None
    if ticket.round not in _OPENED:
        _OPENED.clear()
        _OPENED[ticket.round] = Search(ticket.tuning, ticket.place)
    search = _OPENED[ticket.round]
    attempt = search.begin()
    if attempt is None:
        return None
    try:
        _make_runs(attempt, ticket)
    except (KeyboardInterrupt, Terminated):
        attempt.give_back()
        raise
    except Exception as error:
        attempt.fail(f"{type(error).__name__}: {error}")
        raise
    return search.trials()[attempt.number]


def _make_runs(attempt: Attempt, ticket: Ticket) -> None:
    tuning, journals = ticket.tuning, Journals(ticket.journals)
    tags = {**ticket.purpose.tags, "ablate.tuning": tuning.name, "ablate.trial": str(attempt.number)}
    purpose = replace(ticket.purpose, tags=tags)
    runs: dict[int, Run] = {}
    made: list[Run] = []
    for place, seed in enumerate(tuning.seeds):
        run, is_new = make(ticket.job(attempt, seed), journals, purpose, Follow(attempt, tuning))
        runs[seed] = run
        made += [run] if is_new else []
        scores = [objective.value(run, ticket.floor) for objective in tuning.objectives]
        _note(attempt, tuning, runs, made, ticket.floor)
        if run.status == "pruned":
            attempt.prune()
            return
        if not run.is_result or not all(map(math.isfinite, scores)):
            attempt.fail(f"{run.variant}/s{seed} {_lack(run, tuning, scores)}")
            return
        _report(attempt, tuning, run, place, scores[0])
        if tuning.pruner == "wilcoxon" and place < len(tuning.seeds) - 1 and attempt.is_hopeless():
            attempt.prune()
            return
    attempt.complete([fmean(one.value(run, ticket.floor) for run in runs.values()) for one in tuning.objectives])


def _lack(run: Run, tuning: Tuning, scores: Sequence[float]) -> str:
    """Return why a run gives a trial no score, in words."""
    if run.status != "finished":
        return f"{run.status}: {run.error}"
    missing = next(one for one, score in zip(tuning.objectives, scores, strict=True) if not math.isfinite(score))
    return f"neither logged nor returned {missing.name}, or no finite number"


def _report(attempt: Attempt, tuning: Tuning, run: Run, place: int, score: float) -> None:
    """Tell the pruner of a run that is whole; of one that was there before, every epoch."""
    if tuning.pruner == "wilcoxon":
        attempt.report(score, place)
    if prunes_over_epochs(tuning):
        tracked = tuning.objectives[0].tracked
        for row in run.history:
            if row["step"] > 0 and math.isfinite(row.get(tracked, math.nan)):
                attempt.report(row[tracked], int(row["step"]))


def _note(attempt: Attempt, tuning: Tuning, runs: Mapping[int, Run], made: list[Run], floor: float | None) -> None:
    """Keep with the trial what its runs were and what they cost; runs that were there before cost nothing."""
    main = tuning.objectives[0]
    epochs = sum(max((int(row["step"]) for row in run.history), default=0) for run in made)
    stopped = [run for run in runs.values() if not run.is_result]
    planned = (tuning.epochs or 0) if "epochs" not in tuning.space.names else 0
    done = max((int(row["step"]) for run in stopped for row in run.history), default=0)
    unmade = len(tuning.seeds) - len(runs)
    attempt.note(
        runs={str(seed): run.name for seed, run in runs.items()},
        scores={str(seed): main.value(run, floor) for seed, run in runs.items() if run.is_result},
        seconds=sum(run.metrics.get("time/total_s", 0.0) for run in made),
        epochs=epochs,
        saved=unmade * planned + (planned - done if stopped else 0),
        reused=len(runs) - len(made),
    )


@dataclass(frozen=True)
class Following:
    """Who is told of a search: of a trial that ended here, of a worker that died, of trials that others still make."""

    ended: Callable[[Trial], None]
    lost: Callable[[str], None]
    waiting: Callable[[list[Trial]], None]


class TooManyFailures(Exception):  # noqa: N818  # it ends a search; the failures themselves are recorded
    """As many trials failed as the search may bear."""


def carry_out(ticket: Ticket, executor: Executor, following: Following, *, max_failures: int = 5) -> list[Trial]:
    """Make the trials that are missing, wait for those that other processes make, and return all of them.

    What a dead process had is made again. Raises TooManyFailures after `max_failures` trials of this command that
    failed or whose worker died.
    """
    search = Search(ticket.tuning, ticket.place)
    ticket = replace(ticket, round=uuid4().hex)
    failures, told = 0, False
    while True:
        search.close_lost()
        is_late = time.time() > ticket.deadline
        if search.missing > 0 and not is_late:
            with closing(executor.results(make_trial, [ticket] * search.missing)) as outcomes:
                for _, outcome in outcomes:
                    failures += _tell(outcome, following)
                    if failures >= max_failures:
                        search.close_lost()
                        raise TooManyFailures(_error(outcome))
            continue
        running = [trial for trial in search.trials() if trial.state == "running"]
        if not running or is_late:
            return search.trials()
        if not told:
            following.waiting(running)
            told = True
        time.sleep(PATIENCE)


def _tell(outcome: Trial | Lost | None, following: Following) -> bool:
    """Tell of what came of a ticket, and return whether it failed; None is one that was not needed any more."""
    if isinstance(outcome, Lost):
        following.lost(outcome.reason)
        return True
    if outcome is not None:
        following.ended(outcome)
    return outcome is not None and outcome.state == "failed"


def _error(outcome: Trial | Lost | None) -> str:
    return outcome.reason if isinstance(outcome, Lost) else outcome.error if outcome else ""


def check_baseline(trials: list[Trial], name: str) -> Trial:
    """Return the trial of the baseline; raises UserError where it has no score to hold the others against."""
    found = [trial for trial in trials if trial.is_baseline and trial.state == "complete"]
    if not found:
        reasons = [trial.error for trial in trials if trial.is_baseline and trial.error]
        reason = f": {reasons[-1]}" if reasons else ""
        raise UserError(f"the search {name} has no result of the recipe that it starts from{reason}")
    return found[0]

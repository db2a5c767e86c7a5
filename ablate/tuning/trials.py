"""Make one trial in a worker. The runs of a trial are ordinary runs."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean

from ablate.interrupts import Terminated
from ablate.journal.run_journal import Journals, Run
from ablate.journal.run_log import Pruned
from ablate.runs.executors import WorkerLost
from ablate.runs.runner import RunOptions, make_run
from ablate.studies.conditions import Conditions
from ablate.studies.job import Data, Job, TrainingLost
from ablate.studies.settings import Value
from ablate.tracking import SEARCH_TAG, TRIAL_TAG
from ablate.tuning.search import RunningTrial, Search, prunes_over_epochs
from ablate.tuning.types import SearchSpec, SearchStorage, Trial


@dataclass(frozen=True)
class TrialTask:
    """The task of making the next trial of a search, for a worker.

    Attributes:
        deadline: Time (seconds since 1970) after which no trial starts.
        batch: Identifies the command. A worker keeps its search open from one task of a batch to the next.
    """

    spec: SearchSpec
    storage: SearchStorage
    data: Data
    conditions: Conditions
    options: RunOptions
    journals: Path
    deadline: float = math.inf
    batch: str = ""

    @property
    def floor(self) -> float | None:
        """The score of a run that diverged: the score of guessing, if the validation metric is like the main metric."""
        workload = self.spec.base.workload
        kinds = {(metric.goal, metric.unit) for metric in (workload.metric, workload.validation) if metric}
        return self.data.floor if len(kinds) == 1 else None

    def job(self, values: Mapping[str, Value], seed: int) -> Job:
        """Return the job of a trial's values under a seed."""
        return Job(self.spec.recipe(values, seed), self.data, self.conditions)


class TrialObserver:
    """Observes a run of a trial: reports to the pruner after each epoch, and sends heartbeats."""

    def __init__(self, trial: RunningTrial, spec: SearchSpec) -> None:
        self._trial, self._spec = trial, spec

    def progress(self, done: int, total: int) -> None:  # noqa: ARG002  # the observer's signature
        """Send a heartbeat."""
        self._trial.beat()

    def recorded(self, step: int, metrics: Mapping[str, float]) -> None:
        """Report an epoch's validation score. Raises Pruned if the pruner stops the trial."""
        score = metrics.get(self._spec.objectives[0].tracked, math.nan)
        if not prunes_over_epochs(self._spec) or step == 0 or not math.isfinite(score):
            return
        self._trial.report(score, step)
        if step < (self._spec.epochs or 0) and self._trial.should_prune():
            raise Pruned(f"stopped after epoch {step} by the {self._spec.pruner} pruner")


_OPEN: dict[str, Search] = {}
"""The open search of this process, by batch."""


def make_trial(task: TrialTask) -> Trial | WorkerLost | None:
    """Make the next trial of a search.

    Returns None if no trial is left or the deadline has passed, and WorkerLost if the process of a training died.
    """
    if time.time() > task.deadline:
        return None
    if task.batch not in _OPEN:
        _OPEN.clear()
        _OPEN[task.batch] = Search(task.spec, task.storage)
    search = _OPEN[task.batch]
    trial = search.begin()
    if trial is None:
        return None
    try:
        _make_runs(trial, task)
    except (KeyboardInterrupt, Terminated):
        trial.give_back()
        raise
    except TrainingLost as reason:
        trial.lose(str(reason))
        return WorkerLost(str(reason))
    except Exception as error:
        trial.fail(f"{type(error).__name__}: {error}")
        raise
    return search.trials()[trial.number]


@dataclass
class _TrialRuns:
    """The runs of a trial so far: by seed, and those that this trial made."""

    by_seed: dict[int, Run] = field(default_factory=dict)
    new: list[Run] = field(default_factory=list)


def _make_runs(trial: RunningTrial, task: TrialTask) -> None:
    spec, journals, runs = task.spec, Journals(task.journals), _TrialRuns()
    tags = {**task.options.tags, SEARCH_TAG: spec.name, TRIAL_TAG: str(trial.number)}
    options = replace(task.options, tags=tags)
    for position, seed in enumerate(spec.seeds):
        run, is_new = make_run(task.job(trial.values, seed), journals, options, TrialObserver(trial, spec))
        runs.by_seed[seed] = run
        runs.new += [run] if is_new else []
        scores = [objective.value(run, task.floor) for objective in spec.objectives]
        _note(trial, task, runs)
        if run.status == "pruned":
            trial.prune()
            return
        if not run.is_result or not all(map(math.isfinite, scores)):
            trial.fail(f"{run.variant}/s{seed} {_reason_for_no_score(run, spec, scores)}")
            return
        _check_validation(spec, scores)
        _report(trial, spec, run, position, scores[0])
        if spec.pruner == "wilcoxon" and position < len(spec.seeds) - 1 and trial.should_prune():
            trial.prune()
            return
    trial.complete([fmean(one.value(run, task.floor) for run in runs.by_seed.values()) for one in spec.objectives])


def _check_validation(spec: SearchSpec, scores: Sequence[float]) -> None:
    """Raise UsageError if the validation metric is a fraction and its score is not."""
    validation = spec.base.workload.validation
    for objective, score in zip(spec.objectives, scores, strict=True):
        if validation and objective.tracked == validation.tracked:
            validation.check_fraction(score)


def _reason_for_no_score(run: Run, spec: SearchSpec, scores: Sequence[float]) -> str:
    if run.status != "finished":
        return f"{run.status}: {run.error}"
    missing = next(one for one, score in zip(spec.objectives, scores, strict=True) if not math.isfinite(score))
    return f"neither logged nor returned {missing.name} as a finite number"


def _report(trial: RunningTrial, spec: SearchSpec, run: Run, position: int, score: float) -> None:
    """Report a complete run to the pruner; of a reused run, each epoch."""
    if spec.pruner == "wilcoxon":
        trial.report(score, position)
    if prunes_over_epochs(spec):
        tracked = spec.objectives[0].tracked
        for row in run.history:
            if row["step"] > 0 and math.isfinite(row.get(tracked, math.nan)):
                trial.report(row[tracked], int(row["step"]))


def _note(trial: RunningTrial, task: TrialTask, runs: _TrialRuns) -> None:
    """Store the runs of a trial with it, and their cost. Reused runs cost nothing."""
    spec, done = task.spec, runs.by_seed
    main = spec.objectives[0]
    planned = (spec.epochs or 0) if "epochs" not in spec.space.names else 0
    stopped = [run for run in done.values() if not run.is_result]
    reached = max((int(row["step"]) for run in stopped for row in run.history), default=0)
    not_begun = len(spec.seeds) - len(done)
    trial.note(
        runs={str(seed): run.name for seed, run in done.items()},
        scores={str(seed): main.value(run, task.floor) for seed, run in done.items() if run.is_result},
        seconds=sum(run.metrics.get("time/total_s", 0.0) for run in runs.new),
        epochs=sum(max((int(row["step"]) for row in run.history), default=0) for run in runs.new),
        saved=not_begun * planned + (planned - reached if stopped else 0),
        reused=len(done) - len(runs.new),
    )

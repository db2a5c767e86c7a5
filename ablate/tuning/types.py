"""Plain data of tuning: objectives, the specification and storage of a search, and trials."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from ablate.errors import UsageError
from ablate.journal.run_journal import Run
from ablate.stats.metric import FINAL_REASONS, Metric
from ablate.studies.job import FINAL
from ablate.studies.recipe import Recipe
from ablate.studies.settings import Value
from ablate.tuning.space import Space
from ablate.wording import unknown

State = Literal["complete", "pruned", "failed", "lost", "running", "waiting"]
"""A `failed` trial counts towards the budget. A `lost` trial, whose process died, does not. It is repeated."""


@dataclass(frozen=True)
class Objective:
    """A metric to optimise: the last logged value of a validation metric, or a final metric of the run.

    A value returned at the end of a custom training takes precedence over the logged values of that name.

    Attributes:
        name: Name of the objective.
        tracked: Name of the metric in the run's record.
        goal: `max` or `min`.
        scale: Factor from recorded to displayed values.
        of_history: Whether the metric is logged during training.
    """

    name: str
    tracked: str
    goal: Literal["max", "min"]
    scale: float = 1.0
    of_history: bool = False

    @property
    def label(self) -> str:
        """The name with spaces, for text."""
        return self.name.replace("_", " ")

    def value(self, run: Run, floor: float | None) -> float:
        """Return the value of the run. A diverged run has the value `floor`. NaN if there is no value."""
        if not self.of_history:
            return run.metrics.get(self.tracked, run.metrics.get(FINAL + self.name, math.nan))
        last = [row[self.tracked] for row in run.history if self.tracked in row][-1:]
        found = run.metrics.get(FINAL + self.tracked, last[0] if last else math.nan)
        diverged = run.status == "unstable" and (not math.isfinite(found) or run.error not in FINAL_REASONS)
        return (math.nan if floor is None else floor) if diverged else found


def objectives_of(validation: Metric | None, workload: str, asked: Sequence[str] = ()) -> tuple[Objective, ...]:
    """Return the objectives of a search: the validation metric, or the names given by `--multi`.

    Known names are the validation metric, `time` and `parameters`. Raises UsageError for others. Test scores are never
    an objective.
    """
    if validation is None:
        raise UsageError(
            f"Workload {workload} has no validation metric to tune. Add validation=Metric(...) to the study file, for "
            "a metric that the training logs or returns and that is not computed on test data"
        )
    main = Objective(validation.name, validation.tracked, validation.goal, validation.scale, of_history=True)
    short = validation.name.partition("_")[2] or validation.name
    known = {
        validation.name: main,
        short: main,
        "time": Objective("seconds", "time/total_s", "min"),
        "parameters": Objective("parameters", "model/params", "min"),
    }
    for name in asked:
        if name not in known:
            raise UsageError(unknown("objective", name, known) + ". Tuning does not use test scores")
    found = tuple(dict.fromkeys(known[name] for name in asked)) or (main,)
    if asked and (len(found) < 2 or main not in found):
        raise UsageError(f"--multi needs {short} and at least one other objective, e.g. --multi {short},time")
    return found


@dataclass(frozen=True)
class SearchSettings:
    """The settings that all searches of a command share.

    Attributes:
        trials: Number of trials per search.
        seeds: Seeds of a trial; its score is their mean.
        space: Names of settings and hyperparameters, or `name=low:high`. Empty for all tunable ones.
        objectives: Names for a multi-objective search. Empty for the validation metric.
        pruner: `median`, `hyperband`, `wilcoxon` or `none`. None selects by the number of seeds.
        sampler_seed: Seed of the sampler.
    """

    trials: int
    seeds: tuple[int, ...]
    space: tuple[str, ...] = ()
    objectives: tuple[str, ...] = ()
    pruner: str | None = None
    sampler_seed: int = 0


@dataclass(frozen=True)
class SearchSpec:
    """The specification of one search. Sequential trials with the same sampler seed are reproducible.

    Attributes:
        base: The recipe to tune; the first trial.
        pruner: `median`, `hyperband`, `wilcoxon` or `none`.
        budget: Number of trials.
    """

    name: str
    base: Recipe
    space: Space
    seeds: tuple[int, ...]
    objectives: tuple[Objective, ...]
    pruner: str
    sampler_seed: int
    budget: int

    @property
    def epochs(self) -> int | None:
        """The recipe's number of epochs, if it has that setting."""
        return epochs_of(self.base)

    @property
    def fixed(self) -> dict[str, Any]:
        """The fields that must not change when a search is resumed, as plain data: all except the budget."""
        return {
            "base": self.base.reseed(0).key,
            "space": self.space.plain,
            "seeds": list(self.seeds),
            "objectives": [asdict(objective) for objective in self.objectives],
            "pruner": self.pruner,
            "sampler": SAMPLER,
            "sampler_seed": self.sampler_seed,
        }

    def recipe(self, values: Mapping[str, Value], seed: int) -> Recipe:
        """Return the recipe of a trial under a seed, with those of its values that have an effect."""
        return self.base.change(self.base.effective(values)).reseed(seed)


SAMPLER = "TPE"


def epochs_of(recipe: Recipe) -> int | None:
    """Return a recipe's number of epochs, or None if its workload has no such setting."""
    found = recipe.settings.get("epochs")
    return found if type(found) is int else None


@dataclass(frozen=True)
class SearchStorage:
    """The storage of searches: a file, or the URL of a database.

    Attributes:
        url: Path of the file, or URL of the database.
        locks: Folder of the lock files.
    """

    url: str
    locks: Path

    @property
    def is_file(self) -> bool:
        """Whether the storage is a local file."""
        return "://" not in self.url


@dataclass(frozen=True)
class Trial:
    """One trial: its parameter values, objective values, runs and cost.

    Attributes:
        params: Value by setting or hyperparameter.
        values: One value per objective, the mean over seeds.
        runs: Name of the run by seed.
        scores: First objective by seed.
        seconds: Training time of the new runs.
        epochs: Epochs of the new runs.
        saved: Epochs not trained because the trial was pruned.
        reused: Number of runs that existed before.
    """

    number: int
    state: State
    params: Mapping[str, Value]
    values: tuple[float, ...] = ()
    runs: Mapping[int, str] = field(default_factory=dict)
    scores: Mapping[int, float] = field(default_factory=dict)
    seconds: float = 0.0
    epochs: int = 0
    saved: int = 0
    reused: int = 0
    is_baseline: bool = False
    error: str = ""

    @property
    def is_over(self) -> bool:
        """Whether the trial counts towards the budget and cannot change any more."""
        return self.state in ("complete", "pruned", "failed")

    @property
    def plain(self) -> dict[str, Any]:
        """The trial as plain data; `from_plain` reads it."""
        return {**asdict(self), "params": dict(self.params), "values": list(self.values)}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Return the trial of its plain data, in which JSON has made seeds strings."""
        runs = {int(seed): run for seed, run in plain["runs"].items()}
        scores = {int(seed): float(score) for seed, score in plain["scores"].items()}
        return cls(**{**plain, "values": tuple(plain["values"]), "runs": runs, "scores": scores})


def best(trials: Sequence[Trial], goal: str) -> Trial | None:
    """Return the complete trial with the best first objective; the earliest if several are equal."""
    complete = [trial for trial in trials if trial.state == "complete"]
    sign = 1 if goal == "max" else -1
    return max(complete, key=lambda trial: (sign * trial.values[0], -trial.number), default=None)


def pareto(trials: Sequence[Trial], goals: Sequence[str]) -> list[Trial]:
    """Return the Pareto front: the complete trials that no other trial dominates, best first."""
    signs = [1 if goal == "max" else -1 for goal in goals]
    points = {
        trial.number: tuple(sign * value for sign, value in zip(signs, trial.values, strict=True))
        for trial in trials
        if trial.state == "complete"
    }
    front = [
        trial
        for trial in trials
        if trial.number in points and not any(_dominates(other, points[trial.number]) for other in points.values())
    ]
    return sorted(front, key=lambda trial: points[trial.number], reverse=True)


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a >= b for a, b in zip(one, other, strict=True))

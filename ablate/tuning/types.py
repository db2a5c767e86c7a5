"""The nouns of tuning: what is searched for, what one trial came to, and where a search is kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from ablate.errors import UsageError
from ablate.journal.run_journal import Run
from ablate.stats.metric import Metric
from ablate.studies.job import FINAL
from ablate.studies.recipe import Recipe
from ablate.studies.settings import Value
from ablate.tuning.space import Space
from ablate.wording import unknown

State = Literal["complete", "pruned", "failed", "lost", "running", "waiting"]
"""`failed` trials count towards the budget; `lost` ones, whose process is gone, do not: they are made again."""


@dataclass(frozen=True)
class Objective:
    """A number of a run that is to become good: its last value on the validation part, or one at its end.

    What a study's own training returned by that name stands before what it logged at its steps.
    """

    name: str
    tracked: str
    goal: Literal["max", "min"]
    scale: float = 1.0
    of_history: bool = False

    @property
    def words(self) -> str:
        """The name as it stands in a sentence."""
        return self.name.replace("_", " ")

    def value(self, run: Run, floor: float | None) -> float:
        """Return the run's value; of a run that diverged, the floor. NaN where there is neither."""
        if not self.of_history:
            return run.metrics.get(self.tracked, run.metrics.get(FINAL + self.name, math.nan))
        last = [row[self.tracked] for row in run.history if self.tracked in row][-1:]
        found = run.metrics.get(FINAL + self.tracked, last[0] if last else math.nan)
        diverged = run.status == "unstable" and (not math.isfinite(found) or run.error != "no better than guessing")
        return (math.nan if floor is None else floor) if diverged else found


def objectives_of(validation: Metric | None, workload: str, asked: Sequence[str] = ()) -> tuple[Objective, ...]:
    """Return the validation metric, or what `--multi` asks for by name: the metric, `time`, `parameters`.

    Raises UsageError for other names: the test score in particular is nothing to tune for.
    """
    if validation is None:
        raise UsageError(
            f"{workload} names no metric that tuning may look at: validation=Metric(...) beside metric=Metric(...) in "
            "the study's file, one that the training logs or returns and reads off no test data"
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
            raise UsageError(unknown("objective", name, known) + ". Tuning never reads the test score")
    found = tuple(dict.fromkeys(known[name] for name in asked)) or (main,)
    if asked and (len(found) < 2 or main not in found):
        raise UsageError(f"--multi weighs {short} against something else: --multi {short},time")
    return found


@dataclass(frozen=True)
class Tuning:
    """What is searched: a recipe's space, under which seeds, for what, with how many trials.

    `pruner` is none, median, hyperband or wilcoxon. The same sampler seed gives the same trials, as long as they are
    made one after the other.
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
        """How many epochs the recipe has, where it has a number of them."""
        return epochs_of(self.base)

    @property
    def fixed(self) -> dict[str, Any]:
        """What must not change while a search goes on, as plain data: all but the budget."""
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
        """Return the recipe of a trial under a seed."""
        return self.base.change(values).reseed(seed)


SAMPLER = "TPE"


def epochs_of(recipe: Recipe) -> int | None:
    """Return a recipe's number of epochs, or None where its workload has no such setting."""
    found = recipe.settings.get("epochs")
    return found if type(found) is int else None


@dataclass(frozen=True)
class Place:
    """Where searches are kept: a file or the URL of a database, and the folder of the locks."""

    storage: str
    folder: Path

    @property
    def is_file(self) -> bool:
        """Whether the storage is a file of ours rather than a database."""
        return "://" not in self.storage


@dataclass(frozen=True)
class Trial:
    """One trial: the values it tried, its objectives (means over seeds), its runs by seed and what they cost.

    `reused` of its runs were there before; `saved` epochs were not trained because it was pruned.
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
        """Whether it counts towards the budget and will not change."""
        return self.state in ("complete", "pruned", "failed")

    @property
    def plain(self) -> dict[str, Any]:
        """The trial as plain data; `from_plain` reads it back."""
        return {**asdict(self), "params": dict(self.params), "values": list(self.values)}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Return the trial that `plain` described; JSON has turned seeds into text."""
        runs = {int(seed): run for seed, run in plain["runs"].items()}
        scores = {int(seed): float(score) for seed, score in plain["scores"].items()}
        return cls(**{**plain, "values": tuple(plain["values"]), "runs": runs, "scores": scores})


def best(trials: Sequence[Trial], goal: str) -> Trial | None:
    """Return the complete trial with the best first value, the earliest of equals."""
    complete = [trial for trial in trials if trial.state == "complete"]
    sign = 1 if goal == "max" else -1
    return max(complete, key=lambda trial: (sign * trial.values[0], -trial.number), default=None)


def pareto(trials: Sequence[Trial], goals: Sequence[str]) -> list[Trial]:
    """Return the complete trials that no other one beats in one objective without losing in another, in order."""
    signs = [1 if goal == "max" else -1 for goal in goals]
    points = {
        trial.number: tuple(sign * value for sign, value in zip(signs, trial.values, strict=True))
        for trial in trials
        if trial.state == "complete"
    }
    front = [
        trial
        for trial in trials
        if trial.number in points and not any(_beats(other, points[trial.number]) for other in points.values())
    ]
    return sorted(front, key=lambda trial: points[trial.number], reverse=True)


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a >= b for a, b in zip(one, other, strict=True))

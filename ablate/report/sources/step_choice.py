"""The step of a run that counts, as it was chosen with `--step`, and the warnings that belong to the choice."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ablate.errors import UsageError
from ablate.report.sources.columns import find_column
from ablate.report.sources.row_checks import STEP_CHOICES
from ablate.stats.known_metrics import known_metric
from ablate.wording import count, listed

if TYPE_CHECKING:
    import pandas as pd

_NAMED_RUNS = 5
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")


@dataclass(frozen=True)
class StepChoice:
    """The step that counts: `number` if it is given, the best by `metric` if that is given, otherwise the last one."""

    number: float | None = None
    metric: str = ""

    @property
    def is_last(self) -> bool:
        """Whether the last recorded value counts."""
        return self.number is None and not self.metric

    def step_in_words(self, goal: str = "") -> str:
        """Return the step for a sentence."""
        if self.metric:
            return f"the step with the {'lowest' if goal == 'min' else 'highest'} {self.metric}"
        return "the last step" if self.number is None else f"step {self.number:g}"

    def value_in_words(self, name: str, goal: str = "") -> str:
        """Return the values of the metric `name` that count, for a sentence."""
        if self.is_last:
            return f"last recorded {name} of each run"
        return f"{name} at {self.step_in_words(goal)} of each run"


def step_choice(text: str) -> StepChoice:
    """Return the choice of `--step`. Raises UsageError for other words."""
    word = text.strip()
    if word == "last":
        return StepChoice()
    if word.startswith("best:") and word.removeprefix("best:").strip():
        return StepChoice(metric=word.removeprefix("best:").strip())
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"Unknown step {text!r}. Use {STEP_CHOICES}")
    return StepChoice(number)


def goal_of(selector: str, compared: str | None, goal: str | None) -> str:
    """Return whether the best value of a metric is the lowest or the highest; `goal` is that of the compared metric.

    Raises UsageError if that is unknown.
    """
    known = known_metric(selector)
    if selector == compared and goal:
        return goal
    if known is None:
        raise UsageError(
            f"Unknown whether a higher or a lower {selector} is better. Choose the step by another metric, or with "
            "--step last or --step NUMBER"
        )
    return known.goal


@dataclass(frozen=True)
class StepFindings:
    """What affects the comparison of runs at a chosen step. Runs are named as in messages.

    Attributes:
        ends: Last step of each run, in the metric that chooses the step.
        without: Runs that have the compared metric, but not at the chosen step.
        diverged: Runs with a finite score whose compared or choosing metric ends with NaN or infinity.
        datasets: Data set of each run, if they are on several: runs of different ones are not compared.
        repeated: Rows with another value at a step of their run that an earlier row has, the first one of each run.
    """

    ends: Mapping[Any, float]
    without: Sequence[Any] = ()
    diverged: Sequence[Any] = ()
    datasets: Mapping[Any, str] = field(default_factory=dict)
    repeated: Sequence[Any] = ()

    def cautions(self, name: str, choice: StepChoice, goal: str = "") -> list[str]:
        """Return the warnings on the values of the metric `name` at the chosen step."""
        found = []
        if choice.metric == name:
            found.append(
                f"The step of each run was chosen by {name} itself, so the scores are "
                f"{'lower' if goal == 'min' else 'higher'} than those of new data."
            )
        if self.without:
            have = "has" if len(self.without) == 1 else "have"
            found.append(
                f"{count(len(self.without), 'run')} {have} {name}, but not at {choice.step_in_words(goal)}: "
                f"{_named(self.without)}."
            )
        if self.diverged:
            end, count_as = ("ends", "counts") if len(self.diverged) == 1 else ("end", "count")
            metrics = " or ".join(dict.fromkeys(filter(None, [name, choice.metric])))
            found.append(
                f"{count(len(self.diverged), 'run')} {end} with a {metrics} that is not finite, and {count_as} as "
                f"unstable with the value at {choice.step_in_words(goal)}: {_named(self.diverged)}."
            )
        if self.repeated:
            found.append(
                f"{name} has several values at a step in {count(len(self.repeated), 'run')}, first in "
                f"{_named(self.repeated)}. If a variant has several runs with one seed, give them seeds of their own."
            )
        if choice.number is not None:
            return found
        return [*found, *different_ends(choice.metric or name, self.ends, datasets=self.datasets)]


def best_by_name(name: str, goal: str) -> list[str]:
    """Return a warning if a metric is by its name the best value of a run: `val_acc.max` of W&B, `best_acc`."""
    words = _WORD.findall(name)
    is_best = "best" in map(str.lower, words)
    for place, rest in ((0, words[1:]), (-1, words[:-1])):
        is_best |= words[place:][:1] == [goal] and (
            name.endswith(f".{goal}") or known_metric("_".join(rest)) is not None
        )
    if not is_best:
        return []
    extreme, direction = ("lowest", "lower") if goal == "min" else ("highest", "higher")
    return [
        f"{name} is by its name the {extreme} value of each run, not the last one: its step was chosen by the metric "
        f"itself, so the scores are {direction} than those of new data."
    ]


def different_ends(
    name: str,
    ends: Mapping[Any, float],
    advice: str = "exclude them, or compare one step with --step NUMBER",
    datasets: Mapping[Any, str] | None = None,
) -> list[str]:
    """Return a warning if runs end earlier than others of their data set, with advice on runs that were stopped."""
    of_run, latest = datasets or {}, dict[str, float]()
    for row, step in ends.items():
        latest[of_run.get(row, "")] = max(step, latest.get(of_run.get(row, ""), 0.0))
    early = [f"{row} (step {step:g})" for row, step in ends.items() if step < latest[of_run.get(row, "")]]
    if not early:
        return []
    verb = "ends" if len(early) == 1 else "end"
    last = f"step {next(iter(latest.values())):g} of" if len(latest) == 1 else "others of the same data set in"
    return [
        f"{count(len(early), 'run')} {verb} before {last} {name}: {_named(early)}. If they "
        f"were not stopped by design, {advice}."
    ]


def datasets_of(table: pd.DataFrame, dataset: str | None, name: Callable[[Any], Any]) -> dict[Any, str]:
    """Return the data set of each row by its name; empty without a column of data sets."""
    column = find_column(table, dataset) if dataset else None
    return {} if column is None else {name(row): str(cell) for row, cell in table[column].items()}


def _named(rows: Sequence[Any]) -> str:
    return listed([str(row) for row in rows], _NAMED_RUNS)

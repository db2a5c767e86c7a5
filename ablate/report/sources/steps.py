"""Which step of a run counts: the last one, a number, or the best one by another metric. The choice is the user's.

Sources with histories have several values of a metric per run, tables may have one row per epoch. Without a choice, a
metric with several values per run is an error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ablate.errors import UsageError, UserError
from ablate.report.sources.columns import DEFAULT_METRICS, find_column, plain, require
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.readers.run_table import Curve, RunTable
from ablate.report.sources.row_checks import STEP_CHOICES, STEP_COLUMNS, check_thousands
from ablate.stats.known_metrics import known_metric
from ablate.wording import count, listed, unknown

if TYPE_CHECKING:
    import pandas as pd

_NAMED_RUNS = 5


@dataclass(frozen=True)
class StepChoice:
    """The step that counts: `number` if it is given, the best by `metric` if that is given, otherwise the last one."""

    number: float | None = None
    metric: str = ""

    def in_words(self, goal: str = "") -> str:
        """Return the step for a sentence."""
        if self.metric:
            return f"at the step with the {'lowest' if goal == 'min' else 'highest'} {self.metric}"
        return "at the last step" if self.number is None else f"at step {self.number:g}"


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


def with_chosen_steps(runs: RunTable, options: TableOptions) -> RunTable:
    """Return runs with one value per metric, those of the chosen step.

    Raises UsageError if the compared metric has several values per run and no step is chosen, and for a choice where no
    metric has several values.
    """
    choice = None if options.step is None else step_choice(options.step)
    if runs.histories:
        return _from_histories(runs, choice, options)
    return runs if choice is None else _from_rows(runs, choice, options)


def _from_histories(runs: RunTable, choice: StepChoice | None, options: TableOptions) -> RunTable:
    names = dict.fromkeys(name for curves in runs.histories.values() for name in curves)
    repeated = {name for curves in runs.histories.values() for name, curve in curves.items() if len(curve.steps) > 1}
    spelled = [options.metric] if options.metric else DEFAULT_METRICS
    asked = next((name for word in spelled if (name := _named(word, names))), None)
    if choice is None and asked in repeated:
        raise UsageError(_several_values(str(asked), runs.histories))
    goal = ""
    if choice and choice.metric:
        selector = _named(choice.metric, names)
        if selector is None:
            raise UsageError(unknown("metric", choice.metric, names))
        goal, choice = _goal(selector, asked, options), StepChoice(metric=selector)
    columns = {f"metrics.{name}": _column(runs, name, choice, goal) for name in names if choice or name not in repeated}
    table = runs.table.assign(**columns)
    if choice is None or asked not in repeated:
        return replace(runs, table=table, histories={})
    words = f"{asked} {choice.in_words(goal)} of each run"
    return replace(
        runs,
        table=table,
        histories={},
        statement="; ".join(filter(None, [runs.statement, words])),
        cautions=[*runs.cautions, *_cautions(str(asked), choice, runs.histories)],
    )


def _named(word: str, names: Mapping[str, Any]) -> str | None:
    """Return the metric of a name, as `--metric` finds columns: `_` and `/` are equal if no name is."""
    spelled = [word.removeprefix("metrics.") if word not in names else word]
    spelled += [spelled[0].replace("_", "/", 1), spelled[0].replace("/", "_")]
    return next((name for name in spelled if name in names), None)


def _several_values(name: str, histories: Mapping[Any, Mapping[str, Curve]]) -> str:
    curves = [curves[name] for curves in histories.values() if name in curves]
    most = max(len(curve.steps) for curve in curves)
    low, high = min(curve.steps[0] for curve in curves), max(curve.steps[-1] for curve in curves)
    return (
        f"{name} has up to {count(most, 'value')} per run (steps {low:g} to {high:g}). Choose one with {STEP_CHOICES}"
    )


def _goal(selector: str, asked: str | None, options: TableOptions) -> str:
    """Return whether the best value of a metric is the lowest or the highest. Raises UsageError if that is unknown."""
    known = known_metric(selector)
    if selector == asked and options.goal:
        return options.goal
    if known is None:
        raise UsageError(
            f"Unknown whether a higher or a lower {selector} is better. Choose the step by another metric, or with "
            "--step last or --step NUMBER"
        )
    return known.goal


def _column(runs: RunTable, name: str, choice: StepChoice | None, goal: str) -> list[str]:
    cells = []
    for row in runs.table.index:
        curves = runs.histories.get(row, {})
        curve = curves.get(name)
        step = None if curve is None else _step(curve, curves, choice, goal)
        cells.append("" if curve is None or step is None else curve.at(step))
    return cells


def _step(curve: Curve, curves: Mapping[str, Curve], choice: StepChoice | None, goal: str) -> float | None:
    """Return the step that counts for a curve: a metric that was recorded once has only that one."""
    if choice is None or choice == StepChoice() or len(curve.steps) == 1:
        return curve.steps[-1]
    if choice.number is not None:
        return choice.number
    selector = curves.get(choice.metric)
    finite = [] if selector is None else [
        (value, step) for step, value in zip(selector.steps, selector.values, strict=True) if math.isfinite(value)
    ]  # fmt: skip
    if not finite:
        return None
    best = min(value for value, _ in finite) if goal == "min" else max(value for value, _ in finite)
    return next(step for value, step in finite if value == best)


def _cautions(name: str, choice: StepChoice, histories: Mapping[Any, Mapping[str, Curve]]) -> list[str]:
    if choice.metric == name:
        return [f"The step of each run was chosen by {name} itself, so the scores are higher than those of new data."]
    if choice.metric or choice.number is not None:
        return []
    ends = {row: curves[name].steps[-1] for row, curves in histories.items() if name in curves}
    return _different_ends(name, ends)


def _different_ends(name: str, ends: Mapping[Any, float]) -> list[str]:
    """Return a caution if some runs end earlier than others: they may have been stopped."""
    latest = max(ends.values(), default=0.0)
    early = [f"{row} (step {step:g})" for row, step in ends.items() if step < latest]
    if not early:
        return []
    verb = "ends" if len(early) == 1 else "end"
    return [
        f"{count(len(early), 'run')} {verb} before step {latest:g} of {name}: {listed(early, _NAMED_RUNS)}. If they "
        "were not stopped by design, exclude them, or compare one step with --step NUMBER."
    ]


def _from_rows(runs: RunTable, choice: StepChoice, options: TableOptions) -> RunTable:
    """Return the rows of the chosen step of each variant and seed, of a table with one row per run and step."""
    import pandas as pd

    table = runs.table
    step = _step_column(table, options.step_param)
    metric = _metric_column(table, options)
    keys = [column for name in (options.variant or "variant", options.seed, *options.factors)
            if (column := find_column(table, name))]  # fmt: skip
    steps = pd.to_numeric(table[step], errors="coerce")
    if steps.isna().any():
        where = f"{runs.row_word} {table.index[steps.isna()][0]}".strip()
        raise UserError(f"The step is not a number in {where}: {table[step][steps.isna()].iloc[0]!r}")
    scored = table[metric].str.strip() != ""
    goal = ""
    if choice.metric:
        selector = require(table, choice.metric, "metric", "--step best:METRIC")
        goal = _goal(plain(selector), plain(metric), options)
        check_thousands(table, selector, runs.row_word)
        values = pd.to_numeric(table[selector], errors="coerce") * (-1 if goal == "min" else 1)
        ranks = values.where(scored & (values.abs() < math.inf))
    else:
        ranks = steps.where(scored if choice.number is None else scored & (steps == choice.number))
    groups = table.groupby(keys).ngroup() if keys else pd.Series(0, index=table.index)
    chosen = _highest(ranks, steps, groups)
    kept = table.assign(**{metric: table[metric].where(ranks.notna(), "")})[chosen].drop(columns=step)
    words = f"{plain(metric)} {choice.in_words(goal)} of each run (column {step})"
    cautions = [*runs.cautions]
    if choice.metric:
        cautions += _cautions(plain(metric), choice, {}) if choice.metric == plain(metric) else []
    elif choice.number is None:
        ends = {f"{runs.row_word} {row}".strip(): float(steps[row]) for row in kept.index}
        cautions += _different_ends(plain(metric), ends)
    return RunTable(
        runs.source,
        kept,
        runs.row_word,
        runs.set_aside,
        statement="; ".join(filter(None, [runs.statement, words])),
        cautions=cautions,
    )


def _highest(ranks: pd.Series, steps: pd.Series, groups: pd.Series) -> pd.Series:
    """Return which rows have the highest rank of their group, at the first step of equal ones.

    Of a group without ranks it is the row of the last step.
    """
    best = ranks.groupby(groups).transform("max")
    fallback = best.isna() & (steps == steps.groupby(groups).transform("max"))
    top = (ranks == best) | fallback
    first: pd.Series = steps.where(top).groupby(groups).transform("min")
    return top & (steps == first)


def _step_column(table: pd.DataFrame, asked: str | None) -> str:
    if asked is not None:
        return require(table, asked, "step", "--step-param")
    known = [name for name in table.columns if re.sub(r"[^a-z]", "", plain(name).lower()) in STEP_COLUMNS.split()]
    if not known:
        raise UsageError("--step needs a column of steps or epochs. Choose it with --step-param NAME")
    if len(known) > 1:
        raise UsageError(f"The steps may be {' or '.join(known)}. Choose the column with --step-param NAME")
    return known[0]


def _metric_column(table: pd.DataFrame, options: TableOptions) -> str:
    spelled = [options.metric] if options.metric else DEFAULT_METRICS
    found = (find_column(table, word, is_metric=True) for word in spelled)
    return next(filter(None, found), None) or require(table, spelled[0], "metric", "--metric")

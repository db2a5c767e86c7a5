"""Which step of a run counts: the last one, a number, or the best one by another metric. The choice is the user's.

Sources with histories have several values of a metric per run, tables may have one row per epoch. Without a choice, a
metric with several values per run is an error. MLflow gives the last value of each metric.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ablate.errors import UsageError
from ablate.report.sources.columns import DEFAULT_METRICS
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.readers.recorded_texts import number_in
from ablate.report.sources.readers.run_table import Curve, DrawnCurves, RunTable
from ablate.report.sources.row_checks import STEP_CHOICES
from ablate.report.sources.run_histories import drawn_metrics
from ablate.report.sources.step_choice import (
    StepChoice,
    StepFindings,
    datasets_of,
    different_ends,
    goal_of,
    step_choice,
)
from ablate.report.sources.step_rows import choose_rows
from ablate.wording import count, unknown


def with_chosen_steps(runs: RunTable, options: TableOptions) -> RunTable:
    """Return runs with one value per metric, those of the chosen step.

    Raises UsageError if the compared metric has several values per run and no step is chosen, and for a choice where no
    metric has several values.
    """
    choice = None if options.step is None else step_choice(options.step)
    if runs.last_steps is not None:
        return _of_last_values(runs, runs.last_steps, choice, options)
    if runs.histories:
        return _from_histories(runs, choice, options)
    return runs if choice is None else choose_rows(runs, choice, options)


def _of_last_values(
    runs: RunTable, last_steps: Mapping[Any, Mapping[str, float]], choice: StepChoice | None, options: TableOptions
) -> RunTable:
    """Return the runs of a source that gives the last value of each metric, with a warning if their last steps differ.

    Raises UsageError for another choice than the last step.
    """
    if choice is not None and not choice.is_last:
        raise UsageError(
            f"--step {options.step}: only the last value of a metric is read from {runs.source}. Use --step last"
        )
    names = dict.fromkeys(name for steps in last_steps.values() for name in steps)
    if runs.are_summaries:
        names |= {name.removeprefix("metrics."): None for name in runs.table.columns if name.startswith("metrics.")}
    asked = _compared(options, names)
    if asked is None:
        return runs
    ends = {row: steps[asked] for row, steps in last_steps.items() if asked in steps}
    words = StepChoice().value_in_words(asked) if choice or any(ends.values()) else ""
    words = f"{asked} in the summary of each run" if runs.are_summaries else words
    datasets = datasets_of(runs.table, options.dataset, lambda row: row)
    return replace(
        runs,
        drawn=DrawnCurves([asked], asked, ends, StepChoice().step_in_words()) if any(ends.values()) else DrawnCurves(),
        statement="; ".join(filter(None, [runs.statement, words])),
        cautions=[*runs.cautions, *different_ends(asked, ends, "exclude them", datasets)],
    )


@dataclass(frozen=True)
class _Chosen:
    """A choice of a step that applies to metrics with several values per run.

    Attributes:
        choice: The step.
        goal: Whether the lowest or the highest value of the choosing metric is the best.
        repeated: Names of the metrics with several values per run.
    """

    choice: StepChoice | None
    goal: str
    repeated: frozenset[str]

    def cell(self, name: str, curves: Mapping[str, Curve]) -> str:
        """Return the value of a metric of a run at the step; empty if there is none."""
        if name not in curves:
            return ""
        step = self.step(name, curves)
        if step is None:
            return ""
        return "nan" if math.isnan(step) else curves[name].at(step)

    def step(self, name: str, curves: Mapping[str, Curve]) -> float | None:
        """Return the step of a metric of a run that counts, whether or not the metric has a value there.

        It is None without a metric that chooses it, and NaN if that one diverged before its first finite value.
        """
        if self.choice is None or self.choice.is_last or name not in self.repeated:
            return curves[name].steps[-1]
        if self.choice.number is not None:
            return self.choice.number
        selector = curves.get(self.choice.metric)
        if selector is None:
            return None
        finite = [pair for pair in zip(selector.values, selector.steps, strict=True) if math.isfinite(pair[0])]
        if not finite:
            return math.nan
        best = (min if self.goal == "min" else max)(value for value, _ in finite)
        return next(step for value, step in finite if value == best)


def _from_histories(runs: RunTable, choice: StepChoice | None, options: TableOptions) -> RunTable:
    names = dict.fromkeys(name for curves in runs.histories.values() for name in curves)
    repeated = {name for curves in runs.histories.values() for name, curve in curves.items() if len(curve.steps) > 1}
    asked = _compared(options, names)
    if choice is None and asked in repeated:
        raise UsageError(_several_values(str(asked), runs.histories))
    goal = ""
    if choice and choice.metric:
        selector = _named(choice.metric, names)
        if selector is None:
            raise UsageError(unknown("metric", choice.metric, names))
        goal, choice = goal_of(selector, asked, options.goal), StepChoice(metric=selector)
    chosen = _Chosen(choice, goal, frozenset(repeated))
    rows = [runs.histories.get(row, {}) for row in runs.table.index]
    columns = {
        f"metrics.{name}": [chosen.cell(name, curves) for curves in rows]
        for name in names if choice or name not in repeated
    }  # fmt: skip
    table = runs.table.assign(**columns)
    shown = drawn_metrics([asked, choice.metric if choice else None], [name for name in names if name in repeated])
    kept = {row: {name: curves[name] for name in shown if name in curves} for row, curves in runs.histories.items()}
    if choice is None or asked is None or asked not in repeated:
        return replace(runs, table=table, histories=kept, drawn=replace(runs.drawn, metrics=shown))
    cells = dict(zip(table.index, columns[f"metrics.{asked}"], strict=True))
    findings = _findings(asked, choice.metric or asked, runs.histories, cells)
    findings = replace(findings, datasets=datasets_of(table, options.dataset, lambda row: row))
    words = choice.value_in_words(asked, goal)
    steps = {row: chosen.step(asked, curves) for row, curves in runs.histories.items() if asked in curves}
    scored = {row: step for row, step in steps.items() if step is not None and cells[row]}
    return replace(
        runs,
        table=table,
        histories=kept,
        drawn=replace(runs.drawn, metrics=shown, score=asked, scored_steps=scored, choice=choice.step_in_words(goal)),
        statement="; ".join(filter(None, [runs.statement, words])),
        cautions=[*runs.cautions, *findings.cautions(asked, choice, goal)],
        diverged=findings.diverged,
    )


def _findings(
    asked: str, selector: str, histories: Mapping[Any, Mapping[str, Curve]], cells: Mapping[Any, str]
) -> StepFindings:
    lost = [
        row for row, curves in histories.items()
        if any(name in curves and not math.isfinite(curves[name].values[-1]) for name in (asked, selector))
    ]  # fmt: skip
    return StepFindings(
        ends={row: curves[selector].steps[-1] for row, curves in histories.items() if selector in curves},
        without=[row for row, curves in histories.items() if asked in curves and not cells[row]],
        diverged=[row for row in lost if math.isfinite(number_in(cells[row]))],
    )


def _compared(options: TableOptions, names: Mapping[str, Any]) -> str | None:
    """Return the compared metric by its full name; None if it is not among the `names`."""
    spelled = [options.metric] if options.metric else DEFAULT_METRICS
    return next((name for word in spelled if (name := _named(word, names))), None)


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

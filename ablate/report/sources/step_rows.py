"""The rows of the chosen step, of a table with one row per run and step."""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ablate.errors import UsageError, UserError
from ablate.report.sources.columns import DEFAULT_METRICS, find_column, plain, require
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.readers.run_table import Curve, DrawnCurves, RunTable
from ablate.report.sources.row_checks import STEP_COLUMNS, check_thousands
from ablate.report.sources.run_histories import drawn_metrics
from ablate.report.sources.scores import is_missing, read_number
from ablate.report.sources.step_choice import StepChoice, StepFindings, datasets_of, goal_of
from ablate.stats.known_metrics import known_metric

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class _Recorded:
    """A metric by row.

    Attributes:
        values: Numbers, NaN where there is none.
        given: Which rows have a value; it may be NaN or infinite.
        steps: The step of each row.
        groups: The run of each row.
    """

    values: pd.Series
    given: pd.Series
    steps: pd.Series
    groups: pd.Series

    @property
    def last_steps(self) -> pd.Series:
        """The last step of each row's run that has a value."""
        found: pd.Series = self.steps.where(self.given).groupby(self.groups).transform("max")
        return found

    @property
    def ends_lost(self) -> pd.Series:
        """Which rows belong to runs whose last value is NaN or infinite."""
        lost = self.given & (self.steps == self.last_steps) & ~(self.values.abs() < math.inf)
        found: pd.Series = lost.groupby(self.groups).transform("any")
        return found

    def anywhere(self) -> pd.Series:
        """Return which rows belong to runs with a value."""
        found: pd.Series = self.given.groupby(self.groups).transform("any")
        return found

    def repeated(self) -> list[Any]:
        """Return the first row of each run that has another value at a step that an earlier row has."""
        import pandas as pd

        rows = pd.DataFrame({"run": self.groups, "step": self.steps, "value": self.values})[self.given]
        rows = rows[~rows.duplicated()]
        again = rows[rows.duplicated(["run", "step"])]
        return again[~again["run"].duplicated()].index.tolist()

    def best_steps(self, goal: str) -> pd.Series:
        """Return the first step of each row's run with the best finite value."""
        ranks = (self.values * (-1 if goal == "min" else 1)).where(self.given & (self.values.abs() < math.inf))
        best = ranks == ranks.groupby(self.groups).transform("max")
        found: pd.Series = self.steps.where(best).groupby(self.groups).transform("min")
        return found


def choose_rows(runs: RunTable, choice: StepChoice, options: TableOptions) -> RunTable:
    """Return one row per variant and seed, that of the chosen step; two rows with a score at this step remain.

    The values of a step may be in several rows. A run without a score at the chosen step has an empty one.
    """
    table = runs.table
    step, metric = _step_column(table, options.step_param), _metric_column(table, options)
    selector, goal = metric, ""
    if choice.metric:
        selector = require(table, choice.metric, "metric", "--step best:METRIC")
        choice = StepChoice(metric=plain(selector))
        goal = goal_of(plain(selector), plain(metric), options.goal)
        check_thousands(table, selector, runs.row_word)
    steps, groups = _steps(runs, step), _groups(table, options)
    scores, choosing = (_recorded(table[name], steps, groups) for name in (metric, selector))
    wanted = choosing.best_steps(goal) if choice.metric else choosing.last_steps
    wanted = wanted if choice.number is None else steps.where(steps == choice.number)
    cells = table[metric].where((steps == wanted) & scores.given, "")
    if choice.metric:
        cells = cells.mask(choosing.anywhere() & wanted.isna(), "nan")  # diverged before the first finite value
    chosen = _chosen_rows((steps == wanted), scores)
    kept = table.assign(**{metric: cells})[chosen].drop(columns=step)
    has_score = kept[metric] != ""
    is_lost = (scores.ends_lost | choosing.ends_lost)[chosen] & (scores.values[chosen].abs() < math.inf)
    diverged = kept.index[is_lost & has_score & (kept[metric] != "nan")]
    findings = StepFindings(
        {runs.row_name(row): float(end) for row, end in choosing.last_steps[chosen].dropna().items()},
        [runs.row_name(row) for row in kept.index[~has_score & scores.anywhere()[chosen]]],
        [runs.row_name(row) for row in diverged],
        datasets_of(kept, options.dataset, runs.row_name),
        [runs.row_name(row) for row in scores.repeated()],
    )
    words = f"{choice.value_in_words(plain(metric), goal)} (column {step})"
    scored = {row: float(wanted[row]) for row in kept.index[has_score] if math.isfinite(wanted[row])}
    shown = drawn_metrics([metric, selector], [metric, selector, *_numeric_metrics(table, step, options)])
    return replace(
        runs,
        table=kept,
        histories=_histories({name: _recorded(table[name], steps, groups) for name in shown}, groups[chosen]),
        drawn=DrawnCurves(shown, metric, scored, choice.step_in_words(goal), plain(step)),
        statement="; ".join(filter(None, [runs.statement, words])),
        cautions=[*runs.cautions, *findings.cautions(plain(metric), choice, goal)],
        diverged=list(diverged),
    )


def _numeric_metrics(table: pd.DataFrame, step: str, options: TableOptions) -> list[str]:
    """Return the columns whose names are known metrics and whose first cells are numbers."""
    roles = {options.variant, options.seed, options.status, step, *options.factors}
    names = [name for name in table.columns if name not in roles and known_metric(plain(name))]
    first = {name: table[name][~table[name].map(is_missing).astype(bool)].head(1).map(str).tolist() for name in names}
    return [
        name for name in names if any(read_number(text.strip().removesuffix("%")) is not None for text in first[name])
    ]


def _histories(recorded: Mapping[str, _Recorded], rows: pd.Series) -> dict[Any, dict[str, Curve]]:
    """Return the curves of the runs of some rows; `rows` has the run of each."""
    import numpy as np

    first = rows[~rows.duplicated()]
    row_of = dict(zip(first.tolist(), first.index, strict=True))
    found: dict[Any, dict[str, Curve]] = {row: {} for row in first.index}
    for name, one in recorded.items():
        given = one.given.to_numpy()
        runs, steps, values = (column.to_numpy()[given] for column in (one.groups, one.steps, one.values))
        order = np.lexsort((np.arange(len(steps)), steps, runs))
        runs, steps, values = runs[order], steps[order].astype(float), values[order]
        is_last = np.append((runs[1:] != runs[:-1]) | (steps[1:] != steps[:-1]), True)[: len(runs)]
        runs, steps, values = runs[is_last], steps[is_last], values[is_last]
        for run, start, end in zip(*_spans(runs), strict=True):
            if end - start > 1:
                found[row_of[run]][name] = Curve(array("d", steps[start:end]), array("d", values[start:end]))
    return found


def _spans(runs: Any) -> tuple[list[Any], list[int], list[int]]:
    """Return the distinct values of a sorted array, and where each begins and ends."""
    import numpy as np

    values, starts = np.unique(runs, return_index=True)
    return values.tolist(), starts.tolist(), [*starts[1:].tolist(), len(runs)]


def _chosen_rows(at_step: pd.Series, scores: _Recorded) -> pd.Series:
    """Return which rows count: those with a score at the step; of other runs the first one at it, or the last row."""
    groups, steps = scores.groups, scores.steps
    hits = at_step & scores.given
    is_hit = hits.groupby(groups).transform("any")
    spare = at_step.where(at_step.groupby(groups).transform("any"), steps == steps.groupby(groups).transform("max"))
    spare = spare.astype(bool) & ~is_hit
    first: pd.Series = spare & (spare.astype(int).groupby(groups).cumsum() == 1)
    return hits | first


def _recorded(cells: pd.Series, steps: pd.Series, groups: pd.Series) -> _Recorded:
    known = {cell: read_number(str(cell).strip().removesuffix("%")) for cell in cells.unique()}
    return _Recorded(cells.map(known).astype(float), ~cells.map(is_missing).astype(bool), steps, groups)


def run_of_rows(runs: RunTable, options: TableOptions) -> pd.Series:
    """Return a number for each row, equal for the rows of one run in a table with one row per step."""
    import pandas as pd

    if options.step is None or runs.has_one_row_per_run:
        return pd.Series(range(len(runs.table)), index=runs.table.index)
    return _groups(runs.table, options)


def _groups(table: pd.DataFrame, options: TableOptions) -> pd.Series:
    import pandas as pd

    variant, datasets = options.variant or "variant", [options.dataset] if options.dataset else []
    variants = [variant] if find_column(table, variant) else [name.strip() for name in variant.split(",")]
    keys = [column for name in (*variants, options.seed, *options.factors, *datasets)
            if (column := find_column(table, name))]  # fmt: skip
    return table.groupby(keys).ngroup() if keys else pd.Series(0, index=table.index)


def _steps(runs: RunTable, column: str) -> pd.Series:
    import pandas as pd

    steps = pd.to_numeric(runs.table[column], errors="coerce")
    if steps.isna().any():
        row = steps.index[steps.isna()][0]
        raise UserError(f"The step is not a number in {runs.row_name(row)}: {runs.table[column][row]!r}")
    return steps


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

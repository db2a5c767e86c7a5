"""The scores of a table: the values of the metric as numbers in its unit."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablate.errors import UsageError, UserError
from ablate.report.sources.row_checks import check_thousands, named_rows
from ablate.report.sources.step_choice import best_by_name
from ablate.report.sources.units import FRACTION, OWN, PERCENT, SHARE, MetricOptions, goal_and_unit, unit_in_words
from ablate.stats.metric import DEFAULT_MARGIN, Metric

if TYPE_CHECKING:
    import pandas as pd

_MISSING = ("", "none", "na", "n/a", "null", "<na>")
_LARGEST = sys.float_info.max
"""What MLflow's SQL stores record for infinity."""


@dataclass(frozen=True)
class MetricColumn:
    """The column of the metric, as numbers.

    Attributes:
        values: Scores by row: fractions for shares, NaN where there is none.
        statuses: Statuses by row: a finished run whose score is NaN or infinite is unstable.
        metric: The metric.
        margin: Smallest difference that matters.
        statement: How the metric was read, for the answer.
        cautions: Warnings.
        target: The target, in the unit of the values.
    """

    values: pd.Series
    statuses: pd.Series
    metric: Metric
    margin: float
    statement: str
    cautions: list[str]
    target: float | None = None


def read_metric(table: pd.DataFrame, column: str, name: str, options: MetricOptions, row_word: str) -> MetricColumn:
    """Return the scores in `column`, with the goal and the unit of the metric `name`.

    Raises:
        UsageError: The goal, the unit or the margin is not known.
        UserError: A cell is not a number, or not in the unit.
    """
    table, signs = _without_percent_signs(table, column, row_word)
    values, statuses = _numbers(table, column, row_word)
    rows = table.assign(**{column: values, "status": statuses})
    used = rows[statuses.isin(["finished", "unstable"]) & (values.abs() < math.inf)]
    goal, unit, origin = goal_and_unit(name, options, used[column], percent_signs=signs)
    cautions = []
    if unit == SHARE:
        unit = _kind_of_share(used, column, row_word)
        if unit == PERCENT and options.unit is None:
            cautions.append(f"{name} contains percentages. They were divided by 100; differences are in points.")
    if unit == PERCENT and options.unit and goal == "max" and not signs and used[column].between(0, 1).all():
        cautions.append(
            f"All values of {name} are from 0 to 1, and --unit {options.unit} reads them as percentages. If they are "
            "fractions, use --unit fraction."
        )
    if unit in (FRACTION, PERCENT):
        _check_share(used, column, unit, row_word)
    floor = _in_unit("--floor", options.floor, unit, name, is_asked=options.unit is not None)
    metric = _metric(column, goal, unit).with_floor(floor)
    cautions += [*_without_score(rows, metric, unit, row_word), *best_by_name(name, goal)]
    better = (
        f"{'lower' if goal == 'min' else 'higher'} is better ({options.goal_origin if options.goal else 'by its name'})"
    )
    margin = _margin(options.margin, metric)
    stated = f"margin {metric.with_unit(f'{margin:g}')}" + ("" if options.margin is not None else " by default")
    return MetricColumn(
        values=values / 100 if unit == PERCENT else values,
        statuses=statuses,
        metric=metric,
        margin=margin,
        statement=f"{name}, {better}, {unit_in_words(unit)} ({origin}), {stated}",
        cautions=cautions,
        target=_in_unit("--target", options.target, unit, name, is_asked=options.unit is not None),
    )


def _without_score(rows: pd.DataFrame, metric: Metric, unit: str, row_word: str) -> list[str]:
    """Return a warning if unstable runs have no finite score, and no floor that they count as."""
    column = metric.name
    lost = rows[(rows["status"] == "unstable") & ~(rows[column].abs() < math.inf)]
    if lost.empty or metric.floor is not None:
        return []
    chance = {FRACTION: "0.1 for chance among 10 classes", PERCENT: "10 for chance among 10 classes"}
    example = chance.get(unit, "") if metric.goal == "max" else ""
    return [
        f"No finite {column} in {named_rows(lost, row_word)}: their variants get no verdict without a value that "
        f"such runs count as. Set it with --floor ({example or f'the {column} of a model that learned nothing'})."
    ]


def _metric(column: str, goal: str, unit: str) -> Metric:
    if unit in (FRACTION, PERCENT):
        return Metric(column, goal=goal, unit="points", scale=100.0)  # type: ignore[arg-type]  # Metric checks the goal
    return Metric(column, goal=goal, unit="" if unit == OWN else unit, scale=1.0)  # type: ignore[arg-type]


def _without_percent_signs(table: pd.DataFrame, column: str, row_word: str) -> tuple[pd.DataFrame, bool]:
    """Return the table with `93.1%` as `93.1`, and whether the scores have percent signs.

    Raises UserError if only some of them have.
    """
    cells = table[column].map(str).str.strip()
    signed = cells.str.endswith("%")
    if not signed.any():
        return table, False
    plain = table[~signed & (cells.map(read_number).astype(float).abs() < math.inf)]
    if len(plain):
        where = named_rows(plain, row_word, column)
        raise UserError(f"{column} is a percentage (93.1%) in some rows, but not in {where}. Use one kind in all rows")
    return table.assign(**{column: cells.str.removesuffix("%").str.rstrip()}), True


def _numbers(table: pd.DataFrame, column: str, row_word: str) -> tuple[pd.Series, pd.Series]:
    """Return scores as numbers, and statuses, in which finished runs with a score that is not finite are unstable."""
    import pandas as pd

    check_thousands(table, column, row_word)
    known = {cell: read_number(cell) for cell in table[column].unique()}
    words = [cell for cell, value in known.items() if value is None and not is_missing(cell)]
    if words:
        are_lists = any(str(word).strip().startswith("[") for word in words)
        hint = ". Give each run one number instead of a list" if are_lists else ""
        if not are_lists and any("," in str(word) for word in words):
            hint = ". Use a decimal point, and nothing between thousands"
        where = named_rows(table[table[column].isin(words)], row_word, column)
        raise UserError(f"{column} is not a number in {where}{hint}")
    values = pd.Series([known[cell] for cell in table[column]], index=table.index, dtype=float)
    given = ~table[column].map(is_missing).astype(bool)
    lost = (table["status"] == "finished") & given & ~(values.abs() < math.inf)
    return values, table["status"].mask(lost, "unstable")


def is_missing(cell: object) -> bool:
    """Return whether a cell has no value: it is empty or a word such as `null`."""
    return str(cell).strip().lower() in _MISSING


def read_number(cell: object) -> float | None:
    """Return the number in a cell; None for an empty cell and for other text. The largest number counts as infinite."""
    text = str(cell).strip().replace("\N{MINUS SIGN}", "-")
    try:
        value = float(text)
    except ValueError:
        return None
    if "_" in text or not text.isascii():  # Python reads 1_000 and digits of other scripts, too
        return None
    return math.copysign(math.inf, value) if abs(value) >= _LARGEST else value


def _kind_of_share(rows: pd.DataFrame, column: str, row_word: str) -> str:
    """Return whether shares are fractions or percentages. Raises UserError for both in one column."""
    values = rows[column]
    percent, fraction = values > 1, (values > 0) & (values <= 1)
    if percent.any() and fraction.any():
        few = percent if percent.sum() <= fraction.sum() else fraction
        kinds = ("percentages", "fractions") if few is percent else ("fractions", "percentages")
        raise UserError(
            f"{column} mixes fractions and percentages: {kinds[0]} in {named_rows(rows[few], row_word, column)}, "
            f"{kinds[1]} in {int((percent | fraction).sum() - few.sum())} other rows. Use one kind in all rows, or add "
            "--unit percent if all are percentages"
        )
    return PERCENT if percent.any() else FRACTION


def _check_share(rows: pd.DataFrame, column: str, unit: str, row_word: str) -> None:
    most = 100 if unit == PERCENT else 1
    outside = rows[~rows[column].between(0, most)]
    if len(outside):
        where = named_rows(outside, row_word, column)
        raise UserError(f"{column} is not a {unit} from 0 to {most} in {where}. Add --unit own for another unit")


def _in_unit(flag: str, value: float | None, unit: str, name: str, *, is_asked: bool) -> float | None:
    """Return a score in the unit of the scores. Raises UsageError for one that is in another unit, or may be."""
    if value is None or unit not in (FRACTION, PERCENT):
        return value
    score = flag.removeprefix("--")
    if not 0 <= value <= (1 if unit == FRACTION else 100):
        raise UsageError(f"{flag} {value:g} is not a {unit}, but {name} is. Give the {score} in the unit of the runs")
    if unit == FRACTION:
        return value
    if 0 < value <= 1 and not is_asked:
        raise UsageError(
            f"{name} is in percent, and {flag} {value:g} may be a fraction. Give it in percent; if {value:g} is the "
            "percentage, add --unit percent"
        )
    return value / 100


def _margin(margin: float | None, metric: Metric) -> float:
    if margin is not None:
        return margin
    if metric.in_points:
        return DEFAULT_MARGIN
    raise UsageError(
        f"--margin is needed for {metric.name}: the smallest difference that matters, in the metric's unit. Only "
        f"accuracies have a default, {DEFAULT_MARGIN} points"
    )

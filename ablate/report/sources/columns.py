"""The columns of a table: the metric and its unit, the variant, the factors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ablate.errors import UsageError, UserError
from ablate.report.sources.row_checks import named_rows
from ablate.stats.metric import Metric
from ablate.wording import listed, unknown

if TYPE_CHECKING:
    import pandas as pd

_ACCURACY = re.compile(r"(?i)(?:^|[^a-z])(?:acc|accuracy|top_?[15])(?:$|[^a-z])")
_LOWER = re.compile(
    r"(?i)(?:^|[^a-z])(?:loss|error|err|perplexity|ppl|rmse|mse|mae|nll|seconds|time|wer|fid)(?:$|[^a-z])"
)
_TRUE, _FALSE = ("true", "1", "1.0", "yes", "on"), ("false", "0", "0.0", "no", "off")
_DEFAULT_METRICS = ("test_accuracy", "test/accuracy", "accuracy", "test_acc")


def require(table: pd.DataFrame, name: str, role: str, flag: str) -> str:
    """Return `name` if it is a column; otherwise raise UsageError with the role of the column and its flag."""
    if name in table.columns:
        return name
    raise UsageError(f"{unknown(f'{role} column', name, table.columns)}. Choose it with {flag}")


def find_metric(table: pd.DataFrame, name: str | None, seed: str, factors: Sequence[str]) -> str:
    """Return the column of the metric: `name`, with `/` and `_` as equals, or a default."""
    if name is not None:
        spelled = [name, name.replace("_", "/", 1), name.replace("/", "_")]
        found = next((choice for choice in spelled if choice in table.columns), name)
        return require(table, found, "metric", "--metric")
    default = next((choice for choice in _DEFAULT_METRICS if choice in table.columns), None)
    if default is None:
        others = [column for column in table.columns if column not in ("variant", "status", seed, *factors)]
        raise UsageError(f"No metric column found. Choose one with --metric NAME. Known: {listed(others)}")
    return default


def label_variants(table: pd.DataFrame, column: str | None, factors: Sequence[str], baseline: str) -> pd.DataFrame:
    """Return the table with a column `variant`: the chosen column, or names made of the factors that are off."""
    if column is None and "variant" not in table.columns:
        if factors:
            return table.assign(variant=_labels(table, factors, baseline))
        flag = "--variant-param, or name the variants by their factors with --factor-params"
        column = require(table, "variant", "variant", flag)
    if column is None or column == "variant":
        return table
    column = require(table, column, "variant", "--variant-param")
    return table.drop(columns=["variant"], errors="ignore").rename(columns={column: "variant"})


def _labels(table: pd.DataFrame, factors: Sequence[str], baseline: str) -> list[str]:
    on = {name: _switches(table, name, "row") for name in factors}
    return [
        "+".join(f"no-{name.replace('_', '-')}" for name in factors if not on[name][place]) or baseline
        for place in table.index
    ]


def read_metric(
    table: pd.DataFrame, column: str, goal: str | None, floor: float | None, row_word: str
) -> tuple[pd.DataFrame, Metric, list[str]]:
    """Return the table with the metric as numbers (accuracies from 0 to 1), the metric, and cautions.

    Percentages become fractions. Raises UserError for cells that are not numbers, accuracies outside 0 to 100, and
    mixed fractions and percentages.
    """
    import pandas as pd

    numbers = [_number(text) for text in table[column]]
    words = table[[value is None for value in numbers]]
    if len(words):
        raise UserError(f"{column} is not a number in {named_rows(words, row_word, column)}")
    values = pd.Series(numbers, index=table.index, dtype=float)
    cautions: list[str] = []
    is_accuracy = bool(_ACCURACY.search(column))
    if is_accuracy:
        values, divided = _as_fractions(table, column, values, row_word)
        if divided:
            cautions.append(f"{column} contains percentages. They were divided by 100; differences are in points.")
            floor = None if floor is None else floor / 100 if floor > 1 else floor
    metric = Metric(
        column,
        goal=goal or ("min" if _LOWER.search(column) and not is_accuracy else "max"),  # type: ignore[arg-type]  # Metric checks it
        unit="points" if is_accuracy else "",
        scale=100.0 if is_accuracy else 1.0,
    ).with_floor(floor)
    table = table.assign(**{column: values})
    lost = table[(table["status"] == "unstable") & ~_finite(values)]
    if len(lost) and floor is None:
        raise UserError(
            f"Unstable runs without a finite {column}: {named_rows(lost, row_word)}. Set the value that they count as "
            "with --floor (0.1 for chance among 10 classes)"
        )
    return table, metric, cautions


def _finite(values: pd.Series) -> pd.Series:
    return values.abs() < float("inf")


def _number(text: object) -> float | None:
    """Return a number, NaN for an empty cell, None for other text."""
    line = str(text).strip().lower()
    if line in ("", "nan", "none", "na", "n/a", "null", "<na>"):
        return float("nan")
    try:
        return float(line)
    except ValueError:
        return None


def _as_fractions(table: pd.DataFrame, column: str, values: pd.Series, row_word: str) -> tuple[pd.Series, bool]:
    """Return accuracies from 0 to 1, and whether they were percentages."""
    rows = table.assign(**{column: values})
    outside = rows[(values < 0) | ((values > 100) & _finite(values))]
    if len(outside):
        found = named_rows(outside, row_word, column)
        raise UserError(f"{column} is not an accuracy (0 to 1 or 0 to 100) in {found}")
    percent, fraction = (values > 1) & _finite(values), (values > 0) & (values <= 1)
    if percent.any() and fraction.any():
        few = percent if percent.sum() <= fraction.sum() else fraction
        kinds = ("percentages", "fractions") if few is percent else ("fractions", "percentages")
        raise UserError(
            f"{column} mixes fractions and percentages: {kinds[0]} in {named_rows(rows[few], row_word, column)}, "
            f"{kinds[1]} in {int((percent | fraction).sum() - few.sum())} other rows. Use one kind in all rows"
        )
    return (values / 100, True) if percent.any() else (values, False)


def find_factors(table: pd.DataFrame, asked: Sequence[str], row_word: str) -> tuple[list[str], pd.DataFrame]:
    """Return the true/false columns in which variants differ, and one row per variant with these columns.

    The columns are those `asked` for, or all with only the words true and false that agree in all runs of a variant.
    Raises UserError for an asked one whose rows disagree.
    """
    import pandas as pd

    words = {*_TRUE, *_FALSE} if asked else {"true", "false"}
    names = list(asked) or [
        name
        for name in table.columns
        if name not in ("variant", "seed", "status") and set(table[name].map(_lower)) <= words
    ]
    switches = pd.DataFrame({name: _switches(table, name, row_word) for name in names}, index=table.index)
    kinds = switches.groupby(table["variant"]).nunique()
    torn = [name for name in names if (kinds[name] > 1).any()]
    if torn and asked:
        variant = kinds.index[kinds[torn[0]] > 1][0]
        rows = table[table["variant"] == variant]
        raise UserError(f"The runs of {variant} have different values of {torn[0]}: "
                        f"{named_rows(rows, row_word, torn[0])}")  # fmt: skip
    names = [name for name in names if name not in torn]
    design = switches[names].groupby(table["variant"], sort=False).first().astype(bool)
    design.index.name = None
    varying = [name for name in names if design[name].nunique() > 1]
    return varying, design[varying]


def _lower(value: object) -> str:
    return str(value).strip().lower()


def _switches(table: pd.DataFrame, name: str, row_word: str) -> pd.Series:
    cells = table[name].map(_lower)
    odd = table[~cells.isin([*_TRUE, *_FALSE])]
    if len(odd):
        raise UserError(f"The factor {name} is neither true nor false in {named_rows(odd, row_word, name)}")
    return cells.isin(_TRUE)

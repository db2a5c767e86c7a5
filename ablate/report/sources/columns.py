"""Which column of somebody's table is what: the metric and its unit, the variant, the factors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from ablate.errors import UsageError, UserError
from ablate.report.sources.row_checks import named
from ablate.stats.metric import Metric

if TYPE_CHECKING:
    import pandas as pd

_ACCURACY = re.compile(r"(?i)(?:^|[^a-z])(?:acc|accuracy|top_?[15])(?:$|[^a-z])")
_LOWER = re.compile(
    r"(?i)(?:^|[^a-z])(?:loss|error|err|perplexity|ppl|rmse|mse|mae|nll|seconds|time|wer|fid)(?:$|[^a-z])"
)
_TRUE, _FALSE = ("true", "1", "1.0", "yes", "on"), ("false", "0", "0.0", "no", "off")
_USUAL = ("test_accuracy", "test/accuracy", "accuracy", "test_acc")


def require(table: pd.DataFrame, name: str, what: str, flag: str) -> str:
    """The column of that name, or UsageError with the nearest and all there are."""
    if name in table.columns:
        return name
    near = get_close_matches(name, list(table.columns), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise UsageError(f"no column {name!r} for the {what}{hint} ({flag}; there is: {', '.join(table.columns)})")


def find_metric(table: pd.DataFrame, name: str | None, seed: str, factors: Sequence[str]) -> str:
    """The column of the metric: the one asked for, or the usual one."""
    if name is not None:
        spelled = [name, name.replace("_", "/", 1), name.replace("/", "_")]
        found = next((choice for choice in spelled if choice in table.columns), name)
        return require(table, found, "metric", "--metric")
    usual = next((choice for choice in _USUAL if choice in table.columns), None)
    if usual is None:
        others = [column for column in table.columns if column not in ("variant", "status", seed, *factors)]
        raise UsageError(f"which column is the metric? --metric NAME (there is: {', '.join(others)})")
    return usual


def label_variants(table: pd.DataFrame, column: str | None, factors: Sequence[str], baseline: str) -> pd.DataFrame:
    """The table with a column `variant`: the one asked for, or named after the factors that are off."""
    if column is None and "variant" not in table.columns and factors:
        on = {name: _switches(table, name, "row") for name in factors}
        labels = [
            "+".join(f"no-{name.replace('_', '-')}" for name in factors if not on[name][place]) or baseline
            for place in table.index
        ]
        return table.assign(variant=labels)
    if column is None and "variant" not in table.columns:
        column = require(
            table, "variant", "variant", "--variant-param, or --factor-params to name arms by their factors"
        )
    if column is None or column == "variant":
        return table
    column = require(table, column, "variant", "--variant-param")
    return table.drop(columns=["variant"], errors="ignore").rename(columns={column: "variant"})


def read_metric(
    table: pd.DataFrame, column: str, goal: str | None, floor: float | None, word: str
) -> tuple[pd.DataFrame, Metric, list[str]]:
    """The table with the metric as numbers, accuracies between 0 and 1; the metric; and cautions.

    Percentages become fractions. Raises UserError for cells that are no numbers, accuracies outside 0 to 100, and
    fractions beside percentages.
    """
    import pandas as pd

    numbers = [_number(text) for text in table[column]]
    words = table[[value is None for value in numbers]]
    if len(words):
        raise UserError(f"{column} is no number in {named(words, word, column)}")
    values = pd.Series(numbers, index=table.index, dtype=float)
    cautions: list[str] = []
    is_accuracy = bool(_ACCURACY.search(column))
    if is_accuracy:
        values, divided = _as_fractions(table, column, values, word)
        if divided:
            cautions.append(f"{column} holds percentages: they were divided by 100, and differences are in points.")
            floor = None if floor is None else floor / 100 if floor > 1 else floor
    wanted = goal or ("min" if _LOWER.search(column) and not is_accuracy else "max")
    metric = Metric(
        column,
        goal=wanted,  # type: ignore[arg-type]  # Metric checks it
        unit="points" if is_accuracy else "",
        scale=100.0 if is_accuracy else 1.0,
    ).with_floor(floor)
    table = table.assign(**{column: values})
    lost = table[(table["status"] == "unstable") & ~_finite(values)]
    if len(lost) and floor is None:
        raise UserError(
            f"unstable without a finite {column}: {named(lost, word)}; say what such a run counts as with --floor "
            "(guessing among 10 classes: 0.1)"
        )
    return table, metric, cautions


def _finite(values: pd.Series) -> pd.Series:
    return values.abs() < float("inf")


def _number(text: object) -> float | None:
    """A number, NaN for an empty cell, None for words."""
    line = str(text).strip().lower()
    if line in ("", "nan", "none", "na", "n/a", "null", "<na>"):
        return float("nan")
    try:
        return float(line)
    except ValueError:
        return None


def _as_fractions(table: pd.DataFrame, column: str, values: pd.Series, word: str) -> tuple[pd.Series, bool]:
    """Accuracies between 0 and 1, and whether they had to be divided by 100."""
    shown = table.assign(**{column: values})
    outside = shown[(values < 0) | ((values > 100) & _finite(values))]
    if len(outside):
        raise UserError(f"{column} is no accuracy, neither 0 to 1 nor 0 to 100, in {named(outside, word, column)}")
    percent, fraction = (values > 1) & _finite(values), (values > 0) & (values <= 1)
    if percent.any() and fraction.any():
        few = percent if percent.sum() <= fraction.sum() else fraction
        kind = "percentages" if few is percent else "fractions"
        raise UserError(
            f"{column} mixes fractions and percentages: {kind} in {named(shown[few], word, column)}, the other "
            f"{int((percent | fraction).sum() - few.sum())} rows hold the other kind; write all of them alike"
        )
    return (values / 100, True) if percent.any() else (values, False)


def find_factors(table: pd.DataFrame, asked: Sequence[str], word: str) -> tuple[list[str], pd.DataFrame]:
    """The true/false columns that tell the arms apart, and the arms by them (empty where there are none).

    Those asked for, or every column with only true and false (no numbers) that is the same in all runs of a variant.
    A factor that no arm differs in is left out. Raises UserError for an asked one whose rows disagree.
    """
    import pandas as pd

    words = {*_TRUE, *_FALSE} if asked else {"true", "false"}
    names = list(asked) or [
        name
        for name in table.columns
        if name not in ("variant", "seed", "status") and set(table[name].map(_lower)) <= words
    ]
    switches = pd.DataFrame({name: _switches(table, name, word) for name in names}, index=table.index)
    kinds = switches.groupby(table["variant"]).nunique()
    torn = [name for name in names if (kinds[name] > 1).any()]
    if torn and asked:
        variant = kinds.index[kinds[torn[0]] > 1][0]
        rows = table[table["variant"] == variant]
        raise UserError(f"the runs of {variant} disagree on whether {torn[0]} is on: {named(rows, word, torn[0])}")
    names = [name for name in names if name not in torn]
    design = switches[names].groupby(table["variant"], sort=False).first().astype(bool)
    design.index.name = None
    varying = [name for name in names if design[name].nunique() > 1]
    return varying, design[varying]


def _lower(value: object) -> str:
    return str(value).strip().lower()


def _switches(table: pd.DataFrame, name: str, word: str) -> pd.Series:
    cells = table[name].map(_lower)
    odd = table[~cells.isin([*_TRUE, *_FALSE])]
    if len(odd):
        raise UserError(f"the factor {name} is neither true nor false in {named(odd, word, name)}")
    return cells.isin(_TRUE)

"""Texts, true and false among the metrics of runs: a value that is not a number, or a column such as the status."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ablate.report.sources.readers.run_table import Curve
from ablate.report.sources.scores import is_missing, read_number


def curve_of_cells(cells: Mapping[float, str]) -> Curve:
    """Return the cells of a metric by step as a curve; empty cells and words such as `null` have no step."""
    given = {step: cells[step] for step in sorted(cells) if not is_missing(cells[step])}
    texts = {step: text for step, text in given.items() if read_number(text) is None}
    return Curve(list(given), [number_in(text) for text in given.values()], texts=texts)


def number_in(text: str) -> float:
    """Return the number in a text, also before a percent sign; NaN for other texts."""
    value = read_number(text.removesuffix("%"))
    return math.nan if value is None else value


def split_texts(
    histories: Mapping[Any, Mapping[str, Curve]],
) -> tuple[dict[Any, dict[str, str]], dict[Any, dict[str, Curve]]]:
    """Return the columns without a number in any run, such as a status, and the curves of the others.

    The columns are `metrics.NAME` with the last text of each run: they are results and name no variants.
    """
    numeric = {name for curves in histories.values() for name, curve in curves.items() if _has_number(curve)}
    columns = {
        row: {f"metrics.{name}": curve.at(curve.steps[-1]) for name, curve in curves.items() if name not in numeric}
        for row, curves in histories.items()
    }
    kept = {
        row: {name: curve for name, curve in curves.items() if name in numeric} for row, curves in histories.items()
    }
    return columns, kept


def _has_number(curve: Curve) -> bool:
    return len(curve.texts) < len(curve.steps) or any(map(math.isfinite, curve.values))

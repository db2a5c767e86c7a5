"""Numbers with a decimal comma, or with points between thousands, as spreadsheets write them in many countries."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ablate.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?\s*%?")
_GROUPED_BY_COMMA = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}\s*%?")
"""A number that may have a decimal comma, or a comma between thousands."""

_GROUPED_BY_POINT = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+\s*%?")
_PLAIN = re.compile(
    r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*%?|[+-]?(?:nan|inf|infinity)|n/?a|none|null|", re.IGNORECASE
)
"""Any other number, and words for a missing one."""

_WHOLE = re.compile(r"[+-]?(?:0|[1-9]\d{0,2})")
_NARROW, _WIDE = 10, 100
"""Ratios of the largest to the smallest number of a column, below and above which its points separate thousands."""


def with_decimal_points(table: pd.DataFrame, path: str) -> tuple[pd.DataFrame, bool]:
    """Return the table with a decimal point in columns of numbers with a decimal comma, and whether there are any.

    A column is one of numbers with a decimal comma if all its cells are, or are integers or missing, and at least one
    cannot have its comma between thousands. Raises UserError if another column of such a table has points that may be
    between thousands.
    """
    found = {name: cells for name in table.columns if (cells := _converted(table[name])) is not None}
    if not found:
        return table, False
    for name in table.columns.difference(list(found), sort=False):
        grouped = _grouped(table[name])
        if grouped:
            line = table.index[table[name] == grouped][0]
            raise UserError(
                f"{name} in line {line} of {path}, {grouped}, may have a decimal point or one between thousands, since "
                f"{next(iter(found))} has decimal commas. Write numbers without separators between thousands"
            )
    return table.assign(**found), True


def _converted(column: pd.Series) -> pd.Series | None:
    """Return a column of numbers with decimal commas with points instead; None for any other column."""
    cells = column.unique().tolist()
    commas = [cell for cell in cells if _COMMA.fullmatch(cell)]
    others = (cell for cell in cells if not _COMMA.fullmatch(cell))
    if all(map(_GROUPED_BY_COMMA.fullmatch, commas)):
        return None
    if any("." in cell or not _PLAIN.fullmatch(cell) for cell in others):
        return None
    return column.str.replace(",", ".", regex=False)


def _grouped(column: pd.Series) -> str:
    """Return a number of a column whose points may all be between thousands; empty if there is none."""
    cells = column.unique().tolist()
    pointed = [cell for cell in cells if "." in cell]
    numeric = all(_GROUPED_BY_POINT.fullmatch(cell) or _PLAIN.fullmatch(cell) for cell in cells)
    return pointed[0] if pointed and numeric and all(map(_GROUPED_BY_POINT.fullmatch, pointed)) else ""


def points_between_thousands(cells: Iterable[object]) -> list[str]:
    """Return the numbers of a column whose points may be between thousands, since it has whole numbers too.

    `1.003` next to `999` is one of them, `1.003` next to `1` is not: read as 1003, it would be far from 1. Every number
    with a point has three decimals and every other one has at most three digits. Read with thousands, the numbers are
    within a factor of 10, and read as decimals, they are not within a factor of 100. If a number ends with 0 (`1.000`),
    whole numbers would have decimals as well, so that any smaller range with thousands is enough.
    """
    texts = {str(cell).strip().replace("\N{MINUS SIGN}", "-") for cell in cells}
    pointed = sorted(text for text in texts if _GROUPED_BY_POINT.fullmatch(text))
    whole = [text for text in texts if _WHOLE.fullmatch(text)]
    others = [text for text in texts.difference(pointed, whole) if re.search(r"\d", text)]
    if not pointed or not whole or others or any("%" in text or text.count(".") > 1 for text in pointed):
        return []
    grouped = _ratio([*whole, *(text.replace(".", "") for text in pointed)])
    decimal = _ratio([*whole, *pointed])
    is_clear = grouped < _NARROW and decimal > _WIDE
    return pointed if is_clear or (grouped < decimal and any(text.endswith("0") for text in pointed)) else []


def _ratio(texts: Iterable[str]) -> float:
    """Return the ratio of the largest to the smallest number without signs and zeros."""
    sizes = [size for size in map(abs, map(float, texts)) if size]
    return max(sizes) / min(sizes)

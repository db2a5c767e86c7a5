"""Read cells, which may be missing, from pandas tables or sequences of mappings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

Differences = Mapping[Any, Sequence[float]]
"""Paired differences by variant, or by (variant, reference) where a variant is compared with several references."""


def records(table: Any) -> list[dict[str, Any]]:
    """Return the rows of a pandas table or a sequence of mappings as dictionaries."""
    if hasattr(table, "to_dict"):
        return list(table.to_dict("records"))
    return [dict(row) for row in table]


def number(row: Mapping[str, Any], name: str) -> float:
    """Return the number in a row's column, NaN if it is missing, not a number or infinite."""
    try:
        value = float(row.get(name, math.nan))
    except (TypeError, ValueError):
        return math.nan
    return value if math.isfinite(value) else math.nan


def text(row: Mapping[str, Any], name: str, default: str = "") -> str:
    """Return the text in a row's column, `default` if it is missing, empty or NaN."""
    value = row.get(name)
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return default if missing else str(value) or default


def differences_of(row: Mapping[str, Any], seeds: Differences) -> Sequence[float]:
    """Return the paired differences of a row's comparison; empty if they are not given."""
    variant = text(row, "variant") or text(row, "factor")
    own = (variant, text(row, "reference", "baseline"))
    return seeds.get(own, seeds.get(variant, ()))

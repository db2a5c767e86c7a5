"""The axis of a setting's values: linear, or logarithmic with a place for zero."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

DECADE = 10.0
"""Ratio of the largest to the smallest positive value from which the axis is logarithmic."""


@dataclass(frozen=True)
class Scale:
    """The positions of values on the x axis.

    Attributes:
        logarithmic: Whether positions are logarithms.
        zero: The position of the value 0 on a logarithmic axis, left of the others; NaN if it is not among the values.
    """

    logarithmic: bool
    zero: float = math.nan

    def position(self, value: float) -> float:
        """Return the position of a value."""
        if not self.logarithmic:
            return value
        return math.log10(value) if value > 0 else self.zero

    @property
    def note(self) -> str:
        """What the label of the axis adds to the name."""
        if not self.logarithmic:
            return ""
        return " (log scale)" if math.isnan(self.zero) else " (log scale; 0 not to scale)"


def scale_of(values: Sequence[float]) -> Scale:
    """Return a logarithmic scale for values that span a decade without negative ones, a linear scale for others."""
    positive = sorted({value for value in values if value > 0})
    if min(values) < 0 or len(positive) < 2 or positive[-1] / positive[0] < DECADE:
        return Scale(False)
    logs = [math.log10(value) for value in positive]
    gap = (logs[-1] - logs[0]) / (len(logs) - 1)
    return Scale(True, logs[0] - gap if 0 in values else math.nan)

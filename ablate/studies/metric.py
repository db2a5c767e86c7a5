"""The number that a study is about: its goal, its unit, how it is shown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ablate.errors import UsageError


@dataclass(frozen=True)
class Metric:
    """The headline number of a run: its name, its name in the tracking store, its goal, how differences are shown.

    `unit` is `points` for a fraction, whose differences are percentage points; any other one is shown as it stands.
    Unless it is given, a metric to be maximised is a fraction and one to be minimised has no unit. `scale` turns a
    value into what is shown. A run whose final value lies within `tolerance` of the floor (what guessing gives) counts
    as unstable.
    """

    name: str
    tracked: str = ""
    goal: Literal["max", "min"] = "max"
    unit: str = "by goal"
    scale: float = 0.0
    tolerance: float = 0.05

    def __post_init__(self) -> None:
        if self.goal not in ("max", "min"):
            raise UsageError(f"the goal of the metric {self.name} is 'max' or 'min', not {self.goal!r}")
        unit = {"max": "points", "min": ""}[self.goal] if self.unit == "by goal" else self.unit
        scale = self.scale or (100.0 if unit == "points" else 1.0)
        for name, value in {"tracked": self.tracked or self.name, "unit": unit, "scale": scale}.items():
            object.__setattr__(self, name, value)

    @property
    def in_points(self) -> bool:
        """Whether values are fractions whose differences are shown in percentage points."""
        return self.scale == 100.0

    def with_unit(self, number: str) -> str:
        """Return a difference as it is shown: `0.5 points`, `1 point`, `12 ms`, `1.2`."""
        unit = "point" if self.unit == "points" and number.lstrip("+-") == "1" else self.unit
        return f"{number} {unit}".rstrip()

    def shown(self, value: float | None) -> str:
        """Return a value as it stands in the store, with its name: `test accuracy 0.9031`."""
        number = "unknown" if value is None else f"{value:.4f}" if self.in_points else self.with_unit(f"{value:.5g}")
        return f"{self.name.replace('_', ' ')} {number}"

    def at_floor(self, value: float, floor: float | None) -> bool:
        """Return whether `value` is not finite or no better than guessing, within the tolerance."""
        if not math.isfinite(value):
            return True
        gain = (value - floor if self.goal == "max" else floor - value) if floor is not None else math.inf
        return gain <= self.tolerance

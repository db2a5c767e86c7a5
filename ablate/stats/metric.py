"""The metric of a study: name, goal, unit, and the floor below which a run counts as unstable."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Self, cast

from ablate.errors import UsageError

Goal = Literal["max", "min"]


class _DefaultGoal(str):
    """The goal of a metric that declares none."""

    __slots__ = ()


_DEFAULT_GOAL = cast("Goal", _DefaultGoal("max"))

DEFAULT_MARGIN = 0.5
"""The smallest difference that matters unless another one is declared, in points of accuracies and other shares."""

AT_FLOOR, NOT_FINITE = "no better than guessing", "the final score is not finite"
FINAL_REASONS = (AT_FLOOR, NOT_FINITE)
"""The reasons of unstable runs that trained to the end."""

_ROUNDING = 1e-6  # a mean of 32-bit floats may exceed 1


@dataclass(frozen=True)
class Metric:
    """The metric that a study compares.

    Attributes:
        name: The metric's name, and its column in the run table.
        tracked: Its name in the tracking store; `name` by default.
        goal: `max` if higher is better, `min` if lower is better. `max` by default.
        unit: The unit of a difference. `points` (percentage points) marks a metric that is a fraction. By default
            `points` for a metric to be maximised, none for one to be minimised.
        scale: Factor from a value to its displayed form; by default 100 for fractions, 1 otherwise.
        tolerance: A run whose final value is no further than this above the floor counts as unstable. By default 5 for
            percentages, 0.05 for fractions and other units.
        floor: The score of guessing, in the metric's unit. An unstable run without a finite value counts as this value.
            It is a property of the data: see `with_floor`.
        declares_goal: Whether the goal was given.

    Example:
        >>> from ablate import Metric
        >>> Metric("accuracy").unit, Metric("loss", goal="min").unit
        ('points', '')
    """

    name: str
    tracked: str = ""
    goal: Goal = _DEFAULT_GOAL
    unit: str = "by goal"
    scale: float = 0.0
    tolerance: float = math.nan
    floor: float | None = field(default=None, init=False)
    declares_goal: bool = field(default=True, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.goal not in ("max", "min"):
            raise UsageError(f"The goal of metric {self.name!r} must be 'max' or 'min', not {self.goal!r}")
        unit = {"max": "points", "min": ""}[self.goal] if self.unit == "by goal" else self.unit
        scale = self.scale or (100.0 if unit == "points" else 1.0)
        if not (math.isfinite(scale) and scale > 0):
            raise UsageError(f"The scale of metric {self.name!r} must be a positive number, not {self.scale}")
        resolved = {
            "declares_goal": not isinstance(self.goal, _DefaultGoal),
            "goal": str(self.goal),
            "tracked": self.tracked or self.name,
            "unit": unit,
            "scale": scale,
        }
        for name, value in resolved.items():
            object.__setattr__(self, name, value)
        if math.isnan(self.tolerance):
            in_percent = unit in ("%", "points") and not self.in_points
            object.__setattr__(self, "tolerance", 5.0 if in_percent else 0.05)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Return the metric of a record made by `as_dict`. Unknown fields are ignored."""
        known = {entry.name for entry in fields(cls) if entry.init}
        return cls(**{name: value for name, value in record.items() if name in known})

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as journals and studies record them, without the floor, which they record of the data."""
        return {name: value for name, value in asdict(self).items() if name not in ("floor", "declares_goal")}

    def check_floor(self) -> None:
        """Raise UsageError for a floor that is not a score of the metric."""
        if self.floor is None:
            return
        if not math.isfinite(self.floor):
            raise UsageError(f"The floor of {self.name} must be a number, not {self.floor}")
        self.check_fraction(self.floor, f"The floor of {self.name}")

    def with_floor(self, floor: float | None) -> Self:
        """Return the metric with the floor of a data set."""
        metric = copy.copy(self)
        object.__setattr__(metric, "floor", floor)
        return metric

    @property
    def label(self) -> str:
        """The name for use in a sentence, such as `test accuracy`."""
        return self.name.replace("_", " ")

    @property
    def in_points(self) -> bool:
        """Whether values are fractions whose differences are shown in percentage points."""
        return self.scale == 100.0

    @property
    def is_fraction(self) -> bool:
        """Whether values are from 0 to 1 and shown as percentages."""
        return self.in_points and self.unit in ("points", "%")

    def check_fraction(self, value: float, what: str = "") -> None:
        """Raise UsageError if the metric is a fraction and `value` is finite but not in [0, 1].

        `what` names the value in the message; by default it is the metric.
        """
        if self.is_fraction and math.isfinite(value) and not -_ROUNDING <= value <= 1 + _ROUNDING:
            raise UsageError(
                f"{what or self.name} is {value:g}, but {self.name} is a fraction, from 0 to 1. If it is in percent, "
                f'declare Metric("{self.name}", unit="%") or divide it by 100. For other values, declare '
                f'Metric("{self.name}", unit="")'
            )

    @property
    def own_unit(self) -> str:
        """The unit if it is not points, such as `ms`; empty otherwise."""
        return "" if self.in_points or self.unit == "points" else self.unit

    @property
    def better(self) -> int:
        """+1 if higher is better, -1 if lower is better."""
        return 1 if self.goal == "max" else -1

    def with_unit(self, number: str) -> str:
        """Return a difference with its unit: `0.5 points`, `1 point`, `12 ms`, `1.2`."""
        unit = "point" if self.unit == "points" and number.lstrip("+-") == "1" else self.unit
        return f"{number} {unit}".rstrip()

    def with_own_unit(self, number: str) -> str:
        """Return a difference with its unit if that is not points: `12 ms`, `1.2`."""
        return f"{number} {self.own_unit}".rstrip()

    def describe(self, value: float | None) -> str:
        """Return an unscaled value with the metric's name: `test accuracy 0.9031`."""
        number = "unknown" if value is None else f"{value:z.4f}" if self.in_points else self.with_unit(f"{value:.5g}")
        return f"{self.label} {number}"

    def unstable_reason(self, value: float) -> str | None:
        """Return why a run with the final `value` is unstable, or None: not finite, or at the floor."""
        if not math.isfinite(value):
            return NOT_FINITE
        return AT_FLOOR if self.at_floor(value) else None

    def at_floor(self, value: float) -> bool:
        """Return whether `value` is not finite or, within the tolerance, not better than the floor."""
        if not math.isfinite(value):
            return True
        gain = (value - self.floor) * self.better if self.floor is not None else math.inf
        return gain <= self.tolerance

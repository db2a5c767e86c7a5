"""The compared metrics that a user names, each with a goal, a unit, a margin and a floor of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ablate.errors import UsageError
from ablate.report.sources.units import NamedMetric

GOALS = ("max", "min")


@dataclass(frozen=True)
class MetricChoice:
    """The names of metrics, the first of which decides, and their options by name.

    Numbers may be texts. Without names, the options of the default metric have an empty name.
    """

    names: Sequence[str] = ()
    goals: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    margins: Mapping[str, Any] = field(default_factory=dict)
    floors: Mapping[str, Any] = field(default_factory=dict)

    def metrics(self) -> list[NamedMetric]:
        """Return the metrics with their options.

        Raises UsageError for a goal that is neither max nor min, a number that is not finite, and a margin that is not
        above 0.
        """
        for word in self.goals.values():
            if word not in GOALS:
                raise UsageError(f"--metric-goal must be max or min, not {word!r}")
        margins, floors = margins_of(self.margins), _numbers("--floor", self.floors)
        return [
            NamedMetric(
                name=name,
                goal=self.goals.get(name),
                unit=self.units.get(name),
                margin=margins.get(name),
                floor=floors.get(name),
            )
            for name in self.names or [""]
        ]


def margins_of(given: Mapping[str, Any]) -> dict[str, float]:
    """Return margins as numbers. Raises UsageError for one that is not a finite number above 0."""
    found = _numbers("--margin", given)
    for margin in found.values():
        if margin <= 0:
            raise UsageError(f"--margin must be above 0, not {margin:g}")
    return found


def _numbers(flag: str, given: Mapping[str, Any]) -> dict[str, float]:
    """Return values as numbers. Raises UsageError for one that is not a finite number."""
    found = {}
    for name, value in given.items():
        try:
            found[name] = float(value)
        except (TypeError, ValueError):
            found[name] = math.nan
        if not math.isfinite(found[name]):
            raise UsageError(f"{flag} must be a number, not {value!r}")
    return found

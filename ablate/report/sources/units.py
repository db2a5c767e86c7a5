"""The goal and the unit of a metric: known by its name, or given. Anything else is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablate.errors import UsageError
from ablate.stats.known_metrics import known_metric
from ablate.wording import nearest

if TYPE_CHECKING:
    import pandas as pd

FRACTION, PERCENT, SHARE, OWN = "fraction", "percent", "points", "own"
UNITS = {
    **dict.fromkeys((FRACTION, "fractions", "share"), FRACTION),
    **dict.fromkeys((PERCENT, "percentage", "percentages", "%", "pct"), PERCENT),
    **dict.fromkeys((SHARE, "pp"), SHARE),
    OWN: OWN,
}
"""Words of `--unit`. `points` means fractions or percentages, by the values; other words name a unit, such as `ms`."""

LARGE_SHARE = 0.1
"""A margin that would be 10 points of a fraction: if the unit is not known, it may be meant as a tenth of a point."""

_UNIT_WORDS = {
    FRACTION: "fractions from 0 to 1, differences in points",
    PERCENT: "percentages, differences in points",
    OWN: "in its own unit",
}


@dataclass(frozen=True)
class MetricOptions:
    """The user's options for the metric; None where its name or the table is sufficient.

    Attributes:
        goal: `max` or `min`.
        target: A score that the mean of each variant is compared with, in the table's unit.
        goal_origin: Who stated the goal, for the statement of how the runs were read.
        unit: A word of `UNITS`, or the name of a unit.
        margin: Smallest difference that matters, in points for shares, otherwise in the metric's unit.
        floor: Value of an unstable run without a finite one, in the table's unit.
    """

    goal: str | None = None
    target: float | None = None
    goal_origin: str = "--metric-goal"
    unit: str | None = None
    margin: float | None = None
    floor: float | None = None


@dataclass(frozen=True)
class NamedMetric(MetricOptions):
    """The user's options for one of several metrics; an empty name means the default metric."""

    name: str = ""


def goal_and_unit(
    name: str, options: MetricOptions, values: pd.Series, *, percent_signs: bool = False
) -> tuple[str, str, str]:
    """Return the goal and the unit of a metric, and how the unit is known; `percent_signs` are those of its cells.

    Raises UsageError, with all the flags that are needed.
    """
    known = known_metric(name)
    goal, origin = options.goal or (known.goal if known else None), "--unit"
    unit = _asked_unit(name, options.unit, percent_signs=percent_signs)
    if unit is None and (percent_signs or name.endswith(("%", "%)", "%]"))):
        unit, origin = PERCENT, "by its percent signs" if percent_signs else "by its name"
    elif unit is None and known and known.kind == "share" and known.goal == "max":
        unit, origin = SHARE, "by its name"
    elif unit is None and known and known.kind == "loss":
        unit, origin = OWN, "by its name"
    elif unit is None and not values.between(0, 1).all():  # a margin in percent and one in the unit are the same number
        unit, origin = OWN, "by its values"
    elif unit is None and goal == "min" and not _may_be_points(options.margin, values):
        unit, origin = OWN, "change it with --unit"
    questions = []
    if goal is None:
        questions.append(
            f"Unknown goal of {name!r}. Add --metric-goal max or --metric-goal min: whether higher or lower values are "
            "better"
        )
    if unit is None:
        questions.append(
            f"Unknown unit of {name!r}, with values from 0 to 1. Add --unit fraction, for a margin in percentage "
            "points, or --unit own, for a margin in the metric's unit"
        )
    if questions:
        raise UsageError(". ".join(questions))
    return str(goal), str(unit), origin


def _asked_unit(name: str, word: str | None, *, percent_signs: bool) -> str | None:
    if word is None or not word.strip():
        return None
    known, near = UNITS.get(word.strip().lower()), nearest(word.strip().lower(), UNITS, 0.75)
    if known is None and near:
        raise UsageError(f"Unknown unit {word!r}. Did you mean {near!r}? Use fraction, percent, own, or a unit's name")
    if percent_signs and known == FRACTION:
        raise UsageError(f"{name} has percent signs, so it is not a fraction. Omit --unit, or use --unit percent")
    return known or word.strip()


def _may_be_points(margin: float | None, values: pd.Series) -> bool:
    """Return whether a margin for values from 0 to 1 is so large that it may be meant in percentage points."""
    return margin is None or margin >= LARGE_SHARE or bool(len(values) and margin >= values.max() - values.min())


def unit_in_words(unit: str) -> str:
    """Return the unit for a sentence."""
    return _UNIT_WORDS.get(unit, f"in {unit}")

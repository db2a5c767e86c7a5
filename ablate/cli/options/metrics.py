"""The compared metrics of runs of other programs, each with a goal, a unit, a margin and a floor of its own."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ablate.cli.options import names
from ablate.errors import UsageError
from ablate.wording import unknown

if TYPE_CHECKING:
    from ablate.report.sources.units import NamedMetric


def metric_names(text: str | None) -> list[str]:
    """Return the names in `acc,f1`; a name that contains a comma is in double quotes. Empty for None.

    Raises UsageError for an empty name, and for one that is given twice.
    """
    if text is None:
        return []
    found = [name.strip() for name in next(csv.reader([text], skipinitialspace=True), [])]
    if not all(found) or not found:
        raise UsageError(f"--metric must be one name, or several separated by commas, not {text!r}")
    if len(set(found)) < len(found):
        raise UsageError(f"--metric {text}: every metric can be named once")
    return found


def by_metric(flag: str, text: str | None, metrics: Sequence[str]) -> dict[str, str]:
    """Return the values in `0.5` or `acc=0.5,loss=0.02` by metric. A value without a name is that of the first metric.

    Raises UsageError for a name that is not among the `metrics`, and for two values of one metric.
    """
    if text is None:
        return {}
    first, found = (metrics[0] if metrics else ""), dict[str, str]()
    for item in text.split(","):
        name, given, value = item.rpartition("=")
        name = name.strip() if given else first
        if name not in (*metrics, first):
            raise UsageError(f"{flag} {text}: {unknown('metric', name, metrics)}")
        if name in found:
            raise UsageError(f"{flag} {text} has two values for {name or 'the metric'}. Write NAME=VALUE for others")
        found[name] = value.strip()
    return found


def numbers_by_metric(flag: str, text: str | None, metrics: Sequence[str]) -> dict[str, float]:
    """Return the values as numbers. Raises UsageError, also for text that is not a finite number."""
    found = {}
    for name, value in by_metric(flag, text, metrics).items():
        try:
            found[name] = float(value)
        except ValueError:
            found[name] = math.nan
        if not math.isfinite(found[name]):
            raise UsageError(f"{flag} must be a number, not {value!r}")
    return found


def margin_of(text: str | None, metrics: Sequence[str] = ()) -> dict[str, float]:
    """Return the margins by metric. Raises UsageError for one that is not above 0."""
    found = numbers_by_metric("--margin", text, metrics)
    for margin in found.values():
        if margin <= 0:
            raise UsageError(f"--margin must be above 0, not {margin:g}")
    return found


def named_metrics(
    metric: str | None, goal: str | None, unit: str | None, margin: str | None, floor: str | None
) -> list[NamedMetric]:
    """Return the metrics with their options; a single one without a name if none is named.

    Raises UsageError for values that are not those of the options.
    """
    from ablate.report.sources.units import NamedMetric

    given = metric_names(metric)
    goals = by_metric("--metric-goal", goal, given)
    for word in goals.values():
        if word not in names.GOALS:
            raise UsageError(f"--metric-goal must be max or min, not {word!r}")
    units, margins = by_metric("--unit", unit, given), margin_of(margin, given)
    floors = numbers_by_metric("--floor", floor, given)
    return [
        NamedMetric(
            name=name, goal=goals.get(name), unit=units.get(name), margin=margins.get(name), floor=floors.get(name)
        )
        for name in given or [""]
    ]

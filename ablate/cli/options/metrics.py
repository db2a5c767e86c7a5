"""The compared metrics of runs of other programs, each with a goal, a unit, a margin and a floor of its own."""

from __future__ import annotations

import csv
from collections.abc import Sequence

from ablate.errors import UsageError
from ablate.wording import unknown


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


def by_metric(flag: str, text: str | None, metrics: Sequence[str]) -> dict[str, str] | None:
    """Return the values in `0.5` or `acc=0.5,loss=0.02` by metric. A value without a name is that of the first metric.

    None for no text. Raises UsageError for a name that is not among the `metrics`, and for two values of one metric.
    """
    if text is None:
        return None
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

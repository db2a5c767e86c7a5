"""The curves of runs of other software, as a report draws them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class RecordedCurve:
    """A metric of one run by step.

    Attributes:
        steps: Ascending steps.
        values: The values, in the unit in which the report shows the metric. NaN and infinite ones are kept.
        scored_step: The step whose value is the score of the run; NaN if there is none.
    """

    steps: Sequence[float]
    values: Sequence[float]
    scored_step: float = math.nan


@dataclass(frozen=True)
class RecordedMetric:
    """A metric of all runs.

    Attributes:
        name: Its name.
        label: Its name with the unit of its values.
        goal: Whether higher (`max`) or lower (`min`) values are better.
        is_score: Whether the report compares its values.
        by_variant: The curves of the runs of each variant.
    """

    name: str
    label: str
    goal: str
    is_score: bool
    by_variant: Mapping[str, Sequence[RecordedCurve]]


@dataclass(frozen=True)
class RecordedCurves:
    """The curves that a report draws.

    Attributes:
        metrics: The metrics, the compared one first.
        choice: The step of the scores in words: `the last step`, `step 10`; empty if there was no choice.
        axis: Name of the steps: `step`, `epoch`.
    """

    metrics: Sequence[RecordedMetric]
    choice: str = ""
    axis: str = "step"

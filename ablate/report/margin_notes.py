"""Warnings about a goal that does not fit the metric, and a margin that does not fit the scores."""

from __future__ import annotations

import math
from itertools import pairwise

from ablate.report.analysis import Analysis
from ablate.stats.known_metrics import known_metric

FAR_BELOW = 0.1
"""Part of the smallest step between scores below which a margin may be in another unit: 0.005 for 0.5 points."""

_EQUAL = 1e-9
"""Part of the range of the scores up to which two of them are equal."""


def goal_note(analysis: Analysis) -> str:
    """Return a warning if the goal is the opposite of the one that the metric is known for."""
    metric = analysis.study.metric
    known = known_metric(metric.name)
    if known is None or known.goal == metric.goal:
        return ""
    usual, given = ("Higher", "lower") if known.goal == "max" else ("Lower", "higher")
    return f"{usual} {metric.label} is usually better, but the goal is {metric.goal}: {given} scores are gains"


def margin_note(analysis: Analysis) -> str:
    """Return a warning if no difference between two scores can exceed the margin, or every one does by far."""
    metric, margin, table = analysis.study.metric, analysis.study.margin, analysis.study.runs
    lost = table[table["status"] == "unstable"][metric.name].astype(float)
    if metric.floor is None and not (lost.abs() < math.inf).all():
        return ""  # an unstable run without a score may be anywhere
    scores = sorted(value for value in analysis.scores.to_numpy(dtype=float).ravel() if math.isfinite(value))
    extent = scores[-1] - scores[0] if scores else 0.0
    steps = [high - low for low, high in pairwise(scores) if high - low > _EQUAL * extent]
    if not steps:
        return ""
    stated = metric.with_unit(f"{margin:g}")
    if extent <= margin:
        return (
            f"The margin of {stated} is not smaller than the whole range of the scores "
            f"({scores[0]:.4g} to {scores[-1]:.4g}): no difference in these runs can exceed it. Is it in the unit of "
            f"{metric.label}?"
        )
    if margin >= FAR_BELOW * min(steps) * (1 - 1e-6):
        return ""
    advice = f". For a margin of {margin:g} as a fraction, use {margin * 100:g}" if metric.in_points else ""
    return (
        f"The margin of {stated} is far below the smallest step between two scores "
        f"({metric.with_unit(f'{min(steps):.3g}')}). Is it in the unit of {metric.label}?{advice.removeprefix('.')}"
    )

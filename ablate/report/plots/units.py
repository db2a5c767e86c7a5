"""Units and limits that the plots of a report share."""

from __future__ import annotations

from ablate.report.analysis import Analysis

MOST_PANELS = 40
"""Panels of a figure; the first are drawn."""


def unit_of(analysis: Analysis) -> str:
    """Return the unit of differences."""
    metric = analysis.study.metric
    return "points" if metric.in_points else metric.own_unit or "own unit"


def axis_of(analysis: Analysis) -> str:
    """Return the label of an axis of scores: the metric with its unit."""
    metric = analysis.study.metric
    unit = "%" if metric.in_points else metric.own_unit
    return f"{metric.label} ({unit})" if unit else metric.label

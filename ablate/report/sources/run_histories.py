"""The histories of runs of other software as the curves of a report."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from ablate.report.recorded_curves import RecordedCurve, RecordedCurves, RecordedMetric
from ablate.report.sources.columns import plain
from ablate.report.sources.readers.recorded_texts import number_in
from ablate.report.sources.readers.run_table import Curve, RunTable
from ablate.report.study_data import StudyData
from ablate.stats.known_metrics import known_metric
from ablate.stats.metric import Metric

MOST_METRICS = 4
MOST_LOADED = 500
"""Runs whose histories are loaded one by one, such as from an MLflow server; those of more runs are not drawn."""


def drawn_metrics(first: Sequence[str | None], recorded: Iterable[str]) -> list[str]:
    """Return the metrics to draw: the `first` ones if they were recorded at several steps, then known names."""
    names = list(recorded)
    known = (name for name in names if known_metric(plain(name)))
    wanted = dict.fromkeys([*(name for name in first if name in names), *known])
    return [name for name in islice(wanted, MOST_METRICS) if name]


def undrawn_histories(study: StudyData, runs: RunTable) -> list[str]:
    """Return a limit of the report if the histories of its runs are too many to load."""
    if runs.load_curves is None or not runs.drawn.metrics or len(study.runs) <= MOST_LOADED:
        return []
    return [
        f"Training curves of these {len(study.runs):,} runs are not drawn, since {runs.source} gives the history of "
        f"one run at a time. They are drawn for up to {MOST_LOADED} runs."
    ]


def recorded_curves(study: StudyData, runs: RunTable) -> RecordedCurves | None:
    """Return the curves of the finished and unstable runs of a study; None if there are none, or too many to load."""
    statuses, variants = study.runs["status"].tolist(), study.runs["variant"].map(str).tolist()
    rows = [
        (row, variant)
        for row, status, variant in zip(study.row_names, statuses, variants, strict=True)
        if status in ("finished", "unstable")
    ]
    names = list(runs.drawn.metrics)
    if runs.load_curves is None:
        curves: Mapping[Any, Mapping[str, Curve]] = runs.histories
    elif names and len(study.runs) <= MOST_LOADED:
        curves = {row: runs.load_curves(row, names) for row, _ in rows}
    else:
        return None
    metrics = [_metric(name, study, runs, rows, curves) for name in names]
    found = [one for one in metrics if any(len(curve.steps) > 1 for all_ in one.by_variant.values() for curve in all_)]
    return RecordedCurves(found, runs.drawn.choice, runs.drawn.axis) if found else None


def _metric(
    name: str,
    study: StudyData,
    runs: RunTable,
    rows: Sequence[tuple[Any, str]],
    curves: Mapping[Any, Mapping[str, Curve]],
) -> RecordedMetric:
    is_score = name == runs.drawn.score
    steps = runs.drawn.scored_steps if is_score else {}
    known = known_metric(plain(name))
    scale = _scale(study, runs, curves) if is_score else 1.0
    by_variant: dict[str, list[RecordedCurve]] = {}
    for row, variant in rows:
        if curve := curves.get(row, {}).get(name):
            values = curve.values if scale == 1 else [scale * value for value in curve.values]
            by_variant.setdefault(variant, []).append(RecordedCurve(curve.steps, values, steps.get(row, math.nan)))
    goal = study.metric.goal if is_score else known.goal if known else "max"
    label = _label(study.metric) if is_score else plain(name).replace("_", " ")
    return RecordedMetric(plain(name), label, goal, is_score, by_variant)


def _label(metric: Metric) -> str:
    unit = "%" if metric.in_points else metric.own_unit
    return f"{metric.label} ({unit})" if unit else metric.label


def _scale(study: StudyData, runs: RunTable, curves: Mapping[Any, Mapping[str, Curve]]) -> float:
    """Return the factor from recorded values to those that the report shows: recorded percentages are shown as such."""
    steps, name = runs.drawn.scored_steps, runs.drawn.score
    scores = dict(zip(study.row_names, study.runs[study.metric.name].tolist(), strict=True))
    for row, score in scores.items():
        curve = curves.get(row, {}).get(name)
        text = curve.at(steps[row]) if curve and row in steps else ""
        value = number_in(text)
        if math.isfinite(value) and value and math.isfinite(score):
            return study.metric.scale * (0.01 if math.isclose(value / 100, score, rel_tol=1e-9) else 1.0)
    return study.metric.scale

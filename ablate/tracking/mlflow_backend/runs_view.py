"""The runs table of the MLflow UI: columns, groups and charts, saved in the store, and the address that opens them.

MLflow keeps the state of a shared view in a tag of the experiment; the address names the tag. The fields are those of
MLflow's `ExperimentPageUIState` and `ExperimentPageSearchFacetsState`. Pages that compare experiments read the tag of
one of them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from ablate.tracking.mlflow_backend import schema
from ablate.tracking.mlflow_backend.store import Store

TRAINING_PAGES = "#/experiments?workflowType=machine_learning"
"""The list of experiments, with the pages for model training instead of those for language models."""

_UNCHANGED = {
    "startTime": "ALL",
    "lifecycleFilter": "Active",
    "datasetsFilter": [],
    "modelVersionFilter": "All Runs",
    "runsExpanded": {},
    "runsPinned": [],
    "runsHidden": [],
    "runsVisibilityMap": {},
    "groupsExpanded": {},
    "viewMaximized": False,
    "runListHidden": False,
    "hideEmptyCharts": True,
    "autoRefreshEnabled": True,
    "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
}
"""MLflow's own values of the other fields, without which the page of MLflow 3.10 fails."""

_MOST_LISTED = 400
"""Runs that fit into the condition of a view: a tag has at most 20,000 characters."""


@dataclass(frozen=True)
class RunsView:
    """The runs of a study in the MLflow UI.

    Attributes:
        experiments: Names of the experiments of the runs; the study's own comes first.
        shown: Identifiers of the runs.
        hidden: Identifiers of the other runs of these experiments.
        metric: Metric of the first column and the first chart.
        curves: Metrics of the line charts.
        other_metrics: Metrics whose charts are in sections that are closed at first.
        group: Tag whose values form the groups, or None.
    """

    experiments: Sequence[str]
    shown: Sequence[str]
    hidden: Sequence[str]
    metric: str
    curves: Sequence[str]
    other_metrics: Sequence[str]
    group: str | None


def save_view(store: Store, view: RunsView) -> str:
    """Save a view, and return the path and query of its page, relative to the address of the UI."""
    numbers = {name: number for number, name in store.experiments().items()}
    chosen = [numbers[name] for name in view.experiments if name in numbers]
    if not chosen:
        return TRAINING_PAGES
    key = f"ablate-{chosen[0]}"
    state = json.dumps(_state(view), separators=(",", ":"))
    for experiment in chosen:
        store.tag_experiment(experiment, schema.SHARED_VIEW + key, state)
    query = urlencode({"workflowType": "machine_learning", "viewStateShareKey": key})
    if len(chosen) == 1:
        return f"#/experiments/{key.removeprefix('ablate-')}/runs?{query}"
    return f"#/compare-experiments/s?experiments={quote(json.dumps(chosen, separators=(',', ':')))}&{query}"


def _state(view: RunsView) -> dict[str, Any]:
    metric, variant, seed = (
        f"metrics.`{view.metric}`",
        f"tags.`{view.group or schema.VARIANT}`",
        f"tags.`{schema.SEED}`",
    )
    grouping = {"aggregateFunction": "average", "groupByKeys": [{"mode": "tag", "groupByData": view.group}]}
    return _UNCHANGED | {
        "searchFilter": _condition(view),
        "orderByKey": f"tags.`{schema.HEARTBEAT}`",  # MLflow adds parent runs to runs in order of their start
        "orderByAsc": True,
        "selectedColumns": [metric, variant, seed],
        "columnOrder": [metric, variant, seed],
        "columnWidths": {metric: 100, variant: 110, seed: 90},
        "groupBy": grouping if view.group else None,
        "useGroupedValuesInCharts": True,
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": [_bar_chart(view.metric), *map(_line_chart, view.curves)],
        "compareRunSections": [
            *(_section(name) for name in ("Score", *(["Curves"] if view.curves else []))),
            *(_section(name, opened=False) for name in _sections(view.other_metrics)),
        ],
        "isAccordionReordered": True,
    }


def _condition(view: RunsView) -> str:
    """Return the search condition of the runs, by the shorter list of the runs to show or to hide."""
    runs = schema.where_tag(schema.KIND, schema.RUN)
    operator, listed = min(("NOT IN", view.hidden), ("IN", view.shown), key=lambda pair: len(pair[1]))
    if not view.hidden or len(listed) > _MOST_LISTED:
        return runs
    quoted = ", ".join(f"'{run}'" for run in listed)
    return f"{runs} AND attributes.run_id {operator} ({quoted})"


def _sections(metrics: Sequence[str]) -> list[str]:
    """Return the sections of MLflow's own charts, which are named after the part of a metric's name before the `/`."""
    return sorted({name.rpartition("/")[0] or "Model metrics" for name in metrics})


def _section(name: str, *, opened: bool = True) -> dict[str, Any]:
    section = {"uuid": name, "name": name, "display": opened, "isReordered": True}
    return section | {"deleted": False, "isGenerated": False}


def _bar_chart(metric: str) -> dict[str, Any]:
    return _chart("BAR", metric, "Score") | {"displayName": metric}


def _line_chart(metric: str) -> dict[str, Any]:
    return _chart("LINE", metric, "Curves") | {
        "selectedMetricKeys": [metric],
        "xAxisKey": "step",
        "selectedXAxisMetricKey": "",
        "xAxisScaleType": "linear",
        "yAxisKey": "metric",
        "selectedYAxisMetricKey": "metric",
        "yAxisExpressions": [],
        "scaleType": "linear",
        "range": {},
        "lineSmoothness": 0,
        "useGlobalLineSmoothing": True,
        "useGlobalXaxisKey": False,
        "ignoreOutliers": False,
    }


def _chart(kind: str, metric: str, section: str) -> dict[str, Any]:
    chart = {"uuid": f"{section} {metric}", "type": kind, "metricKey": metric, "metricSectionId": section}
    return chart | {"runsCountToCompare": 50, "deleted": False, "isGenerated": False}

"""Runs as a table for the statistics and `runs.csv`, one row per run."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ablate.journal.run_journal import Run
from ablate.stats.metric import FINAL_REASONS, Metric
from ablate.studies.conditions import IMPLEMENTATIONS

if TYPE_CHECKING:
    import pandas as pd


def judged(run: Run, metric: Metric) -> Run:
    """Return a run with its status under the floor of `metric`, which may have been declared after the run.

    A run that diverged while it was training is unstable under every floor, and its score is the floor.
    """
    score = run.metrics.get(metric.tracked, math.nan)
    is_finite = math.isfinite(score)
    if run.status == "unstable" and run.error not in FINAL_REASONS:
        if is_finite and score != run.floor:
            return run
        floor = math.nan if metric.floor is None else metric.floor
        return replace(run, metrics={**run.metrics, metric.tracked: floor})
    if not run.is_result or metric.tracked not in run.metrics:
        return run
    if is_finite and run.floor is None and metric.floor is None:
        return run
    reason = metric.unstable_reason(score)
    return replace(run, status="unstable" if reason else "finished", error=reason)


def run_row(run: Run, metric: Metric) -> dict[str, Any]:
    """Return one run as a row: variant, seed, status, headline metric, parameters, other metrics.

    The implementations of its layers, a condition, are left out.
    """
    params = {name: value for name, value in run.params.items() if name not in ("seed", IMPLEMENTATIONS)}
    others = {name: value for name, value in run.metrics.items() if name != metric.tracked}
    headline = {metric.name: run.metrics.get(metric.tracked)}
    return {"variant": run.variant, "seed": run.seed, "status": run.status, **headline, **params, **others}


def run_table(runs: Iterable[Run], metric: Metric) -> pd.DataFrame:
    """Return the runs as a table. Without runs, it has the main columns only."""
    import pandas as pd

    rows = [run_row(judged(run, metric), metric) for run in runs]
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=["variant", "seed", "status", metric.name])

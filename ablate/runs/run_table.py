"""Runs as a table for the statistics and `runs.csv`, one row per run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ablate.journal.run_journal import Run
from ablate.stats.metric import Metric

if TYPE_CHECKING:
    import pandas as pd


def run_row(run: Run, metric: Metric) -> dict[str, Any]:
    """Return one run as a row: variant, seed, status, headline metric, parameters, other metrics."""
    params = {name: value for name, value in run.params.items() if name != "seed"}
    others = {name: value for name, value in run.metrics.items() if name != metric.tracked}
    headline = {metric.name: run.metrics.get(metric.tracked)}
    return {"variant": run.variant, "seed": run.seed, "status": run.status, **headline, **params, **others}


def run_table(runs: Iterable[Run], metric: Metric) -> pd.DataFrame:
    """Return the runs as a table. Without runs, it has the main columns only."""
    import pandas as pd

    rows = [run_row(run, metric) for run in runs]
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=["variant", "seed", "status", metric.name])

"""Run tables for the tests of the statistics, including the known answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from ablate.stats.effects import Comparison
from ablate.stats.metric import Metric

BASELINE = [93.10, 93.32, 92.95, 93.21, 93.08]
NO_BATCH_NORM = [90.12, 90.35, 89.75, 90.40, 89.93]
NO_CLIP = [93.05, 93.30, 93.02, 93.12, 93.15]

ACCURACY = Metric("accuracy").with_floor(0.1)
RAW = Metric("score", unit="")
LOSS = Metric("perplexity", goal="min", unit="")


def run_table(arms: Mapping[str, Sequence[float]], metric: Metric = ACCURACY) -> pd.DataFrame:
    """Return finished runs with seeds 0, 1, ... from scaled values."""
    rows = [
        {"variant": variant, "seed": seed, "status": "finished", metric.name: value / metric.scale}
        for variant, values in arms.items()
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=["variant", "seed", "status", metric.name])


def with_status(
    table: pd.DataFrame, variant: str, seeds: Sequence[int], status: str, value: float | None = None
) -> pd.DataFrame:
    """Return the table with another status for some runs. `value`, unscaled, replaces their metric."""
    table = table.copy()
    chosen = (table["variant"] == variant) & table["seed"].isin(seeds)
    table.loc[chosen, "status"] = status
    if value is not None:
        table.loc[chosen, table.columns[-1]] = value
    return table


def planned(*variants: str, **settings: object) -> list[Comparison]:
    """Return comparisons of these arms with the baseline."""
    return [Comparison(variant, **settings) for variant in variants]  # type: ignore[arg-type]  # test shorthand

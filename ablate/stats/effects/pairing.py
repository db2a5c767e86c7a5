"""Read the run table: the seeds that two arms share, their scores, and the runs without a score."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ablate.errors import UserError
from ablate.stats.effects.types import Comparison, PairedSeeds
from ablate.stats.metric import Metric

if TYPE_CHECKING:
    import pandas as pd

USABLE = ("finished", "unstable")
STATUSES = (*USABLE, "failed", "out_of_memory", "killed", "pruned")
NO_VALUE = "without a value"  # a finished run whose metric is missing or not finite


@dataclass
class ArmRuns:
    """The runs of one variant: scaled scores by seed, unstable and attempted seeds, excluded runs by status."""

    values: dict[int, float] = field(default_factory=dict)
    unstable: set[int] = field(default_factory=set)
    attempted: set[int] = field(default_factory=set)
    excluded: Counter[str] = field(default_factory=Counter)


def read_arms(runs: pd.DataFrame, metric: Metric, seeds: Collection[int] | None = None) -> dict[str, ArmRuns]:
    """Return the arms of a run table by variant.

    An unstable run counts as its recorded value, or as the metric's floor if that is not finite.

    Args:
        runs: One row per run with the columns variant, seed, status and the metric.
        metric: The metric.
        seeds: The seeds to read; all by default.

    Raises:
        UserError: For a missing column, an unknown status, a seed that is not an integer, or two usable runs of one
            variant and seed.
    """
    _check(runs, metric)
    arms: dict[str, ArmRuns] = {}
    columns = runs["variant"].tolist(), _numbers(runs["seed"]), runs["status"].tolist(), _numbers(runs[metric.name])
    for variant, seed_value, status, number in zip(*columns, strict=True):
        seed = int(seed_value)
        if seeds is not None and seed not in seeds:
            continue
        arm = arms.setdefault(str(variant), ArmRuns())
        if status not in ("killed", "pruned"):
            arm.attempted.add(seed)
        if status not in USABLE or (status == "finished" and not math.isfinite(number)):
            arm.excluded[NO_VALUE if status in USABLE else status] += 1
            continue
        if status == "unstable":
            arm.unstable.add(seed)
        arm.values[seed] = _recorded(number, metric, str(variant), seed) * metric.scale
    return arms


def _recorded(number: float, metric: Metric, variant: str, seed: int) -> float:
    """Return the value that an unstable run counts as."""
    if math.isfinite(number):
        return number
    if metric.floor is None:
        raise UserError(
            f"{variant} seed {seed} is unstable and its {metric.name} is not finite: set the floor that it counts as"
        )
    return metric.floor


def _check(runs: pd.DataFrame, metric: Metric) -> None:
    """Raise UserError for an invalid table, naming the rows."""
    missing = [name for name in ("variant", "seed", "status", metric.name) if name not in runs.columns]
    if missing:
        columns = ", ".join(map(str, runs.columns))
        raise UserError(f"Missing column in the run table: {', '.join(missing)}. Its columns are {columns}")
    unknown = runs[~runs["status"].isin(STATUSES)]
    if len(unknown):
        raise UserError(f"Unknown status in {_rows(unknown, 'status')}. Use one of {', '.join(STATUSES)}")
    unnamed = runs[runs["variant"].isna()]
    if len(unnamed):
        raise UserError(f"Missing variant in row {', '.join(map(str, unnamed.index[:5]))} of the run table")
    seeds = np.array(_numbers(runs["seed"]))
    fractional = runs[~(np.isfinite(seeds) & (np.floor(seeds) == seeds))]
    if len(fractional):
        raise UserError(f"The seed is not an integer in {_rows(fractional, 'seed')}")
    empty = runs[metric.name].isna() | runs[metric.name].astype(str).str.strip().str.lower().isin(["", "nan"])
    not_numeric = runs[np.isnan(_numbers(runs[metric.name])) & ~empty.to_numpy(dtype=bool)]
    if len(not_numeric):
        raise UserError(f"{metric.name} is not a number in {_rows(not_numeric, metric.name)}")
    usable = runs[runs["status"].isin(USABLE)]
    duplicates = usable[usable.duplicated(["variant", "seed"], keep=False)].drop_duplicates(["variant", "seed"])
    if len(duplicates):
        raise UserError(f"More than one finished run of {_rows(duplicates, 'seed')}: keep one row per variant and seed")


def _rows(rows: pd.DataFrame, column: str) -> str:
    """Return the first invalid rows as text, with the number of the others."""
    named = [
        f"{variant} seed {seed}" + ("" if column == "seed" else f" ({value})")
        for variant, seed, value in zip(
            rows["variant"].tolist(), rows["seed"].tolist(), rows[column].tolist(), strict=True
        )
    ]
    return ", ".join(named[:5]) + (f" and {len(named) - 5} more" if len(named) > 5 else "")


def _numbers(column: pd.Series) -> list[float]:
    """Return a column as floats, NaN for values that are not numbers."""
    import pandas as pd

    return [
        float(value) for value in pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    ]


def pair(arms: Mapping[str, ArmRuns], comparison: Comparison) -> PairedSeeds:
    """Return the scores of both arms of a comparison at their shared seeds."""
    variant = arms.get(comparison.variant, ArmRuns())
    reference = arms.get(comparison.reference, ArmRuns())
    seeds = sorted(variant.values.keys() & reference.values.keys())
    return PairedSeeds(
        seeds=tuple(seeds),
        reference=tuple(reference.values[seed] for seed in seeds),
        variant=tuple(variant.values[seed] for seed in seeds),
        unstable=tuple(seed for seed in seeds if seed in variant.unstable),
        reference_unstable=tuple(seed for seed in seeds if seed in reference.unstable),
        excluded=dict(variant.excluded),
    )


def score_table(runs: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """Return scaled scores, one row per variant and one column per seed. NaN marks a missing score."""
    import pandas as pd

    arms = read_arms(runs, metric)
    table = pd.DataFrame({name: pd.Series(arm.values, dtype=float) for name, arm in arms.items()}).T
    return table.reindex(sorted(table.columns), axis=1)

"""The run table, read once: which seeds two arms share, with which values, and what happened to the rest."""

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
    """One variant's runs: scaled values and unstable seeds by seed, and counts of what is left out, by status."""

    values: dict[int, float] = field(default_factory=dict)
    unstable: set[int] = field(default_factory=set)
    attempted: set[int] = field(default_factory=set)
    excluded: Counter[str] = field(default_factory=Counter)


def read_arms(runs: pd.DataFrame, metric: Metric, seeds: Collection[int] | None = None) -> dict[str, ArmRuns]:
    """The arms of a run table with the columns variant, seed, status and the metric; `seeds` keeps only those.

    An unstable run counts at its recorded value, at the metric's floor if that is not finite. Raises UserError for
    missing columns, unknown statuses, seeds that are no whole numbers, and two usable runs of one variant and seed.
    """
    _check(runs, metric)
    arms: dict[str, ArmRuns] = {}
    columns = runs["variant"].tolist(), _numbers(runs["seed"]), runs["status"].tolist(), _numbers(runs[metric.name])
    for variant, whole, status, number in zip(*columns, strict=True):
        seed = int(whole)
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
    """The value that an unstable run counts at."""
    if math.isfinite(number):
        return number
    if metric.floor is None:
        raise UserError(
            f"{variant} seed {seed} is unstable without a finite {metric.name}: say what that counts as (the floor)"
        )
    return metric.floor


def _check(runs: pd.DataFrame, metric: Metric) -> None:
    """Raise UserError for a table that cannot be read, naming the rows."""
    missing = [name for name in ("variant", "seed", "status", metric.name) if name not in runs.columns]
    if missing:
        raise UserError(f"the run table has no column {', '.join(missing)}; it has {', '.join(map(str, runs.columns))}")
    unknown = runs[~runs["status"].isin(STATUSES)]
    if len(unknown):
        raise UserError(f"unknown status in {_rows(unknown, 'status')}: use one of {', '.join(STATUSES)}")
    nameless = runs[runs["variant"].isna()]
    if len(nameless):
        raise UserError(f"no variant in row {', '.join(map(str, nameless.index[:5]))} of the run table")
    seeds = np.array(_numbers(runs["seed"]))
    odd = runs[~(np.isfinite(seeds) & (np.floor(seeds) == seeds))]
    if len(odd):
        raise UserError(f"the seed is no whole number in {_rows(odd, 'seed')}")
    empty = runs[metric.name].isna() | runs[metric.name].astype(str).str.strip().str.lower().isin(["", "nan"])
    words = runs[np.isnan(_numbers(runs[metric.name])) & ~empty.to_numpy(dtype=bool)]
    if len(words):
        raise UserError(f"{metric.name} is no number in {_rows(words, metric.name)}")
    usable = runs[runs["status"].isin(USABLE)]
    doubled = usable[usable.duplicated(["variant", "seed"], keep=False)].drop_duplicates(["variant", "seed"])
    if len(doubled):
        raise UserError(f"more than one finished run of {_rows(doubled, 'seed')}: keep one row a variant and seed")


def _rows(rows: pd.DataFrame, column: str) -> str:
    """The first offending rows in words, counting the rest."""
    named = [
        f"{variant} seed {seed}" + ("" if column == "seed" else f" ({value})")
        for variant, seed, value in zip(
            rows["variant"].tolist(), rows["seed"].tolist(), rows[column].tolist(), strict=True
        )
    ]
    return ", ".join(named[:5]) + (f" and {len(named) - 5} more" if len(named) > 5 else "")


def _numbers(column: pd.Series) -> list[float]:
    """A column as floats, NaN for what is no number."""
    import pandas as pd

    return [
        float(value) for value in pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    ]


def pair(arms: Mapping[str, ArmRuns], comparison: Comparison) -> PairedSeeds:
    """The seeds that both arms of a comparison have, with their values."""
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
    """Scaled values, a row a variant and a column a seed; NaN where there is no usable run."""
    import pandas as pd

    arms = read_arms(runs, metric)
    table = pd.DataFrame({name: pd.Series(arm.values, dtype=float) for name, arm in arms.items()}).T
    return table.reindex(sorted(table.columns), axis=1)

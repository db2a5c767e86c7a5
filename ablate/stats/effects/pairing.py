"""Read the run table: the seeds that two arms share, their scores, and the runs without a score."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ablate.errors import UserError
from ablate.stats.effects.repeated_scores import repeats_alone
from ablate.stats.effects.seeds import Seed, integer, read_seeds
from ablate.stats.effects.types import EQUAL, Comparison, PairedSeeds
from ablate.stats.metric import Metric

if TYPE_CHECKING:
    import pandas as pd

USABLE = ("finished", "unstable")
STATUSES = (*USABLE, "failed", "out_of_memory", "killed", "pruned")
NO_VALUE = "without a value"  # a finished run whose metric is missing
LARGEST = 1.797e308  # MLflow's SQL stores write infinity as the largest double


@dataclass
class ArmRuns:
    """The runs of one variant: scaled scores by seed, unstable and attempted seeds, excluded runs by status.

    `values` holds NaN for an unstable run whose score is not finite, without a floor.
    """

    values: dict[Seed, float] = field(default_factory=dict)
    unstable: set[Seed] = field(default_factory=set)
    attempted: set[Seed] = field(default_factory=set)
    excluded: Counter[str] = field(default_factory=Counter)

    @property
    def repeats(self) -> bool | None:
        """Whether the runs of all seeds end alike: with equal scores, or all unstable. None for a single run."""
        if len(self.values) < 2:
            return None
        if self.unstable:
            return len(self.unstable) == len(self.values)
        scores = self.values.values()
        return max(scores) - min(scores) <= EQUAL * max(map(abs, scores))


@dataclass(frozen=True)
class Arms:
    """The runs of a study by variant."""

    by_variant: Mapping[str, ArmRuns]

    def get(self, variant: str) -> ArmRuns:
        """Return the runs of a variant, none for an unknown one."""
        return self.by_variant.get(variant, ArmRuns())

    @cached_property
    def repeats(self) -> bool:
        """Whether every arm repeats its score exactly over its seeds: the seed does not reach the training."""
        found = [(arm, arm.repeats) for arm in self.by_variant.values() if arm.values]
        return all(repeats is not False for _, repeats in found) and any(
            repeats and not arm.unstable for arm, repeats in found
        )


def read_arms(runs: pd.DataFrame, metric: Metric, seeds: Collection[Seed] | None = None) -> Arms:
    """Return the arms of a run table.

    A finished run with an infinite score is unstable. An unstable run counts as its recorded value, as the metric's
    floor if that is not finite, and as NaN if there is no floor.

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
    found = read_seeds(runs["seed"].tolist()) or []
    columns = runs["variant"].tolist(), found, runs["status"].tolist(), _numbers(runs[metric.name])
    for variant, seed, status, number in zip(*columns, strict=True):
        if seeds is not None and seed not in seeds:
            continue
        arm = arms.setdefault(str(variant), ArmRuns())
        if status not in ("killed", "pruned"):
            arm.attempted.add(seed)
        if status not in USABLE or (status == "finished" and math.isnan(number)):
            arm.excluded[NO_VALUE if status in USABLE else status] += 1
            continue
        is_finite = abs(number) < LARGEST
        if status == "unstable" or not is_finite:
            arm.unstable.add(seed)
        floor = math.nan if metric.floor is None else metric.floor
        arm.values[seed] = metric.scale * (number if is_finite else floor)
    return Arms(arms)


def _check(runs: pd.DataFrame, metric: Metric) -> None:
    """Raise UserError for an invalid table, naming the rows."""
    missing = [name for name in ("variant", "seed", "status", metric.name) if name not in runs.columns]
    if missing:
        columns = ", ".join(map(str, runs.columns))
        raise UserError(f"Missing column in the run table: {', '.join(missing)}. Its columns are {columns}")
    statuses = runs["status"].tolist()
    if not set(statuses).issubset(STATUSES):
        unknown = runs[~runs["status"].isin(STATUSES)]
        raise UserError(f"Unknown status in {_rows(unknown, 'status')}. Use one of {', '.join(STATUSES)}")
    unnamed = runs["variant"].isna().to_numpy(dtype=bool)
    if unnamed.any():
        raise UserError(f"Missing variant in row {', '.join(map(str, runs.index[unnamed][:5]))} of the run table")
    seeds = read_seeds(runs["seed"].tolist())
    if seeds is None:
        fractional = runs[[integer(seed) is None for seed in runs["seed"].tolist()]]
        raise UserError(f"The seed is not an integer in {_rows(fractional, 'seed')}")
    missing_numbers = np.isnan(_numbers(runs[metric.name]))
    if missing_numbers.any():
        scores = runs[metric.name]
        empty = scores.isna() | scores.astype(str).str.strip().str.lower().isin(["", "nan"])
        not_numeric = runs[missing_numbers & ~empty.to_numpy(dtype=bool)]
        if len(not_numeric):
            raise UserError(f"{metric.name} is not a number in {_rows(not_numeric, metric.name)}")
    keys = list(zip(map(str, runs["variant"].tolist()), seeds, strict=True))
    counts = Counter(key for key, status in zip(keys, statuses, strict=True) if status in USABLE)
    if repeated := [key for key, number in counts.items() if number > 1]:
        first = runs.iloc[[keys.index(key) for key in repeated]]
        raise UserError(f"More than one finished run of {_rows(first, 'seed')}: keep one row per variant and seed")


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


def pair(arms: Arms, comparison: Comparison, *, is_unpaired: bool = False) -> PairedSeeds:
    """Return the scores of both arms of a comparison at their shared seeds, or one seed if every arm repeats itself.

    The scores of all their runs if `is_unpaired`.
    """
    variant, reference = arms.get(comparison.variant), arms.get(comparison.reference)
    shared = sorted(variant.values.keys() & reference.values.keys())
    seeds = shared[:1] if arms.repeats else shared
    if is_unpaired:
        return _unpaired(arms, comparison)
    scores = [tuple(arm.values[seed] for seed in seeds) for arm in (variant, reference)]
    return PairedSeeds(
        seeds=tuple(seeds),
        reference=scores[1],
        variant=scores[0],
        unstable=tuple(seed for seed in seeds if seed in variant.unstable),
        reference_unstable=tuple(seed for seed in seeds if seed in reference.unstable),
        excluded=dict(variant.excluded),
        repeats=len(shared) if arms.repeats else 0,
        repeating=_repeating(comparison, variant, reference, scores),
    )


def _repeating(comparison: Comparison, variant: ArmRuns, reference: ArmRuns, scores: Sequence[Sequence[float]]) -> str:
    """Return the variant that repeats its score while the other one varies; empty without one."""
    own, other = scores
    if not variant.unstable and repeats_alone(own, other):
        return comparison.variant
    return comparison.reference if not reference.unstable and repeats_alone(other, own) else ""


def _unpaired(arms: Arms, comparison: Comparison) -> PairedSeeds:
    """Return the scores of all runs of both arms, or one of each if every arm repeats itself."""
    variant, reference = arms.get(comparison.variant), arms.get(comparison.reference)
    most = 1 if arms.repeats else None
    seeds, other = (tuple(sorted(arm.values))[:most] for arm in (variant, reference))
    scores = [tuple(arm.values[seed] for seed in some) for arm, some in ((variant, seeds), (reference, other))]
    return PairedSeeds(
        seeds=seeds,
        reference=scores[1],
        variant=scores[0],
        unstable=tuple(seed for seed in seeds if seed in variant.unstable),
        reference_unstable=tuple(seed for seed in other if seed in reference.unstable),
        excluded=dict(variant.excluded),
        repeats=max(len(variant.values), len(reference.values)) if arms.repeats else 0,
        repeating=_repeating(comparison, variant, reference, scores),
        reference_seeds=other,
    )


@dataclass(frozen=True)
class Scores:
    """The scores of a study as tables, one row per variant and one column per seed.

    Attributes:
        values: Scaled scores. NaN marks a missing score, or that of an unstable run without a finite one or a floor.
        unstable: Whether the run is unstable.
        repeats: Number of seeds over which every variant repeats its score exactly, so that the tables hold one of
            them; 0 if the scores vary.
    """

    values: pd.DataFrame
    unstable: pd.DataFrame
    repeats: int = 0


def read_scores(runs: pd.DataFrame, metric: Metric) -> Scores:
    """Return the scores of a run table. Raises UserError as `read_arms` does."""
    import pandas as pd

    arms = read_arms(runs, metric)
    columns = {name: pd.Series(arm.values, dtype=float) for name, arm in arms.by_variant.items()}
    table = pd.DataFrame(columns).T
    seeds = sorted({seed for arm in arms.by_variant.values() for seed in arm.values})
    repeats = len(seeds) if arms.repeats else 0
    if repeats:
        present = [sum(seed in arm.values for arm in arms.by_variant.values()) for seed in seeds]
        seeds = [seeds[int(np.argmax(present))]]
    table = table.reindex(seeds, axis=1)
    marks = [[seed in arms.by_variant[name].unstable for seed in seeds] for name in table.index]
    unstable = pd.DataFrame(marks, index=table.index, columns=table.columns, dtype=bool)
    return Scores(table, unstable, repeats)

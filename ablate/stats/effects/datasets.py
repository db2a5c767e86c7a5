"""Effects over several data sets: the mean over them, a prediction for a new one, and what holds on every one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from ablate.stats.effects.criteria import Criteria
from ablate.stats.effects.effect import Effect
from ablate.stats.effects.estimate import family_effects
from ablate.stats.effects.inference import moments, quantile
from ablate.stats.effects.types import ALPHA, MIN_SEEDS, Comparison, PairedSeeds, Protocol
from ablate.stats.metric import Metric

FAMILY = "over the data sets"
FEW_DATASETS = 10
"""Data sets from which tests of ranks are made."""


@dataclass(frozen=True)
class PooledEffect:
    """The effect of a variant over data sets.

    Attributes:
        effect: The unweighted mean of the differences, with the data sets as the pairs, and its verdict.
        datasets: The data sets with a difference.
        missing: The data sets without one.
        by_dataset: The effects on single data sets.
        prediction: The 95 % prediction interval of the difference on a new data set; NaN below two data sets.
        p_every: The largest p of the single data sets (intersection-union test); NaN if one has no test or is missing.
        p_wilcoxon: P-value of Wilcoxon's signed ranks over at least ten data sets; NaN for fewer.
    """

    effect: Effect
    datasets: tuple[str, ...]
    missing: tuple[str, ...]
    by_dataset: tuple[Effect, ...]
    prediction: tuple[float, float]
    p_every: float
    p_wilcoxon: float

    @property
    def sign_on_every(self) -> int:
        """+1 or -1 if every data set has a real difference of that sign, and enough repetitions; 0 otherwise."""
        signs = {math.copysign(1, effect.delta) for effect in self.by_dataset}
        enough = all(effect.n >= MIN_SEEDS for effect in self.by_dataset)
        return int(signs.pop()) if len(signs) == 1 and enough and self.p_every < ALPHA else 0


def prediction_interval(differences: ArrayLike, level: float = 1 - ALPHA) -> tuple[float, float]:
    """Return the prediction interval of a new data set's difference: mean -+ t(k - 1) s sqrt(1 + 1/k)."""
    values = np.asarray(differences, dtype=np.float64)
    k = len(values)
    if k < 2:
        return math.nan, math.nan
    mean, sd = map(float, moments(values))
    half = quantile((1 + level) / 2, k - 1) * sd * math.sqrt(1 + 1 / k)
    return mean - half, mean + half


def pooled_effects(
    by_variant: Sequence[tuple[Comparison, Sequence[tuple[str, Effect | None]]]],
    metric: Metric,
    margin: float,
    protocol: Protocol,
) -> list[PooledEffect]:
    """Return the effect of each variant over data sets, with Holm's correction over the variants.

    The mean of the mean differences has a t interval with k - 1 degrees of freedom for k data sets: it speaks of data
    sets like these, however many seeds each has.

    Args:
        by_variant: The comparison of each variant, and its effect by data set; None where it has no runs.
        metric: The metric.
        margin: The smallest difference that matters.
        protocol: What was fixed before the runs.
    """
    protocol = replace(protocol, replicates="data sets", fold_ratio=0.0)
    known = [
        [(name, effect) for name, effect in effects if effect is not None and math.isfinite(effect.delta)]
        for _, effects in by_variant
    ]
    pairs = [
        PairedSeeds(
            seeds=tuple(name for name, _ in rows),
            reference=tuple(effect.baseline_mean for _, effect in rows),
            variant=tuple(effect.variant_mean for _, effect in rows),
        )
        for rows in known
    ]
    comparisons = [replace(comparison, family=FAMILY) for comparison, _ in by_variant]
    effects = family_effects(comparisons, pairs, Criteria(metric, margin, protocol))
    return [
        _pooled(effect, rows, [name for name, _ in given])
        for effect, rows, (_, given) in zip(effects, known, by_variant, strict=True)
    ]


def _pooled(effect: Effect, rows: Sequence[tuple[str, Effect]], names: Sequence[str]) -> PooledEffect:
    datasets = tuple(name for name, _ in rows)
    missing = tuple(name for name in names if name not in datasets)
    differences = [row.delta for _, row in rows]
    p_values = [row.p for _, row in rows]
    return PooledEffect(
        effect=effect,
        datasets=datasets,
        missing=missing,
        by_dataset=tuple(row for _, row in rows),
        prediction=prediction_interval(differences),
        p_every=max(p_values) if p_values and not missing and all(map(math.isfinite, p_values)) else math.nan,
        p_wilcoxon=wilcoxon_p(differences),
    )


def wilcoxon_p(differences: Sequence[float]) -> float:
    """Return the p-value of Wilcoxon's (1945) signed ranks; NaN below ten data sets, or without a difference."""
    if len(differences) < FEW_DATASETS or not any(differences):
        return math.nan
    from scipy import stats

    return float(stats.wilcoxon(differences).pvalue)


@dataclass(frozen=True)
class AverageRanks:
    """The average ranks of variants over data sets.

    Attributes:
        ranks: Average rank by variant, 1 is the best, ascending.
        n: Number of data sets.
        p_friedman: P-value of Friedman's test that all variants have equal ranks.
        critical_difference: Difference of average ranks beyond which two variants differ (Nemenyi), at level .05.
    """

    ranks: dict[str, float]
    n: int
    p_friedman: float
    critical_difference: float


def average_ranks(means: Mapping[str, Sequence[float]], better: int) -> AverageRanks | None:
    """Return the average ranks of at least three variants over at least ten data sets (Demsar, 2006); None for fewer.

    Args:
        means: Mean score on each data set, by variant.
        better: +1 if higher is better, else -1.
    """
    table = np.array(list(means.values()), dtype=np.float64)
    if table.ndim != 2 or table.shape[0] < 3 or table.shape[1] < FEW_DATASETS or not np.isfinite(table).all():
        return None
    from scipy import stats

    k, n = table.shape
    ranks = stats.rankdata(-better * table, axis=0).mean(axis=1)
    ordered = dict(sorted(zip(means, ranks.tolist(), strict=True), key=lambda row: row[1]))
    quantile_of_range = float(stats.studentized_range.ppf(1 - ALPHA, k, math.inf))
    critical = quantile_of_range / math.sqrt(2) * math.sqrt(k * (k + 1) / (6 * n))
    return AverageRanks(ordered, n, float(stats.friedmanchisquare(*table).pvalue), critical)

"""Other tests of a comparison, the share of improved seeds, and the difference without unstable runs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ablate.stats.effects.inference import correlation, moments, wilson
from ablate.stats.effects.pair_statistics import differences, stable_part
from ablate.stats.effects.sign_flip import sign_flip_p
from ablate.stats.effects.types import PairedSeeds, Replicates
from ablate.stats.effects.unpaired import welch_p
from ablate.stats.metric import Metric


def sensitivity_columns(pair: PairedSeeds, metric: Metric, replicates: Replicates = "seeds") -> dict[str, float]:
    """Return the difference among survivors, Welch, sign-flip, probability of improvement and rho.

    What needs pairs is NaN without them, and tests that need independent repetitions are NaN for folds.
    """
    if pair.is_unpaired:
        return _unpaired_columns(pair)
    change, kept = differences(pair), np.asarray(pair.survivors, dtype=bool)
    wins = _wins(pair, metric)
    low, high = wilson(wins, pair.n)
    flat = pair.n > 1 and sd_of(change.tolist()) <= pair.tolerance
    is_independent = replicates != "folds" and not pair.repeating
    return {
        "delta_survivors": pair.average.delta_survivors if pair.average else mean_of(change[kept].tolist()),
        "p_welch": welch_p(pair.variant, pair.reference, pair.tolerance) if is_independent else math.nan,
        "p_signflip": sign_flip_p(change.tolist(), pair.tolerance) if is_independent else math.nan,
        "p_improve": wins / pair.n if pair.n else math.nan,
        "improve_low": low if is_independent else math.nan,
        "improve_high": high if is_independent else math.nan,
        "rho": math.nan if flat else correlation(pair.reference, pair.variant, pair.tolerance),
    }


def _unpaired_columns(pair: PairedSeeds) -> dict[str, float]:
    stable = stable_part(pair)
    names = ("p_signflip", "p_improve", "improve_low", "improve_high", "rho")
    return {
        "delta_survivors": mean_of(stable.variant) - mean_of(stable.reference),
        "p_welch": welch_p(pair.variant, pair.reference, pair.least_sd),
        **dict.fromkeys(names, math.nan),
    }


def _wins(pair: PairedSeeds, metric: Metric) -> float:
    """Return the number of seeds in which the variant is better, a tie as half. No score is the worst score."""
    better = np.array([pair.variant, pair.reference], dtype=np.float64) * metric.better
    variant, reference = np.where(np.isfinite(better), better, -np.finfo(float).max)
    gain = variant - reference
    return float(np.sum(gain > pair.tolerance) + 0.5 * np.sum(np.abs(gain) <= pair.tolerance))


def mean_of(values: Sequence[float]) -> float:
    """Return the mean; NaN without values."""
    if len(values) < 2:
        return float(values[0]) if len(values) else math.nan
    return float(moments(values)[0])


def sd_of(values: Sequence[float]) -> float:
    """Return the standard deviation; NaN below two values."""
    return float(moments(values)[1]) if len(values) > 1 else math.nan

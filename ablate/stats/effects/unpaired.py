"""Tests of unpaired and partly paired runs: Welch's t test, and Derrick's as a sensitivity analysis."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ablate.stats.effects.inference import Floats, PairedT, moments, power_of_two, t_statistics, upper_tail
from ablate.stats.effects.types import ALPHA, EQUAL

if TYPE_CHECKING:
    from ablate.stats.effects.seeds import Seed


def welch_t(
    variant: ArrayLike,
    reference: ArrayLike,
    margin: float,
    alpha: float = ALPHA,
    comparisons: int = 1,
    tolerance: ArrayLike = 0.0,
) -> PairedT:
    """Return Welch's (1947) t test and two one-sided tests of the difference of two means, without pairs.

    `n` is the smaller number of runs, and `sd` is sqrt(n (s1^2/n1 + s2^2/n2)), so that sd/sqrt(n) is the standard
    error. Without variance, and below two runs of an arm, all statistics except the difference and the SD are NaN.

    Args:
        variant: Scores of the variant, shape (..., n1).
        reference: Scores of the reference, shape (..., n2).
        margin: The equivalence margin of TOST.
        alpha: Error rate; the intervals have levels 1 - alpha and 1 - alpha/comparisons.
        comparisons: Size of the family.
        tolerance: The largest SD that counts as none.
    """
    one, other = (np.asarray(arm, dtype=np.float64) for arm in (variant, reference))
    n = min(one.shape[-1], other.shape[-1])
    if n < 2:
        unknown = np.full(one.shape[:-1], np.nan)
        delta = one.mean(axis=-1) - other.mean(axis=-1) if n else unknown
        return PairedT(n, delta, *([unknown] * 7))
    (mean, spread), (other_mean, other_spread) = moments(one), moments(other)
    errors = spread / math.sqrt(one.shape[-1]), other_spread / math.sqrt(other.shape[-1])
    sd = np.hypot(*errors) * math.sqrt(n)
    varying = np.where(np.maximum(spread, other_spread) > np.asarray(tolerance), sd, np.nan)
    freedom = np.asarray(welch_freedom(*errors, one.shape[-1], other.shape[-1]))
    statistics = t_statistics(mean - other_mean, varying, n, freedom, margin, alpha, comparisons)
    return replace(statistics, sd=sd)


def welch_p(variant: ArrayLike, reference: ArrayLike, tolerance: float = 0.0) -> float:
    """Return the p-value of Welch's test, as a sensitivity analysis of pairs. NaN if neither arm varies."""
    exponent = power_of_two(variant, reference)
    one, other = (np.ldexp(np.asarray(arm, dtype=np.float64), -exponent) for arm in (variant, reference))
    return float(welch_t(one, other, 1.0, tolerance=np.ldexp(tolerance, -exponent)).p)


def welch_freedom(error: ArrayLike, other_error: ArrayLike, n: int, other_n: int) -> Floats:
    """Return the degrees of freedom of Welch and Satterthwaite from the standard errors of two means.

    Those of n - 1 and other_n - 1 if neither mean has an error.
    """
    one, other = np.asarray(error, dtype=np.float64), np.asarray(other_error, dtype=np.float64)
    largest = np.maximum(one, other)
    scale = np.where(largest > 0, largest, 1.0)
    one, other = np.where(largest > 0, one / scale, 1.0) ** 2, np.where(largest > 0, other / scale, 1.0) ** 2
    return np.asarray((one + other) ** 2 / (one**2 / (n - 1) + other**2 / (other_n - 1)), dtype=np.float64)


@dataclass(frozen=True)
class PartlyPaired:
    """Derrick's test of partly paired runs.

    Attributes:
        n: Number of pairs.
        n_variant: Number of runs of the variant without a pair.
        n_reference: Number of runs of the reference without a pair.
        delta: Mean of all runs of the variant minus that of all runs of the reference.
        error: Its standard error.
        freedom: Degrees of freedom.
        p: Two-sided p-value.
    """

    n: int
    n_variant: int
    n_reference: int
    delta: float
    error: float
    freedom: float
    p: float


def partly_paired_t(variant: Mapping[Seed, float], reference: Mapping[Seed, float]) -> PartlyPaired | None:
    """Return the test T_new2 of Derrick, Russ, Toher and White (2017) of all runs, of which some are paired by seed.

    It has the standard error sqrt(s1^2/n1 + s2^2/n2 - 2 r s1 s2 c/(n1 n2)) for c pairs with correlation r, and degrees
    of freedom between those of the paired test and those of Welch's.

    Args:
        variant: Scores of the variant by seed.
        reference: Scores of the reference by seed.

    Returns:
        The test; None if no run is without a pair, below three pairs, or if the scores do not vary.
    """
    shared = sorted(variant.keys() & reference.keys(), key=str)
    c, n, other_n = len(shared), len(variant), len(reference)
    scores = np.array([*variant.values()]), np.array([*reference.values()])
    if c < 3 or n + other_n == 2 * c or not all(np.isfinite(arm).all() for arm in scores):
        return None
    (mean, sd), (other_mean, other_sd) = (tuple(map(float, moments(arm))) for arm in scores)
    pairs = np.array([variant[seed] for seed in shared]), np.array([reference[seed] for seed in shared])
    tolerance = EQUAL * max(float(np.abs(arm).max()) for arm in scores)
    if min(float(moments(arm)[1]) for arm in pairs) <= tolerance:
        return None
    rho = float(np.corrcoef(*pairs)[0, 1])
    error = math.sqrt(max(0.0, sd**2 / n + other_sd**2 / other_n - 2 * rho * sd * other_sd * c / (n * other_n)))
    if error == 0:
        return None
    welch = float(welch_freedom(sd / math.sqrt(n), other_sd / math.sqrt(other_n), n, other_n))
    alone = n + other_n - 2 * c
    freedom = c - 1 + (welch - c + 1) / (n + other_n) * alone
    delta = mean - other_mean
    return PartlyPaired(n=c, n_variant=n - c, n_reference=other_n - c, delta=delta, error=error, freedom=freedom,
                        p=2 * float(upper_tail(abs(delta) / error, freedom)))  # fmt: skip

"""Tests and intervals on plain arrays, for one study or for thousands of simulated studies at once."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from ablate.stats.effects.types import ALPHA, Verdict

Floats = NDArray[np.float64]

CODES: dict[Verdict, int] = {verdict: code for code, verdict in enumerate(Verdict)}


def upper_tail(statistic: ArrayLike, freedom: float | Floats) -> Floats:
    """Return P(T > statistic) for Student's t with `freedom` degrees of freedom."""
    return np.asarray(special.stdtr(freedom, -np.asarray(statistic, dtype=np.float64)), dtype=np.float64)


@overload
def quantile(probability: float, freedom: float) -> float: ...
@overload
def quantile(probability: float, freedom: Floats) -> Floats: ...
def quantile(probability: float, freedom: float | Floats) -> float | Floats:
    """Return the `probability` quantile of Student's t with `freedom` degrees of freedom."""
    found = np.asarray(special.stdtrit(freedom, probability), dtype=np.float64)
    return found if isinstance(freedom, np.ndarray) else float(found)


def power_of_two(*values: ArrayLike) -> int:
    """Return the exponent of the power of two that scales the largest |finite value| to [0.5, 1).

    Scaling by it is exact, and squares of the scaled values neither overflow nor vanish, whatever the unit.
    """
    arrays = [np.abs(np.asarray(array, dtype=np.float64)) for array in values]
    return int(np.frexp(max(array[np.isfinite(array)].max(initial=0.0) for array in arrays))[1])


def moments(values: ArrayLike) -> tuple[Floats, Floats]:
    """Return mean and SD over the last axis, of at least two values."""
    array = np.asarray(values, dtype=np.float64)
    exponent = power_of_two(array)
    scaled = np.ldexp(array, -exponent)
    return np.ldexp(scaled.mean(axis=-1), exponent), np.ldexp(scaled.std(axis=-1, ddof=1), exponent)


@dataclass(frozen=True)
class PairedT:
    """The t statistics of pairs. Each array has the shape of the differences without their last axis, the seeds.

    Those of unpaired runs and of folds have the same form: the standard error is sd/sqrt(n).
    """

    n: int
    delta: Floats
    sd: Floats
    low: Floats
    high: Floats
    fw_low: Floats
    fw_high: Floats
    p: Floats
    p_tost: Floats


def paired_t(
    differences: ArrayLike, margin: float, alpha: float = ALPHA, comparisons: int = 1, tolerance: ArrayLike = 0.0
) -> PairedT:
    """Return the paired t test (Student, 1908) and two one-sided tests (TOST; Schuirmann, 1987).

    Without variance, and below two seeds, all statistics except the difference and the SD are NaN.

    Args:
        differences: Variant - reference by seed, shape (..., n).
        margin: The equivalence margin of TOST.
        alpha: Error rate; the intervals have levels 1 - alpha and 1 - alpha/comparisons.
        comparisons: Size of the family.
        tolerance: The largest SD that counts as none (see `types.EQUAL`).
    """
    values = np.asarray(differences, dtype=float)
    n = values.shape[-1]
    if n < 2:
        unknown = np.full(values.shape[:-1], np.nan)
        return PairedT(n, values[..., 0] if n else unknown, *([unknown] * 7))
    delta, sd = moments(values)
    varying = np.where(sd > np.asarray(tolerance), sd, np.nan)
    return replace(t_statistics(delta, varying, n, n - 1, margin, alpha, comparisons), sd=sd)


def t_statistics(
    delta: Floats,
    sd: Floats,
    n: int,
    freedom: float | Floats,
    margin: float,
    alpha: float = ALPHA,
    comparisons: int = 1,
) -> PairedT:
    """Return the statistics of `paired_t` from estimates with standard error sd/sqrt(n) and `freedom` degrees.

    They are NaN if `sd` is 0 or NaN.
    """
    error = np.where(sd > 0, sd, np.nan) / math.sqrt(n)
    size = np.abs(delta)
    p = 2 * upper_tail(size / error, freedom)
    # the larger of the two one-sided p values belongs to the nearer end of the margin
    p_tost = upper_tail((margin - size) / error, freedom)
    half = quantile(1 - alpha / 2, freedom) * error
    fw_half = quantile(1 - alpha / comparisons / 2, freedom) * error
    return PairedT(n, delta, sd, delta - half, delta + half, delta - fw_half, delta + fw_half, p, p_tost)


def judge(
    statistics: PairedT, p_holm: Floats, p_tost_holm: Floats, is_unreliable: ArrayLike, margin: float, better: int = 1
) -> NDArray[np.int_]:
    """Return the code of the first matching rule, elementwise. `better` is +1 if higher is better, else -1."""
    falls, rises = statistics.fw_high < -margin, statistics.fw_low > margin
    lost, gained = (falls, rises) if better > 0 else (rises, falls)
    differs, equivalent = p_holm < ALPHA, p_tost_holm < ALPHA
    rules = {
        Verdict.UNRELIABLE: np.broadcast_to(np.asarray(is_unreliable, dtype=bool), np.shape(p_holm)),
        Verdict.LOSS: lost,
        Verdict.GAIN: gained,
        Verdict.NEGLIGIBLE: differs & equivalent,
        Verdict.NO_EFFECT: equivalent,
        Verdict.UNRESOLVED: differs,
    }
    return np.select(list(rules.values()), [CODES[rule] for rule in rules], CODES[Verdict.INCONCLUSIVE])


def wilson(successes: float, n: int, level: float = 1 - ALPHA) -> tuple[float, float]:
    """Return Wilson's (1927) score interval of a proportion. Half successes (ties) are allowed."""
    if n == 0:
        return math.nan, math.nan
    z = float(special.ndtri(0.5 + level / 2))
    share, widen = successes / n, 1 + z * z / n
    middle = (share + z * z / (2 * n)) / widen
    half = z / widen * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))  # rounding at 0 and 1


def correlation(first: Sequence[float], second: Sequence[float], tolerance: float = 0.0) -> float:
    """Return Pearson's rho of the paired values. NaN below three seeds or if an arm does not vary."""
    if len(first) < 3 or not min(moments(first)[1], moments(second)[1]) > tolerance:
        return math.nan
    one, other = (np.ldexp(arm, -power_of_two(arm)) for arm in (first, second))
    return float(np.corrcoef(one, other)[0, 1])


@functools.cache
def _sequence_width(n: int, alpha: float) -> float:
    """Return the half-width of the always-valid interval in units of the SD."""
    if n < 2:
        return math.inf
    size = 1 + n
    growth = (size / alpha**2) ** (1 / n)
    if growth >= size:
        return math.inf
    return math.sqrt((n - 1) * (growth - 1) / (1 - growth / size) / n)


def always_valid_half_width(sd: float, n: int, alpha: float = ALPHA) -> float:
    """Return the half-width of a confidence interval that is valid at every n, so that seeds may be added at any time.

    A = 1 + n, c = (A/alpha^2)^(1/n), (s/sqrt n) sqrt((n-1)(c-1)/(1-c/A)); infinite if c >= A. This is the
    confidence sequence of the t statistic's mixture martingale with a unit prior variance (Robbins, 1970; Wang and
    Ramdas, 2023).
    """
    width = _sequence_width(n, alpha)
    return width if math.isinf(width) else sd * width

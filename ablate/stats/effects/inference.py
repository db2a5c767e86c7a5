"""Tests and intervals on plain arrays, for one study or for thousands of simulated studies at once."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from ablate.stats.effects.types import ALPHA, EQUAL, Verdict

Floats = NDArray[np.float64]

MAX_SEEDS_EXACT_FLIPS = 14
RANDOM_FLIPS = 50_000
MANY_SEEDS = 1000  # above, signs are drawn as bits: SciPy's floats would need gigabytes

CODES: dict[Verdict, int] = {verdict: code for code, verdict in enumerate(Verdict)}


def upper_tail(statistic: ArrayLike, freedom: float) -> Floats:
    """Return P(T > statistic) for Student's t with `freedom` degrees of freedom."""
    return np.asarray(special.stdtr(freedom, -np.asarray(statistic, dtype=np.float64)), dtype=np.float64)


def quantile(probability: float, freedom: float) -> float:
    """Return the `probability` quantile of Student's t with `freedom` degrees of freedom."""
    return float(special.stdtrit(freedom, probability))


@dataclass(frozen=True)
class PairedT:
    """Paired t statistics. Each array has the shape of the differences without their last axis, the seeds."""

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
    delta, sd = values.mean(axis=-1), values.std(axis=-1, ddof=1)
    varying = np.where(sd > np.asarray(tolerance), sd, np.nan)
    return replace(t_statistics(delta, varying, n, n - 1, margin, alpha, comparisons), sd=sd)


def t_statistics(
    delta: Floats, sd: Floats, n: int, freedom: float, margin: float, alpha: float = ALPHA, comparisons: int = 1
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


def smallest_step(scores: ArrayLike) -> float:
    """Return the smallest step between different scores; 0 if there are fewer than two."""
    values = np.unique(np.asarray(scores, dtype=np.float64))
    if len(values) < 2:
        return 0.0
    steps, sizes = np.diff(values), np.abs(values)
    steps = steps[steps > EQUAL * np.maximum(sizes[1:], sizes[:-1])]
    return float(steps.min()) if len(steps) else 0.0


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


def welch_p(variant: Sequence[float], reference: Sequence[float], tolerance: float = 0.0) -> float:
    """Return the p-value of Welch's (1947) unpaired t test, as a sensitivity analysis. NaN if neither arm varies."""
    from scipy import stats

    if len(variant) < 2 or len(reference) < 2:
        return math.nan
    first, second = float(np.std(variant, ddof=1)), float(np.std(reference, ddof=1))
    if not max(first, second) > tolerance:
        return math.nan
    means = float(np.mean(variant)), float(np.mean(reference))
    test = stats.ttest_ind_from_stats(means[0], first, len(variant), means[1], second, len(reference), equal_var=False)
    return float(test.pvalue)


def sign_flip_p(differences: Sequence[float], seed: int = 0) -> float:
    """Return p of the two-sided sign-flip test of the mean (Fisher, 1935): exact to n = 14, then 50,000 samples."""
    from scipy import stats

    n = len(differences)
    if not all(map(math.isfinite, differences)):
        return math.nan
    if n < 2:
        return 1.0 if n else math.nan  # one difference is as extreme as its mirror image
    largest = max(abs(difference) for difference in differences)
    if largest == 0:
        return 1.0
    if n > MANY_SEEDS:
        return _bitwise_flips(np.asarray(differences, dtype=np.float64) / largest, np.random.default_rng(seed))
    test = stats.permutation_test(
        (np.asarray(differences, dtype=np.float64) / largest,),
        _rounded_mean,
        permutation_type="samples",
        n_resamples=2**n if n <= MAX_SEEDS_EXACT_FLIPS else RANDOM_FLIPS,  # 2^n makes it exact
        vectorized=True,
        batch=10_000,
        rng=np.random.default_rng(seed),
    )
    return float(test.pvalue)


def _bitwise_flips(values: Floats, generator: np.random.Generator) -> float:
    """Return the two-sided p of 50,000 sign flips, from a bit per sign."""
    n, total = len(values), float(values.sum())
    rows, above, below = max(1, 20_000_000 // n), 0, 0
    for start in range(0, RANDOM_FLIPS, rows):
        size = min(rows, RANDOM_FLIPS - start)
        bits = np.unpackbits(generator.integers(0, 256, (size, -(-n // 8)), dtype=np.uint8), axis=1, count=n)
        sums = 2 * (bits.astype(np.float32) @ values.astype(np.float32)).astype(np.float64) - total
        above, below = above + int((sums >= total).sum()), below + int((sums <= total).sum())
    return min(1.0, 2 * (min(above, below) + 1) / (RANDOM_FLIPS + 1))


def _rounded_mean(sample: Floats, axis: int) -> Floats:
    """Return the mean, rounded so that tied flips compare equal."""
    return np.asarray(np.round(sample.mean(axis=axis), 12), dtype=np.float64)


def smallest_sign_flip_p(n: int) -> float:
    """Return the smallest p of the sign-flip test with `n` seeds, 2/2^n."""
    return math.ldexp(2.0, -n)


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
    if len(first) < 3 or not min(np.std(first), np.std(second)) > tolerance:
        return math.nan
    return float(np.corrcoef(first, second)[0, 1])


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

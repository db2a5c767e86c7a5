"""What so many seeds can detect, and how many a difference needs."""

from __future__ import annotations

import functools
import math

from ablate.stats.effects.inference import NO_VARIANCE, quantile
from ablate.stats.effects.types import ALPHA, POWER

LARGEST_EFFECT_SIZE = 10.0
MOST_SEEDS = 1_000_000


def power_of_paired_t(effect_size: float, n: int, alpha: float = ALPHA) -> float:
    """Power of the two-sided paired t test for a true difference of `effect_size` SDs of the difference.

    P(|T'| > t) for the noncentral T' with n - 1 degrees of freedom and noncentrality effect_size sqrt(n).
    """
    from scipy import stats

    critical, shift = quantile(1 - alpha / 2, n - 1), effect_size * math.sqrt(n)
    near = float(stats.nct.sf(critical, n - 1, shift))
    # scipy's far tail turns NaN as it vanishes; beyond 6 it is under 1e-9
    return near + float(stats.nct.cdf(-critical, n - 1, shift)) if shift < 6 else near


@functools.lru_cache(maxsize=4096)
def detectable_effect_size(n: int, alpha: float, power: float = POWER) -> float:
    """The effect size (in SDs of the difference) that n seeds detect with the given power.

    By a bracketed root of the noncentral-t power. Infinite below 3 seeds and beyond 10 SDs.
    """
    from scipy import optimize

    if n < 3:
        return math.inf
    high = 1.0 / math.sqrt(n)
    while power_of_paired_t(high, n, alpha) < power:
        high *= 2
        if high > 2 * LARGEST_EFFECT_SIZE:
            return math.inf
    root = float(optimize.brentq(lambda size: power_of_paired_t(size, n, alpha) - power, 0.0, high, xtol=1e-12))
    return root if root <= LARGEST_EFFECT_SIZE else math.inf


def minimum_detectable_effect(sd: float, n: int, comparisons: int = 1, alpha: float = ALPHA) -> float:
    """The smallest true difference found with power .8 at alpha/comparisons; infinite means "not detectable".

    `sd` is that of the paired difference, in the unit of the result; NaN if it is unknown and n would do.
    """
    size = detectable_effect_size(n, alpha / comparisons)
    return size if math.isinf(size) else sd * size


def seeds_needed(difference: float, sd: float, comparisons: int = 1, alpha: float = ALPHA) -> int | None:
    """The fewest seeds (3 or more) that detect a true `difference` with power .8 at alpha/comparisons.

    None where the SD is unknown or a million would not do. The power grows with n, so halving finds it.
    """
    if not (math.isfinite(sd) and difference > 0):
        return None
    if sd <= NO_VARIANCE:
        return 3

    def enough(n: int) -> bool:
        return power_of_paired_t(difference / sd, n, alpha / comparisons) >= POWER

    low, high = 2, 3
    while not enough(high):
        low, high = high, high * 2
        if low >= MOST_SEEDS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high

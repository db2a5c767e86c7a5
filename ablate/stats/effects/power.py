"""Statistical power: the smallest detectable effect, and the number of seeds that an effect needs."""

from __future__ import annotations

import bisect
import functools
import math
from typing import NamedTuple

from scipy import special

from ablate.stats.effects.inference import quantile
from ablate.stats.effects.types import ALPHA, MIN_SEEDS, POWER

MAX_EFFECT_SIZE = 10.0
MOST_SEEDS = 200  # larger numbers are not a plan, and estimates of them are too rough
LARGEST_EFFECT_SIZE = 1e6  # any family detects it with 3 seeds; SciPy's distribution is NaN for much larger ones
MIN_SEEDS_FOR_RANGE = 5
_PLACES = 2**45  # among which the root of the power is bisected
SD_LEVEL = 0.80  # of the chi-square interval of the SD


def power_of_paired_t(effect_size: float, n: int, alpha: float = ALPHA, freedom: float | None = None) -> float:
    """Return the power of the two-sided paired t test for a true difference of `effect_size` SDs.

    P(|T'| > t) for the noncentral T' with `freedom` (n - 1 for pairs) degrees of freedom and noncentrality effect_size
    sqrt(n).
    """
    freedom = n - 1 if freedom is None else freedom
    critical, shift = quantile(1 - alpha / 2, freedom), effect_size * math.sqrt(n)
    near = noncentral_tail(critical, freedom, shift)
    # the far tail by symmetry; beyond 6 it is below 1e-9
    return near + noncentral_tail(critical, freedom, -shift) if shift < 6 else near


def noncentral_tail(statistic: float, freedom: float, shift: float) -> float:
    """Return P(T' > statistic) for the noncentral t with noncentrality `shift`."""
    tail = 1 - float(special.nctdtr(freedom, shift, statistic))
    return float(shift > statistic) if math.isnan(tail) else tail  # NaN for some probabilities that are 0 or 1


@functools.lru_cache(maxsize=4096)
def detectable_effect_size(n: int, alpha: float, power: float = POWER, freedom: float | None = None) -> float:
    """Return the effect size (in SDs of the difference) that n seeds detect with the given power.

    Solved as a bracketed root of the noncentral-t power. Infinite below 3 seeds and above 10 SDs.
    """
    if n < MIN_SEEDS:
        return math.inf
    high = 1.0 / math.sqrt(n)
    while power_of_paired_t(high, n, alpha, freedom) < power:
        high *= 2
        if high > 2 * MAX_EFFECT_SIZE:
            return math.inf
    step = high / _PLACES
    # scipy.optimize has faster methods, but takes longer to import than all effect sizes of a report
    place = bisect.bisect_left(range(_PLACES), power, key=lambda at: power_of_paired_t(at * step, n, alpha, freedom))
    return place * step if place * step <= MAX_EFFECT_SIZE else math.inf


def minimum_detectable_effect(
    sd: float, n: int, comparisons: int = 1, alpha: float = ALPHA, freedom: float | None = None
) -> float:
    """Return the smallest true difference detected with power .8 at level alpha/comparisons.

    Args:
        sd: Standard deviation of the paired difference, in the unit of the result.
        n: Number of seeds.
        comparisons: Size of the family.
        alpha: Error rate of the family.
        freedom: Degrees of freedom; n - 1 by default.

    Returns:
        The difference; infinite if none is detectable with `n` seeds, NaN if `sd` is unknown.
    """
    size = detectable_effect_size(n, alpha / comparisons, freedom=freedom)
    return size if math.isinf(size) else sd * size


def seeds_needed(
    difference: float, sd: float, comparisons: int = 1, alpha: float = ALPHA, share: float = 1.0
) -> int | None:
    """Return the smallest number of seeds (at least 3) that detects `difference` with power .8 at alpha/comparisons.

    None if `sd` is unknown or MOST_SEEDS do not suffice. The degrees of freedom are (n - 1) `share`.
    """
    if not (math.isfinite(sd) and difference > 0):
        return None
    if sd <= 0:
        return MIN_SEEDS

    def enough(n: int) -> bool:
        size = min(difference / sd, LARGEST_EFFECT_SIZE)
        return power_of_paired_t(size, n, alpha / comparisons, (n - 1) * share) >= POWER

    if not enough(MOST_SEEDS):
        return None
    numbers = range(MIN_SEEDS, MOST_SEEDS)
    return MIN_SEEDS + bisect.bisect_left(numbers, True, key=enough)  # the power grows with n


class SeedsRange(NamedTuple):
    """A range of numbers of seeds. None is more than MOST_SEEDS."""

    low: int | None
    high: int | None

    @property
    def words(self) -> str:
        """The range as text: "16 to 91 seeds"."""
        return self.words_for("seeds")

    def words_for(self, unit: str) -> str:
        """Return the range as text with another unit: "16 to 91 runs"."""
        if self.low is None:
            return f"more than {MOST_SEEDS} {unit}"
        if self.high is None:
            return f"at least {self.low} {unit}"
        return f"{self.low} {unit}" if self.low == self.high else f"{self.low} to {self.high} {unit}"


def at_least_words(seeds: int | None, n: int, unit: str = "seeds") -> str:
    """Return a number of seeds above the existing n as text: "at least 62 seeds", "more than 500 seeds"."""
    return f"more than {max(n, MOST_SEEDS):,} {unit}" if seeds is None else f"at least {seeds} {unit}"


def seeds_range(
    difference: float,
    sd: float,
    n: int,
    comparisons: int = 1,
    alpha: float = ALPHA,
    freedom: float | None = None,
    share: float = 1.0,
) -> SeedsRange | None:
    """Return the seeds needed to detect `difference`, for the SDs in the 80 % chi-square interval of an estimated SD.

    The interval is sd sqrt(f/chi2), from the .9 to the .1 quantile with f = n - 1 degrees of freedom.

    Args:
        difference: The true difference.
        sd: Standard deviation of the paired difference, estimated from `n` seeds.
        n: Number of seeds of the estimate.
        comparisons: Size of the family.
        alpha: Error rate of the family.
        freedom: Degrees of freedom of the SD; n - 1 by default.
        share: The degrees of freedom of N seeds are (N - 1) `share`.

    Returns:
        The range; None below 5 seeds, or if `sd` is 0 or unknown.
    """
    if n < MIN_SEEDS_FOR_RANGE or not (math.isfinite(sd) and sd > 0):
        return None
    tail = (1 - SD_LEVEL) / 2
    freedom = n - 1 if freedom is None else freedom
    quantiles = (float(special.chdtri(freedom, upper)) for upper in (tail, 1 - tail))
    sds = [sd * math.sqrt(freedom / quantile) for quantile in quantiles]
    return SeedsRange(*(seeds_needed(difference, value, comparisons, alpha, share) for value in sds))

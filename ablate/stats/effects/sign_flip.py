"""The sign-flip test of paired differences: exact for few seeds, random flips for more."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from ablate.seeding import numpy_stream
from ablate.stats.effects.inference import Floats

MAX_SEEDS_EXACT_FLIPS = 14
RANDOM_FLIPS = 50_000

_TIED = 1e-12
"""Mean difference, as a share of the largest one, up to which sums count as tied, since they are rounded."""


def sign_flip_p(differences: ArrayLike, tolerance: float = 0.0) -> float:
    """Return p of the two-sided sign-flip test of the mean (Fisher, 1935): exact to n = 14, then 50,000 random flips.

    The random flips are those of the stream "sign-flip", the same for every comparison. Their p is twice the smaller
    tail, (1 + extreme flips) / 50,001 (Phipson and Smyth, 2010). NaN if a difference is not finite.
    Differences are equal up to `tolerance` (see `types.EQUAL`).
    """
    values = np.asarray(differences, dtype=np.float64)
    if not len(values) or not np.isfinite(values).all():
        return math.nan
    largest = float(np.abs(values).max())
    if len(values) < 2 or largest == 0:
        return 1.0  # one difference is as extreme as its mirror image
    values = values / largest
    exact = len(values) <= MAX_SEEDS_EXACT_FLIPS
    tied = max(_TIED, tolerance / largest) * len(values)
    sums, total = _all_flips(values) if exact else _random_flips(values), values.sum()
    extreme = min(int((sums >= total - tied).sum()), int((sums <= total + tied).sum()))
    return min(1.0, 2 * (extreme if exact else extreme + 1) / (len(sums) + (not exact)))


def _all_flips(values: Floats) -> Floats:
    """Return the sum of the differences for each of the 2^n choices of signs."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums - value, sums + value])
    return sums


def _random_flips(values: Floats) -> Floats:
    """Return the sums for random signs, from tables of the 256 sums of eight differences: O(n) memory."""
    generator = numpy_stream(0, "sign-flip")
    sums = np.zeros(RANDOM_FLIPS)
    for eight in np.pad(values, (0, -len(values) % 8)).reshape(-1, 8):
        sums += _all_flips(eight)[generator.integers(0, 256, RANDOM_FLIPS, dtype=np.uint8)]
    return sums


def smallest_sign_flip_p(n: int) -> float:
    """Return the smallest p of the sign-flip test with `n` seeds, 2/2^n."""
    return math.ldexp(2.0, -n)

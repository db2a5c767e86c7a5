"""All pairs of unpaired variants: the test of Games and Howell, as a sensitivity analysis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.polynomial.chebyshev import Chebyshev

from ablate.stats.effects.effect import Effect
from ablate.stats.effects.inference import Floats
from ablate.stats.effects.types import ALPHA

_DEGREE = 12
"""Degree of the polynomial that interpolates the critical values of many pairs. Its relative error is below 1e-4."""


@dataclass(frozen=True)
class SimultaneousTest:
    """The test of one of all pairs.

    Attributes:
        effect: The comparison.
        low: Lower end of its interval; the intervals of all pairs hold together.
        high: Upper end.
        p: Two-sided p-value for all pairs together.
    """

    effect: Effect
    low: float
    high: float
    p: float


def games_howell(effects: Sequence[Effect], alpha: float = ALPHA) -> list[SimultaneousTest]:
    """Return the test of Games and Howell (1976) of all pairs of some variants; comparisons without a p are left out.

    It refers sqrt(2) times the statistic of Welch's t test to the distribution of the studentized range of all
    variants, with Welch's degrees of freedom.
    """
    from scipy.stats import studentized_range

    variants = len({arm for effect in effects for arm in (effect.variant, effect.reference)})
    tested = [effect for effect in effects if math.isfinite(effect.p)]
    if not tested:
        return []
    freedom = np.array([effect.evidence.freedom for effect in tested])
    delta = np.array([effect.delta for effect in tested])
    error = np.array([effect.evidence.sd_difference / math.sqrt(effect.n) for effect in tested])
    half = critical_values(freedom, variants, alpha) * error
    p = studentized_range.sf(math.sqrt(2) * np.abs(delta) / error, variants, freedom)
    p = np.maximum(p, [effect.p for effect in tested])  # a lower bound, which rounding would miss in the far tail
    columns = (values.tolist() for values in (delta - half, delta + half, p))
    return [SimultaneousTest(*row) for row in zip(tested, *columns, strict=True)]


def critical_values(freedom: Floats, variants: int, alpha: float = ALPHA) -> Floats:
    """Return the half-widths of simultaneous intervals of all pairs, in standard errors of a difference."""
    from scipy.stats import studentized_range

    def quantile(inverse: Floats) -> Floats:
        return np.asarray(studentized_range.isf(alpha, variants, 1 / inverse) / math.sqrt(2), dtype=np.float64)

    inverse = 1 / np.asarray(freedom, dtype=np.float64)
    if inverse.size <= _DEGREE or np.ptp(inverse) < 1e-9:
        return quantile(inverse)
    smooth = Chebyshev.interpolate(lambda values: np.log(quantile(values)), _DEGREE, [inverse.min(), inverse.max()])
    return np.asarray(np.exp(smooth(inverse)), dtype=np.float64)

"""All pairs of levels of runs that are not paired by seed: the Games-Howell test."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np


def games_howell(arms: Mapping[str, Sequence[float]]) -> dict[tuple[str, str], float]:
    """Return the p-value of each two arms by Games and Howell (1976), adjusted for all pairs, with unequal variances.

    NaN for arms with fewer than two scores, without variation, or with a score that is not finite.
    """
    from scipy import stats

    usable = {
        name: scores
        for name, scores in arms.items()
        if len(scores) > 1 and np.isfinite(scores).all() and np.ptp(scores) > 0
    }
    found = dict.fromkeys(itertools.combinations(arms, 2), math.nan)
    if len(usable) > 1:
        p_values = stats.tukey_hsd(*usable.values(), equal_var=False).pvalue
        for one, other in itertools.combinations(range(len(usable)), 2):
            names = list(usable)
            found[names[one], names[other]] = float(p_values[one, other])
    return found

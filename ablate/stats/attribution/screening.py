"""Screening of unreplicated designs by Lenth's pseudo standard error."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ablate.stats.effects.inference import quantile


@dataclass(frozen=True)
class Lenth:
    """Pseudo standard error, margin of error (95 %, one contrast) and simultaneous margin of error (all contrasts)."""

    pse: float
    me: float
    sme: float


def lenth(contrasts: ArrayLike, level: float = 0.95) -> Lenth:
    """Return Lenth's (1989) limits for m contrasts of a design without replication. NaN for m = 0.

    s0 = 1.5 med|c|, PSE = 1.5 med{|c| : |c| < 2.5 s0}, ME = t(.975, m/3) PSE, SME with (1 + .95^(1/m))/2.
    """
    sizes = np.abs(np.asarray(contrasts, dtype=np.float64))
    if not sizes.size:
        return Lenth(math.nan, math.nan, math.nan)
    start = 1.5 * float(np.median(sizes))
    inert = sizes[sizes < 2.5 * start]
    pse = 1.5 * float(np.median(inert)) if inert.size else 0.0
    freedom = sizes.size / 3
    simultaneous = (1 + level ** (1 / sizes.size)) / 2
    return Lenth(pse, quantile((1 + level) / 2, freedom) * pse, quantile(simultaneous, freedom) * pse)

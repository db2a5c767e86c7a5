"""The test that a variant diverges more often than its reference."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import ArrayLike

from ablate.stats.effects.inference import Floats

MAX_SEEDS_BOSCHLOO = 200
"""Above, Fisher's exact test: Boschloo's needs time and memory that grow with the square of the number of seeds."""


def unreliable_p(
    unstable: ArrayLike, reference_unstable: ArrayLike, n: ArrayLike, n_reference: ArrayLike | None = None
) -> Floats:
    """Return the two-sided p of equal probabilities of instability, elementwise, or 1 if the variant's share is lower.

    Boschloo's (1970) exact test of the two counts out of `n` runs each; `n_reference` runs of the reference, if given.
    """
    others = n if n_reference is None else n_reference
    counts = np.broadcast_arrays(*map(np.asarray, (unstable, reference_unstable, n, others)))
    rows, places = np.unique(np.stack([count.ravel() for count in counts]), axis=1, return_inverse=True)
    p = np.array([_exact_p(*map(int, row)) for row in rows.T], dtype=np.float64)
    return np.asarray(p[places.ravel()].reshape(counts[0].shape), dtype=np.float64)


@functools.lru_cache(maxsize=4096)
def _exact_p(unstable: int, reference_unstable: int, n: int, n_reference: int) -> float:
    if unstable * n_reference <= reference_unstable * n:
        return 1.0
    from scipy import stats

    if max(n, n_reference) > MAX_SEEDS_BOSCHLOO:
        tail = stats.hypergeom.sf(unstable - 1, n + n_reference, unstable + reference_unstable, n)
        return min(1.0, 2 * float(tail))
    table = [[unstable, reference_unstable], [n - unstable, n_reference - reference_unstable]]
    return float(stats.boschloo_exact(table).pvalue)

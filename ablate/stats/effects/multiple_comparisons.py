"""Corrections for multiple comparisons: Holm within a family, Bonferroni over the looks of sequential testing.

Family-wise intervals, of level 1 - alpha/m, are computed by `inference.paired_t`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ablate.stats.effects.inference import Floats
from ablate.stats.effects.sign_flip import smallest_sign_flip_p
from ablate.stats.effects.types import ALL_PAIRS, ALPHA, Comparison


def families(comparisons: Sequence[Comparison]) -> list[list[int]]:
    """Return the indices of each family's comparisons, families in order of appearance."""
    indices: dict[str, list[int]] = {}
    for index, comparison in enumerate(comparisons):
        indices.setdefault(comparison.family, []).append(index)
    return list(indices.values())


def counted_too(family: Sequence[Comparison], comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Return the comparisons of other families that the correction of a family counts as well.

    All pairs of L levels are L(L - 1)/2 comparisons. Those with the baseline are rows of the design's family.
    """
    if ALL_PAIRS not in family[0].family:
        return []
    arms = {arm for row in family for arm in (row.variant, row.reference)}
    return [
        row
        for row in comparisons
        if row.family != family[0].family and row.variant in arms and row.reference not in arms
    ]


def holm(p: ArrayLike) -> Floats:
    """Return Holm's (1979) adjusted p-values over the last axis. A missing (NaN) p counts as 1."""
    values = np.asarray(p, dtype=float)
    values = np.where(np.isnan(values), 1.0, values)
    order = np.argsort(values, axis=-1, kind="stable")
    steps = np.take_along_axis(values, order, axis=-1) * np.arange(values.shape[-1], 0, -1)
    adjusted = np.empty_like(values)
    np.put_along_axis(adjusted, order, np.minimum(np.maximum.accumulate(steps, axis=-1), 1.0), axis=-1)
    return adjusted


def sequential_p(before: ArrayLike, p: ArrayLike, alpha: float) -> Floats:
    """Return p_seq = min_k p_k (.05/alpha_k) after one more look, elementwise.

    Bonferroni over the looks: each keeps its alpha_k, so the smallest p_seq keeps their sum, .05.

    Args:
        before: p_seq before this look; 1 before the first.
        p: The p-values of this look.
        alpha: This look's share of alpha.
    """
    return np.asarray(np.fmin(before, np.asarray(p) * (ALPHA / alpha)), dtype=np.float64)


def sign_flip_can_reach(n: int, comparisons: int) -> bool:
    """Return whether the smallest sign-flip p, 2/2^n, can pass Holm's first step over `comparisons`."""
    return n > 0 and smallest_sign_flip_p(n) <= ALPHA / comparisons

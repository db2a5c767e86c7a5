"""One variant that repeats its score exactly over the seeds while the other one varies: its seed reaches nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ablate.stats.effects.types import EQUAL, MIN_SEEDS

_BOUNDS = (0.0, 1.0, 100.0)
"""Scores that different runs may share: none, all."""

_COARSE = 0.25
"""Step of scores, as a share of their SD, above which equal scores are likely by chance."""


def repeats_alone(scores: Sequence[float], others: Sequence[float]) -> bool:
    """Return whether all scores are equal, although those of the other variant differ at every seed.

    Three or more equal scores are one observation if scores are fine enough to differ by chance. Scores of 0, 1 or 100
    are not counted, since different runs may reach these bounds.
    """
    if min(len(scores), len(others)) < MIN_SEEDS or not np.isfinite([*scores, *others]).all():
        return False
    tolerance = EQUAL * max(map(abs, (*scores, *others)))
    if max(scores) - min(scores) > tolerance or abs(scores[0]) in _BOUNDS:
        return False
    steps = np.diff(np.unique(others))
    return len(steps) == len(others) - 1 and bool(steps.min() > tolerance) and not _are_coarse([scores[0], *others])


def _are_coarse(values: Sequence[float]) -> bool:
    """Return whether all values are multiples of one step that is large for their spread."""
    steps = np.diff(np.unique(values))
    ratios = steps / steps.min()
    is_grid = np.abs(ratios - np.round(ratios)).max() < 1e-6  # rounding errors of the values
    return bool(is_grid and steps.min() > _COARSE * np.std(values))

"""The t test over folds of one data set, whose training sets overlap."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from ablate.stats.effects.inference import PairedT, moments, t_statistics
from ablate.stats.effects.types import ALPHA


def corrected_t(
    differences: ArrayLike,
    ratio: float,
    margin: float,
    alpha: float = ALPHA,
    comparisons: int = 1,
    tolerance: ArrayLike = 0.0,
) -> PairedT:
    """Return the corrected resampled t test and two one-sided tests (Nadeau and Bengio, 2003) over J folds.

    The variance of the mean is (1/J + n_test/n_train) s^2, since folds share training rows; J - 1 degrees of freedom.
    `sd` is s sqrt(1 + J n_test/n_train), so that sd/sqrt(J) is the standard error.

    Args:
        differences: Variant - reference by fold, shape (..., J).
        ratio: n_test/n_train of a fold: 1/9 for ten folds.
        margin: The equivalence margin of TOST.
        alpha: Error rate; the intervals have levels 1 - alpha and 1 - alpha/comparisons.
        comparisons: Size of the family.
        tolerance: The largest SD of the differences that counts as none.
    """
    values = np.asarray(differences, dtype=np.float64)
    n = values.shape[-1]
    if n < 2:
        unknown = np.full(values.shape[:-1], np.nan)
        return PairedT(n, values[..., 0] if n else unknown, *([unknown] * 7))
    delta, sd = moments(values)
    wider = sd * math.sqrt(1 + n * ratio)
    varying = np.where(sd > np.asarray(tolerance), wider, np.nan)
    return replace(t_statistics(delta, varying, n, n - 1, margin, alpha, comparisons), sd=wider)

"""Noise: its two scopes (new seeds; new seeds and new images), the noise budget, and the best of n trials."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ablate.errors import UserError
from ablate.stats.effects.inference import moments, quantile
from ablate.stats.effects.power import SeedsRange, seeds_range
from ablate.stats.effects.types import ALPHA, EQUAL
from ablate.stats.metric import Goal

BUDGET_DIFFERENCES = (0.1, 0.2, 0.5)
TINY = 1e-24  # keeps a quotient of zero variances finite


@dataclass(frozen=True)
class TwoScopes:
    """A mean difference with the standard errors and intervals of two scopes.

    `seed`: new seeds on the same test set. `total`: new seeds and new test images; its interval contains that of
    `seed`.
    """

    delta: float
    n_seeds: int
    n_images: int
    se_seed: float
    df_seed: float
    seed_low: float
    seed_high: float
    se_total: float
    df_total: float
    total_low: float
    total_high: float


@dataclass(frozen=True)
class MeanSquares:
    """Mean squares of an S x N table without replication: seeds, images, and interaction (with the error)."""

    seeds: float
    images: float
    error: float


def mean_squares(table: ArrayLike) -> MeanSquares:
    """Return the two-way mean squares of a table of S seeds x N images. Raises UserError below 2 x 2."""
    values = np.asarray(table, dtype=float)
    if values.ndim != 2 or min(values.shape) < 2:
        raise UserError(f"Two scopes of noise need at least 2 seeds and 2 images, not a table of shape {values.shape}")
    n_seeds, n_images = values.shape
    mean, by_seed, by_image = values.mean(), values.mean(axis=1), values.mean(axis=0)
    residual = values - by_seed[:, None] - by_image[None, :] + mean
    return MeanSquares(
        seeds=float(n_images * np.sum((by_seed - mean) ** 2) / (n_seeds - 1)),
        images=float(n_seeds * np.sum((by_image - mean) ** 2) / (n_images - 1)),
        error=float(np.sum(residual**2) / ((n_seeds - 1) * (n_images - 1))),
    )


def two_scopes(differences: ArrayLike, scale: float = 100.0, alpha: float = ALPHA) -> TwoScopes:
    """Return both standard errors of the mean of D, the S x N table of paired per-image differences (-1, 0, 1).

    se_seed = sqrt(MS_s/(SN)); se_total = sqrt((MS_s + MS_i - MS_e)/(SN)), floored at either single term, with
    Satterthwaite's (1946) degrees of freedom, or those of the single term if the floor applies. All are times `scale`.
    The wider scope has more degrees of freedom, so that its own interval can be narrower: it is the union of both.
    """
    values = np.asarray(differences, dtype=float)
    squares = mean_squares(values)
    n_seeds, n_images = values.shape
    freedoms = np.array([n_seeds - 1, n_images - 1, (n_seeds - 1) * (n_images - 1)], dtype=float)
    terms = np.array([squares.seeds, squares.images, squares.error])
    combined = squares.seeds + squares.images - squares.error
    total, df_total = max(
        (combined, combined**2 / max(float(np.sum(terms**2 / freedoms)), TINY)),
        (squares.seeds, freedoms[0]),
        (squares.images, freedoms[1]),
        key=lambda choice: choice[0],
    )
    delta, cells = scale * float(values.mean()), values.size
    se_seed, se_total = scale * math.sqrt(squares.seeds / cells), scale * math.sqrt(total / cells)
    df_seed, df_total = float(freedoms[0]), float(df_total) if total > 0 else float(freedoms[0])
    half_seed = quantile(1 - alpha / 2, df_seed) * se_seed
    half_total = max(half_seed, quantile(1 - alpha / 2, df_total) * se_total)
    return TwoScopes(
        delta, n_seeds, n_images,
        se_seed, df_seed, delta - half_seed, delta + half_seed,
        se_total, df_total, delta - half_total, delta + half_total,
    )  # fmt: skip


@dataclass(frozen=True)
class NoiseBudget:
    """The size of the noise and the seeds that it requires.

    Attributes:
        seed_sd: Standard deviation of the reference over seeds.
        difference_sd: Standard deviation of a paired difference, the median over comparisons.
        image_se: Standard error of one mean score from the finite test set; NaN if unknown.
        comparisons: Size of the family.
        seeds: Seeds needed to detect each true difference; None if they cannot be estimated.
    """

    seed_sd: float
    difference_sd: float
    image_se: float
    comparisons: int
    seeds: dict[float, SeedsRange | None]


def noise_budget(
    reference: Sequence[float],
    difference_sds: Sequence[float],
    comparisons: int = 1,
    image_se: float = math.nan,
    targets: Sequence[float] = BUDGET_DIFFERENCES,
    n: int | None = None,
) -> NoiseBudget:
    """Return the noise budget from the reference's scores by seed and the SD of each comparison's paired difference.

    `n` is the number of seeds of these SDs, by default that of the reference. SDs of 0 are left out.
    """
    seed_sd = float(moments(reference)[1]) if len(reference) > 1 else math.nan
    least = EQUAL * max(map(abs, reference), default=0.0)
    known = [sd for sd in difference_sds if math.isfinite(sd) and sd > least]
    # without comparisons, assume two independent arms as noisy as the reference
    sd = float(np.median(known)) if known else math.sqrt(2) * seed_sd
    seeds = n if n is not None and known else len(reference)
    needed = {target: seeds_range(target, sd, seeds, comparisons) for target in targets}
    return NoiseBudget(seed_sd, sd, image_se, comparisons, needed)


def image_standard_error(correct: ArrayLike, scale: float = 100.0) -> float:
    """Return the standard error of an arm's mean score over images from S x N correctness: sqrt(MS_i/(SN)) x scale.

    For one seed this is the binomial sqrt(p (1 - p)/(N - 1)).
    """
    values = np.atleast_2d(np.asarray(correct, dtype=float))
    if values.shape[1] < 2:
        return math.nan
    return scale * float(np.std(values.mean(axis=0), ddof=1)) / math.sqrt(values.shape[1])


def expected_best(scores: Sequence[float], goal: Goal = "max") -> list[float]:
    """Return E[best of n trials] for n = 1..B from the scores of B trials: sum x_(i) [C(i,n) - C(i-1,n)]/C(B,n).

    Unbiased, without replacement (Tang et al., 2020). With goal "min" the lowest score is best. Raises UserError for a
    NaN score.
    """
    ascending = sorted(scores, reverse=goal == "min")
    if any(math.isnan(score) for score in scores):
        raise UserError("A budget curve needs a score for every trial: leave failed trials out")
    size = len(ascending)
    return [
        sum(
            score * ((math.comb(i, n) - math.comb(i - 1, n)) / math.comb(size, n))
            for i, score in enumerate(ascending, start=1)
        )
        for n in range(1, size + 1)
    ]

"""Estimates of the contrasts of a two-level design, and their tests by number of seeds (Lenth's for one seed)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ablate.stats.attribution.aliasing import AliasGroup, term_columns
from ablate.stats.effects.inference import Floats, PairedT, paired_t, quantile, t_statistics
from ablate.stats.effects.types import ALPHA, EQUAL

if TYPE_CHECKING:
    import pandas as pd

Method = Literal["per-seed contrasts", "OLS with seed blocks", "Lenth, exploratory"]


@dataclass(frozen=True)
class Lenth:
    """Pseudo standard error, margin of error (95 %, one contrast) and simultaneous margin of error (all contrasts)."""

    pse: float
    me: float
    sme: float


def lenth(contrasts: ArrayLike, level: float = 0.95) -> Lenth:
    """Return Lenth's (1989) limits for m contrasts of a design without replication. NaN if m = 0 or one is NaN.

    s0 = 1.5 med|c|, PSE = 1.5 med{|c| : |c| < 2.5 s0}, ME = t(.975, m/3) PSE, SME with (1 + .95^(1/m))/2.
    """
    sizes = np.abs(np.asarray(contrasts, dtype=np.float64))
    if not sizes.size or np.isnan(sizes).any():
        return Lenth(math.nan, math.nan, math.nan)
    start = 1.5 * float(np.median(sizes))
    inert = sizes[sizes < 2.5 * start]
    pse = 1.5 * float(np.median(inert)) if inert.size else 0.0
    freedom = sizes.size / 3
    simultaneous = (1 + level ** (1 / sizes.size)) / 2
    return Lenth(pse, quantile((1 + level) / 2, freedom) * pse, quantile(simultaneous, freedom) * pse)


def contrasts_by_seed(design: pd.DataFrame, groups: Sequence[AliasGroup], values: Floats) -> Floats:
    """Return each group's contrast by seed, (2/N) X'y, from values of runs x seeds (Box, Hunter and Hunter, 2005)."""
    columns = term_columns(design, [group.terms[0] for group in groups])
    return np.asarray(2 / len(values) * columns @ values, dtype=np.float64)


def pooled_error(design: pd.DataFrame, groups: Sequence[AliasGroup], values: Floats) -> tuple[float, int]:
    """Return the standard error of an effect from least squares with seed blocks, and its degrees of freedom.

    The columns are orthogonal to each other and to the blocks, so all effects share one error. It is NaN without
    residual degrees of freedom.
    """
    from statsmodels.regression.linear_model import OLS

    runs, seeds = values.shape
    blocks = np.kron(np.eye(seeds), np.ones((runs, 1)))
    columns = term_columns(design, [group.terms[0] for group in groups])
    regressors = np.column_stack([blocks, np.tile(columns.T / 2, (seeds, 1))])
    freedom = len(regressors) - regressors.shape[1]
    if freedom <= 0 or np.isnan(values).any():
        return math.nan, 0
    return float(OLS(values.T.ravel(), regressors).fit().bse[-1]), freedom


def contrasts_of_some(
    design: pd.DataFrame, groups: Sequence[AliasGroup], values: Floats, chosen: NDArray[np.bool_]
) -> Floats:
    """Return each group's contrast from the chosen variants, by least squares on their mean scores over the seeds.

    The model holds the main effects and the contrast: without some variants, the difference of the remaining means
    would contain the main effects of other components. NaN if these variants cannot estimate it. From all variants
    these are the means of `contrasts_by_seed`.
    """
    columns = term_columns(design, [group.terms[0] for group in groups]) / 2
    main = [place for place, group in enumerate(groups) if group.order == 1]
    found = np.full(len(groups), np.nan)
    for place in range(len(groups)):
        others = columns[[other for other in main if other != place]]
        regressors = np.column_stack([columns[place], *others, np.ones(len(values))])[chosen]
        if np.linalg.matrix_rank(regressors) > np.linalg.matrix_rank(regressors[:, 1:]):  # others may be constant here
            found[place] = np.linalg.lstsq(regressors, values[chosen].mean(axis=1), rcond=None)[0][0]
    return found


@dataclass(frozen=True)
class Fit:
    """The contrasts of some terms, and what each method needs.

    Attributes:
        by_seed: The contrasts, terms x seeds.
        survivors: The contrasts without the variants that have unstable runs.
        scale: What each contrast is multiplied by to give the estimate: 1 for a main effect, 2 for a pair's synergy.
        pooled: Standard error of a contrast from seed blocks, and its degrees of freedom.
        limits: Lenth's limits of the contrasts.
        tolerance: The largest SD of a contrast that counts as none.
    """

    by_seed: Floats
    survivors: Floats
    scale: Floats
    pooled: tuple[float, int]
    limits: Lenth
    tolerance: float = 0.0

    @property
    def seeds(self) -> int:
        """The number of complete seeds."""
        return int(self.by_seed.shape[1])

    @property
    def method(self) -> Method:
        """The method for this number of seeds."""
        if self.seeds >= 3:
            return "per-seed contrasts"
        return "OLS with seed blocks" if self.seeds == 2 else "Lenth, exploratory"

    @property
    def estimates(self) -> Floats:
        """The estimates, terms x seeds."""
        return np.asarray(self.scale[:, None] * self.by_seed, dtype=np.float64)

    def only(self, indices: list[int]) -> Fit:
        """Return the fit of some of the terms."""
        return replace(
            self, by_seed=self.by_seed[indices], survivors=self.survivors[indices], scale=self.scale[indices]
        )

    def statistics(self, margin: float) -> PairedT:
        """Return the tests of all terms as one family, in terms of their estimates."""
        m = len(self.by_seed)
        if self.seeds >= 3:
            return paired_t(self.estimates, margin, ALPHA, m, self.tolerance)
        estimates, unknown = self.estimates.mean(axis=1), np.full(m, np.nan)
        error, freedom = self.pooled
        if self.seeds == 2 and freedom:
            return t_statistics(estimates, self.scale * error * math.sqrt(2), 2, freedom, margin, ALPHA, m)
        alone = self.seeds == 1
        me, sme = (self.scale * limit if alone else unknown for limit in (self.limits.me, self.limits.sme))
        ends = estimates - me, estimates + me, estimates - sme, estimates + sme
        return PairedT(self.seeds, estimates, unknown, *ends, unknown, unknown)


def fit_contrasts(
    design: pd.DataFrame, groups: Sequence[AliasGroup], values: Floats, stable: NDArray[np.bool_], limits: Lenth
) -> Fit:
    """Return the fit of the terms of a design.

    Args:
        design: The design.
        groups: The terms, with their aliases.
        values: Scores, variants x seeds.
        stable: Whether each variant has no unstable run.
        limits: Lenth's limits of all contrasts of the design.
    """
    return Fit(
        contrasts_by_seed(design, groups, values),
        contrasts_of_some(design, groups, values, stable),
        np.array([2.0 ** (group.order - 1) for group in groups]),
        pooled_error(design, groups, values) if values.shape[1] == 2 else (math.nan, 0),
        limits,
        EQUAL * float(np.nanmax(np.abs(values), initial=0.0)),
    )

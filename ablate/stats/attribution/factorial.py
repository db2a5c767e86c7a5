"""Factorial effects, tested by a method that suits the number of seeds (Lenth's for one seed)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ablate.errors import UserError
from ablate.stats.attribution.aliasing import (
    AliasGroup,
    estimable_groups,
    orthogonal_part,
    term_column,
    widest_order,
)
from ablate.stats.attribution.contrasts import FactorialContrast, Method, TermName, family_contrasts
from ablate.stats.effects.inference import Floats, PairedT, paired_t, quantile, t_statistics
from ablate.stats.effects.types import ALPHA
from ablate.stats.metric import Goal

if TYPE_CHECKING:
    import pandas as pd


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


@dataclass(frozen=True)
class FactorialAnalysis:
    """The contrasts of a factorial design.

    Attributes:
        contrasts: Main effects, then interactions.
        method: The test, by number of seeds.
        runs: The number of variants.
        seeds: Seeds with a score for every variant.
        incomplete_seeds: Seeds left out because a variant lacks a score.
        averages: The contrast of every estimable term, averaged over the seeds, for a half-normal plot.
        screening: Lenth's limits for `averages`.
    """

    contrasts: tuple[FactorialContrast, ...]
    method: Method
    runs: int
    seeds: tuple[int, ...]
    incomplete_seeds: tuple[int, ...]
    averages: dict[str, float]
    screening: Lenth


def factorial_effects(
    design: pd.DataFrame, scores: pd.DataFrame, margin: float, goal: Goal = "max", order: int = 2
) -> FactorialAnalysis:
    """Return the main effects and estimable interactions of a two-level design.

    With at least 3 seeds each effect is e_s = (2/N) X'y_s by seed, tested by a one-sample t test. With 2 seeds it is
    ordinary least squares with seed blocks, with 1 seed Lenth's method. Holm's correction is applied to the main
    effects and to the estimable interactions separately.

    Args:
        design: Variants x factors, true if the factor is on. A full or bare recipe that unbalances it is left out.
        scores: Variants x seeds, scaled (`effects.score_table`).
        margin: The smallest difference that matters.
        goal: Whether higher ("max") or lower ("min") is better.
        order: The highest order of interactions.

    Raises:
        UserError: If the design is not balanced or no seed has a score for every variant.
    """
    part = orthogonal_part(design)
    table = scores.reindex(part.index)
    complete = table.loc[:, table.notna().all(axis=0)]
    if complete.shape[1] == 0:
        raise UserError("Factorial effects need at least one seed with a result for every run of the design")
    values = complete.to_numpy(dtype=np.float64)
    groups = estimable_groups(part, order)
    every = estimable_groups(part, max(order, widest_order(part)))
    averages = contrasts_by_seed(part, every, values).mean(axis=1)
    fit = Fit(contrasts_by_seed(part, groups, values), pooled_error(part, groups, values), lenth(averages))
    return FactorialAnalysis(
        contrasts=tuple(_contrasts(groups, fit, margin, goal)),
        method=fit.method,
        runs=len(part),
        seeds=tuple(int(seed) for seed in complete.columns),
        incomplete_seeds=tuple(int(seed) for seed in table.columns if seed not in complete.columns),
        averages=dict(zip((group.label for group in every), averages.tolist(), strict=True)),
        screening=fit.screening,
    )


def contrasts_by_seed(design: pd.DataFrame, groups: Sequence[AliasGroup], values: Floats) -> Floats:
    """Return each group's contrast by seed, (2/N) X'y, from values of runs x seeds (Box, Hunter and Hunter, 2005)."""
    columns = np.array([term_column(design, group.terms[0]) for group in groups]).reshape(len(groups), len(values))
    return np.asarray(2 / len(values) * columns @ values, dtype=np.float64)


def pooled_error(design: pd.DataFrame, groups: Sequence[AliasGroup], values: Floats) -> tuple[float, int]:
    """Return the standard error of an effect from least squares with seed blocks, and its degrees of freedom.

    The columns are orthogonal to each other and to the blocks, so all effects share one error. It is NaN without
    residual degrees of freedom.
    """
    from statsmodels.regression.linear_model import OLS

    runs, seeds = values.shape
    blocks = np.kron(np.eye(seeds), np.ones((runs, 1)))
    columns = np.column_stack([term_column(design, group.terms[0]) for group in groups])
    regressors = np.column_stack([blocks, np.tile(columns / 2, (seeds, 1))])
    freedom = len(regressors) - regressors.shape[1]
    if freedom <= 0:
        return math.nan, 0
    return float(OLS(values.T.ravel(), regressors).fit().bse[-1]), freedom


@dataclass(frozen=True)
class Fit:
    """The contrasts (terms x seeds) and what each method needs: the pooled error, Lenth's limits."""

    by_seed: Floats
    pooled: tuple[float, int]
    screening: Lenth

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

    def only(self, indices: list[int]) -> Fit:
        """Return the fit of some of the terms."""
        return Fit(self.by_seed[indices], self.pooled, self.screening)

    def statistics(self, margin: float) -> PairedT:
        """Return the tests of all terms as one family."""
        m = len(self.by_seed)
        if self.seeds >= 3:
            return paired_t(self.by_seed, margin, ALPHA, m)
        estimates, unknown = self.by_seed.mean(axis=1), np.full(m, np.nan)
        error, freedom = self.pooled
        if self.seeds == 2 and freedom:
            sd = np.full(m, error * math.sqrt(2))
            return t_statistics(estimates, sd, 2, freedom, margin, ALPHA, m)
        me, sme = (self.screening.me, self.screening.sme) if self.seeds == 1 else (math.nan, math.nan)
        ends = estimates - me, estimates + me, estimates - sme, estimates + sme
        return PairedT(self.seeds, estimates, unknown, *ends, unknown, unknown)


def _contrasts(groups: Sequence[AliasGroup], fit: Fit, margin: float, goal: Goal) -> Iterator[FactorialContrast]:
    """Yield the contrasts of the two families, main effects first."""
    for family, is_main in (("main effects", True), ("interactions", False)):
        chosen = [index for index, group in enumerate(groups) if (group.order == 1) == is_main]
        if not chosen:
            continue
        members, part = [groups[index] for index in chosen], fit.only(chosen)
        names = [TermName(group.label, group.aliases, 2.0 if group.order == 2 else math.nan) for group in members]
        statistics = part.statistics(margin)
        yield from family_contrasts(names, list(part.by_seed), statistics, part.method, family, margin, goal)

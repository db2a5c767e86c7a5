"""Factorial effects and synergies as contrasts by seed, with tests that respect how many seeds there are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ablate.errors import UserError
from ablate.stats.attribution.aliasing import (
    AliasGroup,
    Floats,
    column,
    estimable_groups,
    orthogonal_part,
    widest_order,
)
from ablate.stats.attribution.screening import HalfNormal, Lenth, half_normal, lenth
from ablate.stats.effects.inference import CODES, NO_VARIANCE, PairedT, holm, judge, paired_t, t_statistics
from ablate.stats.effects.types import ALPHA, Verdict
from ablate.stats.metric import Goal

if TYPE_CHECKING:
    import pandas as pd

Method = Literal["per-seed contrasts", "OLS with seed blocks", "Lenth, exploratory"]
RULES = {code: rule for rule, code in CODES.items()}


@dataclass(frozen=True)
class Contrast:
    """An effect of a factorial design, or a synergy: what being *on* adds, in the unit of the scores.

    `aliases` are the terms that it cannot be told from; `synergy`, for pairs, is twice the interaction effect. For
    one seed `low` to `high` is the estimate -+ Lenth's ME, `fw_low` to `fw_high` -+ SME, and there are no p values.
    `verdict` follows the rules for comparisons, so a gain is a gain by having the component.
    """

    term: str
    aliases: tuple[str, ...]
    family: str
    n: int
    estimate: float
    sd: float
    level: float
    low: float
    high: float
    fw_low: float
    fw_high: float
    p: float
    p_holm: float
    p_tost: float
    p_tost_holm: float
    synergy: float
    by_seed: tuple[float, ...]
    method: Method
    verdict: str


@dataclass(frozen=True)
class FactorialAnalysis:
    """All contrasts of a design, the seeds they rest on, those left out as incomplete, and the half-normal plot.

    `screening` (Lenth) judges the seed-averaged contrasts of all columns, `half_normal` places them.
    """

    contrasts: tuple[Contrast, ...]
    method: Method
    runs: int
    seeds: tuple[int, ...]
    incomplete_seeds: tuple[int, ...]
    screening: Lenth
    half_normal: HalfNormal


def factorial_effects(
    design: pd.DataFrame, scores: pd.DataFrame, margin: float, goal: Goal = "max", order: int = 2
) -> FactorialAnalysis:
    """Main effects and estimable interactions of a two-level design.

    `design`: variants x factors, true where on; an added baseline that unbalances it is left out. `scores`: variants x
    seeds in shown units (`effects.score_table`). With 3 seeds or more each effect is e_s = (2/N) X'y_s by seed and a
    one-sample t; with 2, OLS with seed blocks; with 1, Lenth. Holm over the main effects and over the estimable
    interaction columns apart. Raises UserError for no balanced design and no complete seed.
    """
    part = orthogonal_part(design)
    table = scores.reindex(part.index)
    complete = table.loc[:, table.notna().all(axis=0)]
    if complete.shape[1] == 0:
        raise UserError("no seed has a result for every run of the design, so its effects cannot be computed")
    values = complete.to_numpy(dtype=np.float64)
    groups = estimable_groups(part, order)
    every = estimable_groups(part, max(order, widest_order(part)))
    averages = contrasts_by_seed(part, every, values).mean(axis=1)
    fit = Fit(contrasts_by_seed(part, groups, values), pooled_error(part, groups, values), lenth(averages))
    found: list[Contrast] = []
    for family, main in (("main effects", True), ("interactions", False)):
        places = [place for place, group in enumerate(groups) if (group.order == 1) == main]
        if places:
            found.extend(_family([groups[i] for i in places], fit.only(places), family, margin, goal))
    return FactorialAnalysis(
        contrasts=tuple(found),
        method=fit.method,
        runs=len(part),
        seeds=tuple(int(seed) for seed in complete.columns),
        incomplete_seeds=tuple(int(seed) for seed in table.columns if seed not in complete.columns),
        screening=fit.screening,
        half_normal=half_normal(averages, [group.label for group in every]),
    )


def contrasts_by_seed(design: pd.DataFrame, groups: Sequence[AliasGroup], values: Floats) -> Floats:
    """(2/N) X'y: each group's contrast by seed, from values of runs x seeds (Box, Hunter & Hunter, 2005)."""
    columns = np.array([column(design, group.terms[0]) for group in groups]).reshape(len(groups), len(values))
    return np.asarray(2 / len(values) * columns @ values, dtype=np.float64)


def pooled_error(design: pd.DataFrame, groups: Sequence[AliasGroup], values: Floats) -> tuple[float, int]:
    """Standard error of an effect by least squares with seed blocks, and its degrees of freedom (NaN if none).

    The columns are orthogonal to each other and to the blocks, so one error serves all effects.
    """
    from statsmodels.regression.linear_model import OLS

    runs, seeds = values.shape
    blocks = np.kron(np.eye(seeds), np.ones((runs, 1)))
    columns = np.column_stack([column(design, group.terms[0]) for group in groups])
    regressors = np.column_stack([blocks, np.tile(columns / 2, (seeds, 1))])
    freedom = len(regressors) - regressors.shape[1]
    if freedom <= 0:
        return math.nan, 0
    return float(OLS(values.T.ravel(), regressors).fit().bse[-1]), freedom


@dataclass(frozen=True)
class Fit:
    """Contrasts (terms x seeds), the pooled error with its freedom, and Lenth's limits: one of them is used."""

    by_seed: Floats
    pooled: tuple[float, int]
    screening: Lenth

    @property
    def seeds(self) -> int:
        """Complete seeds."""
        return int(self.by_seed.shape[1])

    @property
    def method(self) -> Method:
        """What so many seeds allow."""
        if self.seeds >= 3:
            return "per-seed contrasts"
        return "OLS with seed blocks" if self.seeds == 2 else "Lenth, exploratory"

    def only(self, places: list[int]) -> Fit:
        """The same for some of the terms."""
        return Fit(self.by_seed[places], self.pooled, self.screening)

    def statistics(self, margin: float) -> PairedT:
        """The tests of all terms, as one family."""
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


@dataclass(frozen=True)
class Named:
    """A term in words, what it is aliased with, and its synergy per unit of estimate (NaN where it has none)."""

    term: str
    aliases: tuple[str, ...] = ()
    synergy: float = math.nan


def _family(groups: Sequence[AliasGroup], fit: Fit, family: str, margin: float, goal: Goal) -> list[Contrast]:
    """The contrasts of one family of a factorial design."""
    names = [Named(group.label, group.aliases, 2.0 if group.order == 2 else math.nan) for group in groups]
    return judged(names, list(fit.by_seed), fit.statistics(margin), fit.method, family, margin, goal)


def judged(
    names: Sequence[Named],
    by_seed: Sequence[Floats],
    statistics: PairedT,
    method: Method,
    family: str,
    margin: float,
    goal: Goal,
) -> list[Contrast]:
    """The contrasts of one family: Holm over it, and a verdict each; `statistics` are arrays over its terms."""
    p_holm, p_tost_holm = holm(statistics.p), holm(statistics.p_tost)
    codes = judge(statistics, p_holm, p_tost_holm, False, margin, 1 if goal == "max" else -1)
    return [
        Contrast(
            term=name.term,
            aliases=name.aliases,
            family=family,
            n=len(by_seed[i]),
            estimate=float(statistics.delta[i]),
            sd=float(statistics.sd[i]),
            level=1 - ALPHA,
            low=float(statistics.low[i]),
            high=float(statistics.high[i]),
            fw_low=float(statistics.fw_low[i]),
            fw_high=float(statistics.fw_high[i]),
            p=float(statistics.p[i]),
            p_holm=float(p_holm[i]),
            p_tost=float(statistics.p_tost[i]),
            p_tost_holm=float(p_tost_holm[i]),
            synergy=name.synergy * float(statistics.delta[i]),
            by_seed=tuple(float(value) for value in by_seed[i]),
            method=method,
            verdict=_verdict(RULES[int(codes[i])], len(by_seed[i]), float(statistics.sd[i])),
        )
        for i, name in enumerate(names)
    ]


def _verdict(rule: Verdict, seeds: int, sd: float) -> str:
    """The rule, unless there are too few seeds for one."""
    if seeds < 3:
        return Verdict.SINGLE if seeds == 1 else Verdict.TOO_FEW
    if seeds < 5:
        return Verdict.IDENTICAL if sd <= NO_VARIANCE else f"preliminary: {rule}"
    return rule

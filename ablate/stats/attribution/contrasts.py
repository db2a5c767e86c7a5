"""Contrasts of a two-level design: estimates, tests and verdicts of one family."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ablate.stats.effects.inference import NO_VARIANCE, Floats, PairedT, holm, judge
from ablate.stats.effects.types import ALPHA, Verdict
from ablate.stats.effects.verdicts import RULES
from ablate.stats.metric import Goal

Method = Literal["per-seed contrasts", "OLS with seed blocks", "Lenth, exploratory"]


@dataclass(frozen=True)
class FactorialContrast:
    """An effect of a factorial design, or a synergy: the gain from switching a term *on*, in the scores' unit.

    The verdict follows the rules of comparisons, so "gain" means a gain from having the component. With one seed there
    are no p-values, `low` to `high` is the estimate -+ Lenth's ME, and `fw_low` to `fw_high` is the estimate -+ SME.

    Attributes:
        term: The factors, joined by " x ".
        aliases: Terms that the design cannot distinguish from this one.
        synergy: Twice the interaction effect for pairs, NaN otherwise.
        by_seed: The contrast at each seed.
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
class TermName:
    """The name of a term, its aliases, and its synergy per unit of the estimate (NaN if it has none)."""

    term: str
    aliases: tuple[str, ...] = ()
    synergy: float = math.nan


def family_contrasts(
    names: Sequence[TermName],
    by_seed: Sequence[Floats],
    statistics: PairedT,
    method: Method,
    family: str,
    margin: float,
    goal: Goal,
) -> list[FactorialContrast]:
    """Return the contrasts of one family with Holm's p-values and verdicts. `statistics` are arrays over its terms."""
    p_holm, p_tost_holm = holm(statistics.p), holm(statistics.p_tost)
    codes = judge(statistics, p_holm, p_tost_holm, False, margin, 1 if goal == "max" else -1)
    return [
        FactorialContrast(
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
    """Return the rule, or the verdict for too few seeds."""
    if seeds < 3:
        return Verdict.SINGLE if seeds == 1 else Verdict.TOO_FEW
    if seeds < 5:
        return Verdict.IDENTICAL if sd <= NO_VARIANCE else f"preliminary: {rule}"
    return rule

"""Contrasts of a two-level design: estimates, tests and verdicts of one family."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType

import numpy as np

from ablate.stats.attribution.fit import Method
from ablate.stats.effects.coarse_scores import bars_equivalence
from ablate.stats.effects.criteria import PValues
from ablate.stats.effects.inference import Floats, PairedT
from ablate.stats.effects.multiple_comparisons import holm
from ablate.stats.effects.seeds import Seed
from ablate.stats.effects.types import ALPHA, FINAL, Protocol, Verdict
from ablate.stats.effects.verdicts import EQUIVALENCE, allowed, judged, protocol_prefixes, unstable_runs, verdict_text
from ablate.stats.metric import Goal


@dataclass(frozen=True)
class FactorialContrast:
    """A main effect, or the synergy of several factors: the gain from having them, in the scores' unit.

    All numbers, the margin and the verdict of a pair speak of its synergy v(AB) - v(A) - v(B) + v(none), in every
    design. The verdict follows the rules of comparisons, so "gain" means a gain from having the component. With one
    seed there are no p-values, `low` to `high` is the estimate -+ Lenth's ME, and `fw_low` to `fw_high` is the estimate
    -+ SME.

    Attributes:
        term: The factors, joined by " x ".
        aliases: Terms that the design cannot distinguish from this one.
        likeliest: The likeliest alias of a design of resolution III; empty for others.
        effect: The contrast (2/N) X'y: the estimate of a main effect, half of a pair's synergy.
        synergy: The estimate for several factors, NaN for one.
        by_seed: The estimate at each seed.
        n_unstable: Number of unstable runs that the estimate contains.
        delta_survivors: The estimate without the variants, or seeds, of these runs.
    """

    term: str
    aliases: tuple[str, ...]
    likeliest: str
    family: str
    n: int
    estimate: float
    effect: float
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
    n_unstable: int
    delta_survivors: float
    method: Method
    verdict: str


@dataclass(frozen=True)
class Term:
    """A term before its test.

    Attributes:
        name: The factors, joined by " x ".
        by_seed: The estimate at each seed; NaN where an unstable run has no score.
        order: The number of factors.
        aliases: Terms that the design cannot distinguish from this one.
        likeliest: The likeliest alias of a design of resolution III.
        runs: The number of runs that the estimate contains.
        unstable: Seeds of the unstable ones, by variant.
        delta_survivors: The estimate without them.
        step: The step of the scores of single runs, if they are coarse; 0 otherwise.
    """

    name: str
    by_seed: Floats
    order: int
    aliases: tuple[str, ...] = ()
    likeliest: str = ""
    runs: int = 0
    unstable: Mapping[str, tuple[Seed, ...]] = field(default_factory=lambda: MappingProxyType({}))
    delta_survivors: float = math.nan
    step: float = 0.0

    @property
    def n_unstable(self) -> int:
        """Number of unstable runs."""
        return sum(map(len, self.unstable.values()))


@dataclass(frozen=True)
class ContrastCriteria:
    """The criteria shared by all contrasts of a study.

    Attributes:
        margin: The smallest difference, or synergy, that matters.
        goal: Whether higher or lower is better.
        protocol: What was fixed before the runs.
        screening: Whether the design has resolution III.
    """

    margin: float
    goal: Goal = "max"
    protocol: Protocol = field(default_factory=Protocol)
    screening: bool = False

    def barred(self, row: PairedT, p: PValues, step: float) -> tuple[Verdict, ...]:
        """Return the verdicts that the design or the scores do not allow."""
        if self.screening:
            return FINAL
        return EQUIVALENCE if bars_equivalence(row, p, step, self.margin, self.protocol.extended) else ()


def family_contrasts(
    terms: Sequence[Term], statistics: PairedT, method: Method, family: str, criteria: ContrastCriteria
) -> list[FactorialContrast]:
    """Return the contrasts of one family with Holm's p-values and verdicts. `statistics` are arrays over its terms."""
    p_holm, p_tost_holm = holm(statistics.p), holm(statistics.p_tost)
    found = []
    for i, term in enumerate(terms):
        row = PairedT(len(term.by_seed), *(getattr(statistics, entry.name)[i] for entry in fields(PairedT)[1:]))
        p = PValues(float(row.p), float(p_holm[i]), float(row.p_tost), float(p_tost_holm[i]), 1.0, len(terms))
        estimate = float(row.delta)
        contrast = FactorialContrast(
            term=term.name,
            aliases=term.aliases,
            likeliest=term.likeliest,
            family=family,
            n=len(term.by_seed),
            estimate=estimate,
            effect=estimate / 2 ** (term.order - 1),
            sd=float(row.sd),
            level=1 - ALPHA,
            low=float(row.low),
            high=float(row.high),
            fw_low=float(row.fw_low),
            fw_high=float(row.fw_high),
            p=p.p,
            p_holm=p.p_holm,
            p_tost=p.p_tost,
            p_tost_holm=p.p_tost_holm,
            synergy=estimate if term.order > 1 else math.nan,
            by_seed=tuple(float(value) for value in term.by_seed),
            n_unstable=term.n_unstable,
            delta_survivors=term.delta_survivors,
            method=method,
            verdict=_verdict(term, row, p, criteria),
        )
        found.append(contrast)
    return found


def _verdict(term: Term, row: PairedT, p: PValues, criteria: ContrastCriteria) -> str:
    """Return the verdict with its prefixes."""
    n, protocol = len(term.by_seed), criteria.protocol
    if n < 3:
        rule = Verdict.SINGLE if n == 1 else Verdict.TOO_FEW
    elif np.isnan(term.by_seed).any():
        rule = Verdict.UNSTABLE
    elif math.isnan(p.p):
        rule = Verdict.IDENTICAL
    else:
        better = 1 if criteria.goal == "max" else -1
        rule = allowed(judged(row, p, criteria.margin, better, protocol.extended), criteria.barred(row, p, term.step))
    before = ["screening"] if criteria.screening else []
    before += protocol_prefixes(rule, n, True, protocol)
    return verdict_text(rule, before, unstable_runs(term.n_unstable, term.runs))

"""Verdicts: the first matching rule, its overrides, and the prefixes that qualify it."""

from __future__ import annotations

import numpy as np

from ablate.stats.effects.inference import CODES, NO_VARIANCE, PairedT, judge, unreliable
from ablate.stats.effects.types import Comparison, PairedSeeds, Protocol, Verdict

RULES = {code: rule for rule, code in CODES.items()}


def rule_of(
    pair: PairedSeeds, statistics: PairedT, p_holm: float, p_tost_holm: float, margin: float, better: int
) -> Verdict:
    """Return the verdict of one comparison, without prefixes."""
    if pair.n < 3:
        return Verdict.SINGLE if pair.n == 1 else Verdict.TOO_FEW
    trains_badly = unreliable(len(pair.unstable), len(pair.reference_unstable), pair.n)
    code = judge(statistics, np.asarray(p_holm), np.asarray(p_tost_holm), trains_badly, margin, better)
    rule = RULES[int(code)]
    if pair.n < 5 and float(statistics.sd) <= NO_VARIANCE and rule is not Verdict.UNRELIABLE:
        return Verdict.IDENTICAL
    return rule


def with_prefixes(rule: Verdict, pair: PairedSeeds, comparison: Comparison, protocol: Protocol) -> str:
    """Return the verdict with its prefixes."""
    return "".join(f"{prefix}: " for prefix in prefixes(rule, pair, comparison, protocol)) + rule


def prefixes(rule: Verdict, pair: PairedSeeds, comparison: Comparison, protocol: Protocol) -> list[str]:
    """Return the prefixes that qualify a verdict, in order."""
    found = []
    if pair.reference_unstable:
        found.append(f"reference unstable in {seed_list(pair.reference_unstable)}")
    if pair.n in (3, 4) and rule is not Verdict.IDENTICAL:
        found.append("preliminary")
    if protocol.extended or not (comparison.planned and protocol.planned):
        found.append("exploratory")
    if protocol.selected_on_test:
        found.append("optimistic")
    if pair.unstable and rule is not Verdict.UNRELIABLE:  # the verdict itself reports this
        found.append(f"unstable in {len(pair.unstable)} of {pair.n} seed{'s' * (pair.n > 1)}")
    return found


def seed_list(seeds: tuple[int, ...]) -> str:
    """Return seeds as text: "seed 3", "seeds 1, 3"."""
    return ("seed " if len(seeds) == 1 else "seeds ") + ", ".join(map(str, seeds))

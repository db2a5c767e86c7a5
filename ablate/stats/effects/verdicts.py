"""Verdicts: the first matching rule, its overrides, and the prefixes that qualify it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ablate.stats.effects.coarse_scores import bars_equivalence, usual_step
from ablate.stats.effects.criteria import Criteria, PValues
from ablate.stats.effects.inference import CODES, PairedT, always_valid_half_width, judge
from ablate.stats.effects.seeds import Seed
from ablate.stats.effects.types import ALPHA, FINAL, MIN_SEEDS, Comparison, PairedSeeds, Protocol, Verdict
from ablate.wording import count, listed

RULES = {code: rule for rule, code in CODES.items()}
MOST_SEEDS = 20
"""Seeds that a verdict names."""

MOST_NAMED = 2
"""Combinations with unstable runs that the sentence of an average names; of more it gives the number."""

PREFIXES = ("screening", "preliminary", "exploratory", "optimistic", "unpaired")
"""The prefixes of verdicts, in order, before the number of unstable runs."""

EQUIVALENCE = (Verdict.NEGLIGIBLE, Verdict.NO_EFFECT)


def rule_of(pair: PairedSeeds, statistics: PairedT, p_values: PValues, criteria: Criteria) -> Verdict:
    """Return the verdict of one comparison, without prefixes."""
    if pair.n < MIN_SEEDS:
        return Verdict.SINGLE if pair.n == 1 else Verdict.TOO_FEW
    if p_values.p_unreliable < ALPHA:
        return Verdict.UNRELIABLE
    if not pair.is_scored:
        return Verdict.UNSTABLE
    if pair.repeating:
        return Verdict.SINGLE
    if np.isnan(statistics.p):
        return Verdict.IDENTICAL
    rule = judged(statistics, p_values, criteria.margin, criteria.metric.better, criteria.protocol.extended)
    if pair.average is not None and pair.average.screening:
        return allowed(rule, FINAL)
    return allowed(rule, EQUIVALENCE) if _is_barred(rule, pair, statistics, p_values, criteria) else rule


def judged(statistics: PairedT, p_values: PValues, margin: float, better: int, extended: bool) -> Verdict:
    """Return the rule that matches the statistics; if seeds were added, by the interval that allows for this."""
    p_holm, p_tost_holm = p_values.p_holm, p_values.p_tost_holm
    if extended:
        half = always_valid_half_width(float(statistics.sd), statistics.n, p_values.alpha / p_values.comparisons)
        low, high = statistics.delta - half, statistics.delta + half
        statistics = replace(statistics, fw_low=low, fw_high=high)
        p_holm = 0.0 if low > 0 or high < 0 else 1.0
        p_tost_holm = 0.0 if -margin < low and high < margin else 1.0
    return RULES[int(judge(statistics, np.asarray(p_holm), np.asarray(p_tost_holm), False, margin, better))]


def allowed(rule: Verdict, barred: tuple[Verdict, ...]) -> Verdict:
    """Return the rule, or the strongest one that claims no more, if it is barred."""
    if rule not in barred:
        return rule
    return Verdict.INCONCLUSIVE if rule is Verdict.NO_EFFECT else Verdict.UNRESOLVED


def score_step(pair: PairedSeeds, margin: float) -> float:
    """Return the step of the scores of single runs, if they are coarse for the margin; 0 otherwise."""
    if pair.average:
        return pair.average.step
    if pair.is_unpaired:
        arms = np.full((2, max(len(pair.variant), len(pair.reference))), np.nan)
        arms[0, : len(pair.variant)], arms[1, : len(pair.reference)] = pair.variant, pair.reference
        return usual_step(arms, margin)
    return usual_step(np.subtract(pair.variant, pair.reference, dtype=np.float64), margin)


def _is_barred(rule: Verdict, pair: PairedSeeds, statistics: PairedT, p: PValues, criteria: Criteria) -> bool:
    """Return whether the scores are too coarse for this verdict."""
    step, extended = score_step(pair, criteria.margin), criteria.protocol.extended
    return rule in EQUIVALENCE and bars_equivalence(statistics, p, step, criteria.margin, extended)


def coarse_step(rule: Verdict, pair: PairedSeeds, statistics: PairedT, p: PValues, criteria: Criteria) -> float:
    """Return the step of coarse scores if it alone prevents a verdict of equivalence; 0 otherwise."""
    if rule not in (Verdict.UNRESOLVED, Verdict.INCONCLUSIVE):
        return 0.0
    unbarred = judged(statistics, p, criteria.margin, criteria.metric.better, criteria.protocol.extended)
    return score_step(pair, criteria.margin) if _is_barred(unbarred, pair, statistics, p, criteria) else 0.0


def with_prefixes(rule: Verdict, pair: PairedSeeds, comparison: Comparison, protocol: Protocol) -> str:
    """Return the verdict with its prefixes."""
    before = prefixes(rule, pair, comparison.planned, protocol)
    return verdict_text(rule, before, unstable_text(pair, is_unreliable=rule is Verdict.UNRELIABLE))


def verdict_text(rule: Verdict, before: list[str], unstable: str) -> str:
    """Return a verdict as text. `unstable` counts the unstable runs: the last prefix, or the verdict itself."""
    return ": ".join([*before, *([unstable] if unstable else []), *([] if rule is Verdict.UNSTABLE else [rule])])


def prefixes(rule: Verdict, pair: PairedSeeds, planned: bool, protocol: Protocol) -> list[str]:
    """Return the prefixes that qualify a verdict, in order, without the number of unstable runs."""
    found = ["screening"] if pair.average is not None and pair.average.screening else []
    return found + protocol_prefixes(rule, pair.n, planned, protocol)


def protocol_prefixes(rule: Verdict, n: int, planned: bool, protocol: Protocol) -> list[str]:
    """Return the prefixes that follow from the number of seeds and from the protocol."""
    found = []
    if n in (3, 4) and rule not in (Verdict.IDENTICAL, Verdict.SINGLE):
        found.append("preliminary")
    if protocol.extended or not (planned and protocol.planned):
        found.append("exploratory")
    if protocol.selected_on_test:
        found.append("optimistic")
    if protocol.replicates == "runs":
        found.append("unpaired")
    return found


def unstable_text(pair: PairedSeeds, *, is_unreliable: bool = False, naming_seeds: bool = False) -> str:
    """Return the unstable runs as text, "unstable in 2 of 5 seeds, reference in 1"; empty if there are none.

    If the verdict is that the variant trains unreliably, it states the variant's runs itself. `naming_seeds` replaces
    the number of the reference's by its seeds.
    """
    if pair.average is not None:
        return unstable_runs(pair.average.n_unstable, pair.average.runs)
    own, lost = len(pair.unstable), len(pair.reference_unstable)
    unit = "run" if pair.is_unpaired else "seed"
    seeds, others = count(len(pair.seeds), unit), count(pair.n_reference, unit)
    where = seed_list(pair.reference_unstable) if naming_seeds else f"{lost} of {others}" if pair.is_unpaired else lost
    if own and not is_unreliable:
        return f"unstable in {own} of {seeds}" + (f", reference in {where}" if lost else "")
    if not lost:
        return ""
    return f"reference unstable in {where if naming_seeds else f'{lost} of {others}'}"


def unstable_runs(unstable: int, runs: int) -> str:
    """Return the number of unstable runs among those of an average as text; empty if there are none."""
    return f"unstable in {unstable} of {count(runs, 'run')}" if unstable else ""


def seed_list(seeds: tuple[Seed, ...]) -> str:
    """Return seeds as text: "seed 3", "seeds 1, 3"; many as their number."""
    if len(seeds) > MOST_SEEDS:
        return count(len(seeds), "seed")
    return ("seed " if len(seeds) == 1 else "seeds ") + ", ".join(map(str, seeds))


def unstable_variants(unstable: Mapping[str, tuple[Seed, ...]], most: int = MOST_NAMED) -> str:
    """Return the unstable runs by variant as text: "none (seeds 3, 4)"."""
    return listed((f"{name} ({seed_list(seeds)})" for name, seeds in unstable.items()), most)


def unstable_of_average(unstable: Mapping[str, tuple[Seed, ...]]) -> str:
    """Return the unstable runs of an average as text: "variant none (seeds 3, 4)", "runs of 4 variants"."""
    if len(unstable) > MOST_NAMED:
        return f"runs of {len(unstable)} variants"
    return f"variant{'s' * (len(unstable) > 1)} {unstable_variants(unstable)}"

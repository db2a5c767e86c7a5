"""Estimate effects from the run table: pair the seeds, test, adjust within families, choose the verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ablate.errors import UserError
from ablate.stats.effects.coarse_scores import at_least, seeds_for_coarse
from ablate.stats.effects.criteria import Criteria, PValues
from ablate.stats.effects.effect import EFFECT_COLUMNS, Effect, Evidence
from ablate.stats.effects.inference import PairedT, always_valid_half_width, wilson
from ablate.stats.effects.multiple_comparisons import counted_too, families, holm
from ablate.stats.effects.pair_statistics import balanced, family_statistics, freedom_of, instability_p
from ablate.stats.effects.pairing import pair, read_arms
from ablate.stats.effects.power import SeedsRange, minimum_detectable_effect, seeds_range
from ablate.stats.effects.sensitivity import mean_of, sd_of, sensitivity_columns
from ablate.stats.effects.types import ALPHA, Average, Comparison, PairedSeeds, Protocol, Verdict
from ablate.stats.effects.verdicts import coarse_step, rule_of, score_step, with_prefixes
from ablate.stats.metric import Metric

if TYPE_CHECKING:
    import pandas as pd


def estimate_effects(
    runs: pd.DataFrame,
    comparisons: Sequence[Comparison],
    metric: Metric,
    margin: float,
    protocol: Protocol | None = None,
    averages: Mapping[str, Average] = MappingProxyType({}),
) -> list[Effect]:
    """Return the effect of every planned comparison, in the given order, with Holm's correction within each family.

    Args:
        runs: One row per run with the columns variant, seed, status and the metric, unscaled.
        comparisons: The planned comparisons. Those without runs are kept, with n = 0, and count in their family.
        metric: The metric; its floor replaces non-finite values of unstable runs.
        margin: The smallest difference that matters, scaled as displayed: 0.5 points for a fraction.
        protocol: What was fixed before the runs; everything by default.
        averages: What qualifies the variants whose rows are averages over several variants.

    Raises:
        UserError: If the table is invalid, the margin is not positive or a comparison is listed twice.
    """
    check_comparisons(comparisons, margin)
    arms = read_arms(runs, metric)
    criteria = Criteria(metric, margin, protocol or Protocol())
    is_unpaired = criteria.protocol.replicates == "runs"
    effects: dict[int, Effect] = {}
    for indices in families(comparisons):
        family = [comparisons[index] for index in indices]
        family += counted_too(family, comparisons)
        pairs = [replace(pair(arms, row, is_unpaired=is_unpaired), average=averages.get(row.variant)) for row in family]
        effects.update(zip(indices, family_effects(family, pairs, criteria), strict=False))
    return [effects[index] for index in range(len(comparisons))]


def check_comparisons(comparisons: Sequence[Comparison], margin: float) -> None:
    """Raise UserError if the margin is not positive or a family lists a comparison twice."""
    if not (math.isfinite(margin) and margin > 0):
        raise UserError(f"The margin must be positive, not {margin}: set it to the smallest difference that matters")
    seen: set[tuple[str, str, str]] = set()
    for row in comparisons:
        key = (row.family, row.variant, row.reference)
        if key in seen:
            raise UserError(f"The family {row.family!r} lists {row.variant} against {row.reference} twice")
        seen.add(key)


def family_effects(comparisons: Sequence[Comparison], pairs: Sequence[PairedSeeds], criteria: Criteria) -> list[Effect]:
    """Return the effects of one family at a fixed number of seeds."""
    m = len(comparisons)
    statistics = family_statistics(pairs, criteria.margin, ALPHA, criteria.protocol)
    p, p_tost = [float(row.p) for row in statistics], [float(row.p_tost) for row in statistics]
    columns = (p, holm(p).tolist(), p_tost, holm(p_tost).tolist(), holm(instability_p(pairs)).tolist())
    p_values = [PValues(*values, m) for values in zip(*columns, strict=True)]
    return [assemble(criteria, *parts) for parts in zip(comparisons, pairs, statistics, p_values, strict=True)]


def assemble(
    criteria: Criteria,
    comparison: Comparison,
    pair: PairedSeeds,
    statistics: PairedT,
    p_values: PValues,
) -> Effect:
    """Return the effect of one comparison from its statistics and adjusted p-values."""
    rule = rule_of(pair, statistics, p_values, criteria)
    columns: dict[str, Any] = {
        **_comparison_columns(comparison),
        **_arm_columns(pair),
        **_statistics_columns(statistics),
        **sensitivity_columns(pair, criteria.metric, criteria.protocol.replicates),
        "level": 1 - p_values.alpha,
        "p": p_values.p,
        "p_holm": p_values.p_holm,
        "margin": criteria.margin,
        "p_tost": p_values.p_tost,
        "p_tost_holm": p_values.p_tost_holm,
        "mde": minimum_detectable_effect(
            _varying(pair, statistics), pair.n, p_values.comparisons, p_values.alpha, freedom_of(pair)
        ),
        "verdict": with_prefixes(rule, pair, comparison, criteria.protocol),
    }
    evidence = replace(
        _evidence(criteria, pair, statistics, p_values, rule),
        factor_level=comparison.level,
        reference_level=comparison.reference_level,
    )
    return Effect(**columns, evidence=evidence)


def _evidence(criteria: Criteria, pair: PairedSeeds, statistics: PairedT, p: PValues, rule: Verdict) -> Evidence:
    """Return the numbers behind the verdict and the sentence of a comparison."""
    sd, delta = float(statistics.sd), float(statistics.delta)
    low, high = wilson(len(pair.unstable), len(pair.seeds))
    extended = criteria.protocol.extended
    half, wider = (always_valid_half_width(sd, pair.n, alpha) for alpha in (p.alpha, p.alpha / p.comparisons))
    valid = extended and _varying(pair, statistics) > 0
    return Evidence(
        paired=pair,
        comparisons=p.comparisons,
        alpha=p.alpha,
        sd_difference=sd,
        seeds_needed=_seeds_needed(criteria, pair, statistics, p),
        unstable_low=low,
        unstable_high=high,
        p_unreliable=p.p_unreliable,
        rule=rule,
        coarse=coarse_step(rule, pair, statistics, p, criteria),
        estimand=criteria.protocol.estimand,
        replicates=criteria.protocol.replicates,
        freedom=freedom_of(pair),
        extended=extended,
        valid=(delta - half, delta + half) if valid else None,
        valid_family=(delta - wider, delta + wider) if valid else None,
    )


def _seeds_needed(criteria: Criteria, pair: PairedSeeds, statistics: PairedT, p: PValues) -> SeedsRange | None:
    """Return the seeds that detect a difference equal to the margin: at least those that coarse scores need.

    Of unpaired runs, the number per variant. None for folds: more folds of the same data are not more data.
    """
    if criteria.protocol.replicates == "folds":
        return None
    sd, share = _varying(pair, statistics), 1.0
    if pair.is_unpaired and sd > 0:
        sd, share = balanced(pair)
    needed = seeds_range(criteria.margin, sd, pair.n, p.comparisons, p.alpha, freedom_of(pair), share)
    step = score_step(pair, criteria.margin)
    if needed is None or step <= criteria.margin:
        return needed
    return at_least(needed, seeds_for_coarse(step, criteria.margin, p.comparisons, p.alpha))


def _varying(pair: PairedSeeds, statistics: PairedT) -> float:
    """Return the SD of the difference, or NaN if the difference does not vary."""
    sd = float(statistics.sd)
    return sd if sd > pair.least_sd else math.nan


def _comparison_columns(comparison: Comparison) -> dict[str, Any]:
    return {
        "factor": comparison.label,
        "variant": comparison.variant,
        "reference": comparison.reference,
        "change": comparison.change,
        "family": comparison.family,
        "n_planned": comparison.n_planned,
    }


def _arm_columns(pair: PairedSeeds) -> dict[str, Any]:
    return {
        "n": pair.n,
        "n_unstable": pair.n_unstable,
        "baseline_mean": mean_of(pair.reference),
        "baseline_sd": sd_of(pair.reference),
        "variant_mean": mean_of(pair.variant),
        "variant_sd": sd_of(pair.variant),
    }


def _statistics_columns(statistics: PairedT) -> dict[str, float]:
    return {
        "delta": float(statistics.delta),
        "ci_low": float(statistics.low),
        "ci_high": float(statistics.high),
        "fw_low": float(statistics.fw_low),
        "fw_high": float(statistics.fw_high),
    }


def effects_table(effects: Sequence[Effect]) -> pd.DataFrame:
    """Return the table of effects.csv, one row per effect."""
    import pandas as pd

    return pd.DataFrame([effect.row() for effect in effects], columns=list(EFFECT_COLUMNS))

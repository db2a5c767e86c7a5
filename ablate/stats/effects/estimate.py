"""Estimate effects from the run table: pair the seeds, test, adjust within families, choose the verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ablate.errors import UserError
from ablate.stats.effects.inference import (
    NO_VARIANCE,
    Floats,
    PairedT,
    correlation,
    holm,
    paired_t,
    sign_flip_p,
    welch_p,
    wilson,
)
from ablate.stats.effects.pairing import pair, read_arms
from ablate.stats.effects.power import minimum_detectable_effect, seeds_needed
from ablate.stats.effects.types import (
    ALPHA,
    EFFECT_COLUMNS,
    Comparison,
    Effect,
    Evidence,
    PairedSeeds,
    Protocol,
)
from ablate.stats.effects.verdicts import rule_of, with_prefixes
from ablate.stats.metric import Metric

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Criteria:
    """The criteria shared by all comparisons of a study: metric, margin (scaled as displayed), protocol."""

    metric: Metric
    margin: float
    protocol: Protocol


@dataclass(frozen=True)
class PValues:
    """The p-values of one comparison before and after Holm, the size of its family, and its error rate."""

    p: float
    p_holm: float
    p_tost: float
    p_tost_holm: float
    comparisons: int
    alpha: float = ALPHA


def estimate_effects(
    runs: pd.DataFrame,
    comparisons: Sequence[Comparison],
    metric: Metric,
    margin: float,
    protocol: Protocol | None = None,
) -> list[Effect]:
    """Return the effect of every planned comparison, in the given order, with Holm's correction within each family.

    Args:
        runs: One row per run with the columns variant, seed, status and the metric, unscaled.
        comparisons: The planned comparisons. Those without runs are kept, with n = 0, and count in their family.
        metric: The metric; its floor replaces non-finite values of unstable runs.
        margin: The smallest difference that matters, scaled as displayed: 0.5 points for a fraction.
        protocol: What was fixed before the runs; everything by default.

    Raises:
        UserError: If the table is invalid, the margin is not positive or a comparison is listed twice.
    """
    check_comparisons(comparisons, margin)
    criteria = Criteria(metric, margin, protocol or Protocol())
    arms = read_arms(runs, metric)
    effects: dict[int, Effect] = {}
    for indices in families(comparisons):
        family = [comparisons[index] for index in indices]
        effects.update(zip(indices, _family(family, [pair(arms, row) for row in family], criteria), strict=True))
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


def families(comparisons: Sequence[Comparison]) -> list[list[int]]:
    """Return the indices of each family's comparisons, families in order of appearance."""
    indices: dict[str, list[int]] = {}
    for index, comparison in enumerate(comparisons):
        indices.setdefault(comparison.family, []).append(index)
    return list(indices.values())


def _family(comparisons: Sequence[Comparison], pairs: Sequence[PairedSeeds], criteria: Criteria) -> list[Effect]:
    """Return the effects of one family at a fixed number of seeds."""
    m = len(comparisons)
    statistics = [paired_t(differences(pair), criteria.margin, ALPHA, m) for pair in pairs]
    p, p_tost = [float(row.p) for row in statistics], [float(row.p_tost) for row in statistics]
    p_values = [PValues(*values, m) for values in zip(p, holm(p).tolist(), p_tost, holm(p_tost).tolist(), strict=True)]
    return [assemble(criteria, *parts) for parts in zip(comparisons, pairs, statistics, p_values, strict=True)]


def differences(pair: PairedSeeds) -> Floats:
    """Return variant - reference by seed."""
    return np.subtract(pair.variant, pair.reference, dtype=np.float64)


def assemble(
    criteria: Criteria,
    comparison: Comparison,
    pair: PairedSeeds,
    statistics: PairedT,
    p_values: PValues,
) -> Effect:
    """Return the effect of one comparison from its statistics and adjusted p-values."""
    sd = float(statistics.sd)
    m, alpha, margin = p_values.comparisons, p_values.alpha, criteria.margin
    rule = rule_of(pair, statistics, p_values.p_holm, p_values.p_tost_holm, margin, criteria.metric.better)
    low, high = wilson(len(pair.unstable), pair.n)
    protocol = criteria.protocol
    evidence = Evidence(
        paired=pair,
        comparisons=m,
        alpha=alpha,
        sd_difference=sd,
        seeds_needed=seeds_needed(margin, sd, m, alpha),
        unstable_low=low,
        unstable_high=high,
        rule=rule,
        estimand=protocol.estimand,
        extended=protocol.extended,
    )
    columns: dict[str, Any] = {
        **_comparison_columns(comparison),
        **_arm_columns(pair),
        **_statistics_columns(statistics),
        **_sensitivity_columns(pair, criteria.metric),
        "level": 1 - alpha,
        "p": p_values.p,
        "p_holm": p_values.p_holm,
        "margin": margin,
        "p_tost": p_values.p_tost,
        "p_tost_holm": p_values.p_tost_holm,
        "mde": minimum_detectable_effect(sd, pair.n, m, alpha),
        "verdict": with_prefixes(rule, pair, comparison, protocol),
    }
    return Effect(**columns, evidence=evidence)


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
        "n_unstable": len(pair.unstable),
        "baseline_mean": _mean(pair.reference),
        "baseline_sd": _sd(pair.reference),
        "variant_mean": _mean(pair.variant),
        "variant_sd": _sd(pair.variant),
    }


def _statistics_columns(statistics: PairedT) -> dict[str, float]:
    return {
        "delta": float(statistics.delta),
        "ci_low": float(statistics.low),
        "ci_high": float(statistics.high),
        "fw_low": float(statistics.fw_low),
        "fw_high": float(statistics.fw_high),
    }


def _sensitivity_columns(pair: PairedSeeds, metric: Metric) -> dict[str, float]:
    """Return the difference among survivors, Welch, sign-flip, probability of improvement and rho."""
    change = differences(pair)
    wins = float(np.sum(change * metric.better > 0) + 0.5 * np.sum(change == 0))
    low, high = wilson(wins, pair.n)
    flat = pair.n > 1 and _sd(change.tolist()) <= NO_VARIANCE
    return {
        "delta_survivors": _mean(change[np.asarray(pair.survivors, dtype=bool)].tolist()),
        "p_welch": welch_p(pair.variant, pair.reference),
        "p_signflip": sign_flip_p(change.tolist()),
        "p_improve": wins / pair.n if pair.n else math.nan,
        "improve_low": low,
        "improve_high": high,
        "rho": math.nan if flat else correlation(pair.reference, pair.variant),
    }


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else math.nan


def _sd(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def effects_table(effects: Sequence[Effect]) -> pd.DataFrame:
    """Return the table of effects.csv, one row per effect."""
    import pandas as pd

    return pd.DataFrame([effect.row() for effect in effects], columns=list(EFFECT_COLUMNS))

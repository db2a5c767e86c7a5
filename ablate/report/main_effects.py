"""Main effects as comparisons: the average of all variants without a component against that of all with it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from ablate.report.study_data import StudyData
from ablate.stats.effects import Average, Comparison, Effect, Scores, estimate_effects

if TYPE_CHECKING:
    import pandas as pd

    from ablate.stats.attribution import FactorialAnalysis

FAMILY = "main effects"
AVERAGED = "averaged over the other components"
"""Qualifier of main effects in sentences, tables and plots."""


def estimate_main_effects(study: StudyData, factorial: FactorialAnalysis, scores: Scores) -> list[Effect]:
    """Return one effect per factor, in a separate family: without it against with it, the reverse for a candidate."""
    runs = _averaged_runs(study, factorial, scores.values)
    comparisons = [_comparison(study, str(name)) for name in study.design.columns]
    variants = {comparison.factor: comparison.variant for comparison in comparisons}
    averages = {
        variants[row.term]: Average(
            runs=factorial.runs,
            unstable=factorial.unstable,
            delta_survivors=_sign(study, row.term) * row.delta_survivors,
            step=factorial.step,
            repeats=scores.repeats,
            screening=factorial.is_screening,
            alias=row.likeliest,
        )
        for row in factorial.contrasts
        if row.family == FAMILY
    }
    effects = estimate_effects(runs, comparisons, study.metric, study.margin, study.protocol, averages)
    return [_with_few_seeds(effect, factorial, _sign(study, effect.factor)) for effect in effects]


def is_candidate(study: StudyData, factor: str) -> bool:
    """Return whether a factor is off in the baseline, so that its effect is that of adding it."""
    return study.baseline in study.design.index and not study.design.loc[study.baseline, factor]


def names_in_plots(effect: Effect, *, has_levels: bool) -> dict[str, str]:
    """Return the names of an average and of its reference in the forest plot, which groups rows by reference."""
    if has_levels:
        return {"variant": effect.variant.removesuffix(" (averaged)"), "reference": "the baseline's levels"}
    return {"variant": f"no {effect.factor.replace('_', ' ')}", "reference": "having it"}


def _sign(study: StudyData, factor: str) -> int:
    """Return the sign of a factor's effect relative to the effect of having it."""
    return 1 if is_candidate(study, factor) else -1


def _comparison(study: StudyData, factor: str) -> Comparison:
    """Return the comparison of the averages with and without a factor, in the direction of its change."""
    seeds = len(study.seeds)
    if is_candidate(study, factor):
        return Comparison(_on(factor), _off(factor), factor, "added", FAMILY, seeds)
    return Comparison(_off(factor), _on(factor), factor, "removed", FAMILY, seeds)


def _off(factor: object) -> str:
    """Return the name of the average of all variants without a factor."""
    return f"no-{str(factor).replace('_', '-')} (averaged)"


def _on(factor: object) -> str:
    """Return the name of the average of all variants with a factor."""
    return f"with {str(factor).replace('_', '-')} (averaged)"


def _averaged_runs(study: StudyData, factorial: FactorialAnalysis, scores: pd.DataFrame) -> pd.DataFrame:
    """Return a run table of the averages over the balanced design, by seed, for each factor off and on.

    Off minus on is then, seed by seed, minus the factorial contrast e_s = (2/N) X'y_s. Only complete seeds are used;
    values are in the unit of the run table. An average with a run that has no score has none either.
    """
    import pandas as pd

    from ablate.stats.attribution import orthogonal_part

    metric, part = study.metric, orthogonal_part(study.design)
    table = scores.reindex(part.index)[list(factorial.seeds)] / metric.scale
    rows = [
        {
            "variant": name(factor),
            "seed": seed,
            "status": "unstable" if math.isnan(value) else "finished",
            metric.name: value,
        }
        for factor in part.columns
        for name, chosen in ((_off, ~part[factor]), (_on, part[factor]))
        for seed, value in table[chosen].mean(axis=0, skipna=False).items()
    ]
    return pd.DataFrame(rows, columns=["variant", "seed", "status", metric.name])


def _with_few_seeds(effect: Effect, factorial: FactorialAnalysis, sign: int) -> Effect:
    """Return a main effect; below 3 seeds, with the intervals and p-values of all runs together."""
    if effect.n != len(factorial.seeds) or effect.n > 2:
        return effect
    row = next(row for row in factorial.contrasts if row.term == effect.factor)
    ci_low, ci_high = sorted((sign * row.low, sign * row.high))
    fw_low, fw_high = sorted((sign * row.fw_low, sign * row.fw_high))
    return replace(
        effect,
        ci_low=ci_low,
        ci_high=ci_high,
        fw_low=fw_low,
        fw_high=fw_high,
        p=row.p,
        p_holm=row.p_holm,
        p_tost=row.p_tost,
        p_tost_holm=row.p_tost_holm,
    )

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
    """Return one effect per factor, without it against with it, in a separate family."""
    runs = _averaged_runs(study, factorial, scores.values)
    comparisons = [
        Comparison(_off(name), _on(name), str(name), "removed", FAMILY, len(study.seeds))
        for name in study.design.columns
    ]
    averages = {
        _off(row.term): Average(
            runs=factorial.runs,
            unstable=factorial.unstable,
            delta_survivors=-row.delta_survivors,
            step=scores.step,
            repeats=scores.repeats,
            screening=factorial.is_screening,
            alias=row.likeliest,
        )
        for row in factorial.contrasts
        if row.family == FAMILY
    }
    effects = estimate_effects(runs, comparisons, study.metric, study.margin, study.protocol, averages)
    return [_with_few_seeds(effect, factorial) for effect in effects]


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


def _with_few_seeds(effect: Effect, factorial: FactorialAnalysis) -> Effect:
    """Return a main effect; below 3 seeds, with the intervals and p-values of all runs together."""
    if effect.n != len(factorial.seeds) or effect.n > 2:
        return effect
    row = next(row for row in factorial.contrasts if row.term == effect.factor)
    return replace(
        effect,
        ci_low=-row.high,
        ci_high=-row.low,
        fw_low=-row.fw_high,
        fw_high=-row.fw_low,
        p=row.p,
        p_holm=row.p_holm,
        p_tost=row.p_tost,
        p_tost_holm=row.p_tost_holm,
    )

"""From a study's runs to everything that its report states: effects, attribution, interactions, noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ablate.errors import UserError
from ablate.report.main_effects import averaged_runs, main_effect_rows
from ablate.report.study_data import StudyData
from ablate.stats.effects import (
    BUDGET_DIFFERENCES,
    Effect,
    NoiseBudget,
    TwoScopes,
    estimate_effects,
    image_standard_error,
    noise_budget,
    replay,
    score_table,
    start_monitoring,
    two_scopes,
)
from ablate.studies.recipe import retuned_label

if TYPE_CHECKING:
    import pandas as pd

    from ablate.stats.attribution import AliasGroup, Attribution, FactorialAnalysis, FactorialContrast

ONE_AT_A_TIME = ("leave-one-out", "add-one-in", "both-ways", "pairs", "path")
"""Designs that plan comparisons of arms, so that averages over arms were not what was asked."""

IMAGES_AT_MOST = 20_000_000  # cells of one table of seeds x images


@dataclass(frozen=True)
class Analysis:
    """All that is stated about one study; what its design does not give is None or empty.

    `effects` are the rows of effects.csv, main effects (as what switching off does) last.
    """

    study: StudyData
    effects: Sequence[Effect]
    scores: pd.DataFrame
    factorial: FactorialAnalysis | None = None
    aliases: Sequence[AliasGroup] = ()
    resolution: int | None = None
    attribution: Attribution | None = None
    synergies: Sequence[FactorialContrast] = ()
    budget: NoiseBudget | None = None
    scopes: Mapping[tuple[str, str], TwoScopes] = field(default_factory=dict)
    retuned: Sequence[Effect] = ()

    def partner(self, effect: Effect) -> Effect | None:
        """The same comparison between re-tuned arms, of a study whose arms were tuned."""
        wanted = f"{effect.family}, re-tuned", retuned_label(effect.variant), retuned_label(effect.reference)
        return next((row for row in self.retuned if (row.family, row.variant, row.reference) == wanted), None)

    @property
    def compared(self) -> list[Effect]:
        """The effects of single arms against a reference, the lowest first."""
        return sorted((effect for effect in self.effects if effect.family != "main effects"), key=_by_delta)

    @property
    def main_effects(self) -> list[Effect]:
        """The effects averaged over all other factors, the lowest first."""
        return sorted((effect for effect in self.effects if effect.family == "main effects"), key=_by_delta)

    @property
    def headline(self) -> list[Effect]:
        """What the answer speaks of: main effects where the design was made for them, else the comparisons."""
        return self.main_effects or self.compared

    @property
    def main_contrasts(self) -> list[FactorialContrast]:
        """What having each component adds, averaged over all others, in a factorial design."""
        return [row for row in self.factorial.contrasts if row.family == "main effects"] if self.factorial else []

    @cached_property
    def interactions(self) -> list[FactorialContrast]:
        """The estimable interactions of a factorial design, or the synergies of pairs, largest first."""
        found = [row for row in self.factorial.contrasts if row.family == "interactions"] if self.factorial else []
        return sorted([*found, *self.synergies], key=lambda row: -abs(row.estimate) if row.n else math.inf)


def _by_delta(effect: Effect) -> tuple[bool, float]:
    return math.isnan(effect.delta), effect.delta


def analyse(study: StudyData) -> Analysis:
    """Everything that the runs of a study support. Raises UserError for runs that cannot be read."""
    metric, margin = study.metric, study.margin
    scores = score_table(study.runs, metric)
    factorial = _factorial(study, scores)
    effects = _compared(study)
    main = []
    if factorial is not None:
        runs = averaged_runs(study.design, factorial, scores, metric)
        planned = main_effect_rows(study.design.columns, len(study.seeds))
        main = estimate_effects(runs, planned, metric, margin, study.protocol)
        main = [_as_factorial(effect, factorial) for effect in main]
    aliases, resolution = _aliases(study)
    found = Analysis(
        study=study,
        effects=[*effects, *main],
        scores=scores,
        factorial=factorial,
        aliases=aliases,
        resolution=resolution,
        attribution=_attribution(study, scores),
        synergies=() if factorial else _synergies(study, scores),
        retuned=_retuned(study),
    )
    bits = study.correct()
    return replace(found, budget=_budget(found, bits), scopes=_scopes(found, bits))


def _compared(study: StudyData) -> list[Effect]:
    """The effects of the planned comparisons, at the last look where seeds are added until it is clear."""
    if not study.comparisons:
        return []
    if study.looks is None:
        return estimate_effects(study.runs, study.comparisons, study.metric, study.margin, study.protocol)
    state = start_monitoring(study.comparisons, study.seeds, study.looks)
    return replay(state, study.runs, study.metric, study.margin, study.protocol).effects


def _retuned(study: StudyData) -> list[Effect]:
    """The effects among re-tuned arms: another estimand, a family of its own."""
    if study.searches is None or not study.searches.comparisons:
        return []
    protocol = replace(study.protocol, estimand="re-tuned")
    return estimate_effects(study.runs, study.searches.comparisons, study.metric, study.margin, protocol)


def _factorial(study: StudyData, scores: pd.DataFrame) -> FactorialAnalysis | None:
    """The contrasts of a balanced two-level design of two factors or more, over the seeds that have every run."""
    from ablate.stats.attribution import factorial_effects

    if study.design.shape[1] < 2 or study.design_name in ONE_AT_A_TIME:
        return None
    try:
        return factorial_effects(study.design, scores, study.margin, study.metric.goal)
    except UserError:  # no such design, or no seed has all of it yet
        return None


def _as_factorial(effect: Effect, factorial: FactorialAnalysis) -> Effect:
    """A main effect with the intervals and p values that its number of seeds allows: below 3, those of all runs."""
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


def _aliases(study: StudyData) -> tuple[list[AliasGroup], int | None]:
    """Which terms share a column, and the resolution; nothing for designs that are no fraction."""
    from ablate.stats.attribution import alias_groups, orthogonal_part, resolution

    if study.design.shape[1] < 2:
        return [], None
    try:
        part = orthogonal_part(study.design)
    except UserError:
        return [], None
    return [group for group in alias_groups(part) if group.order], resolution(part)


def _attribution(study: StudyData, scores: pd.DataFrame) -> Attribution | None:
    """Shapley values beside leave-one-out and add-one-in, where the design holds them and a seed has all of it."""
    from ablate.stats.attribution import attribute, shapley_source

    if study.design.shape[1] < 2 or shapley_source(study.design) is None:
        return None
    try:
        return attribute(study.design, scores, study.margin)
    except UserError:
        return None


def _synergies(study: StudyData, scores: pd.DataFrame) -> list[FactorialContrast]:
    """The synergies of pairs at the full corner, where arms without two components were run."""
    from ablate.stats.attribution import pair_synergies

    design = study.design
    off = (~design.to_numpy(dtype=bool)).sum(axis=1).tolist()
    if design.shape[1] < 2 or 2 not in off or 0 not in off:
        return []
    found = pair_synergies(design, scores, study.margin, study.metric.goal)
    return found if any(row.n for row in found) else []


def _budget(analysis: Analysis, bits: Mapping[str, Mapping[int, Any]]) -> NoiseBudget | None:
    """How large the noise is, from the reference's seeds and every comparison's paired differences."""
    study = analysis.study
    if study.baseline not in analysis.scores.index:
        return None
    scores = analysis.scores.loc[[study.baseline]].to_numpy(dtype=float)[0]
    reference = [value for value in scores.tolist() if math.isfinite(value)]
    sds = [effect.evidence.sd_difference for effect in analysis.headline]
    image_se = math.nan
    if bits.get(study.baseline):
        rows = list(bits[study.baseline].values())
        image_se = image_standard_error(rows, study.metric.scale)
    per_margin = 1.0 if study.metric.in_points else 2 * study.margin  # 0.5 points are a usual margin
    targets = [round(difference * per_margin, 12) for difference in BUDGET_DIFFERENCES]
    return noise_budget(reference, sds, max(1, len(analysis.headline)), image_se, targets)


def _scopes(analysis: Analysis, bits: Mapping[str, Mapping[int, Any]]) -> dict[tuple[str, str], TwoScopes]:
    """Both scopes of noise for every comparison whose arms have per-image results at two shared seeds or more."""
    import numpy as np

    scopes = {}
    for effect in analysis.compared:
        one, other = bits.get(effect.variant, {}), bits.get(effect.reference, {})
        seeds = [seed for seed in effect.evidence.paired.seeds if seed in one and seed in other]
        lengths = {len(table[seed]) for table in (one, other) for seed in seeds}
        if len(seeds) < 2 or len(lengths) != 1 or len(seeds) * max(lengths) > IMAGES_AT_MOST:
            continue
        variant = np.array([one[seed] for seed in seeds], dtype=np.int8)
        reference = np.array([other[seed] for seed in seeds], dtype=np.int8)
        scopes[effect.variant, effect.reference] = two_scopes(variant - reference, analysis.study.metric.scale)
    return scopes

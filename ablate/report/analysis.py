"""Analyse the runs of a study: effects, attribution, interactions, noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ablate.errors import UserError
from ablate.report.main_effects import FAMILY, estimate_main_effects
from ablate.report.study_data import StudyData
from ablate.stats.effects import (
    BUDGET_DIFFERENCES,
    Effect,
    NoiseBudget,
    Scores,
    TwoScopes,
    estimate_effects,
    image_standard_error,
    noise_budget,
    read_scores,
    replay,
    start_monitoring,
    two_scopes,
)
from ablate.studies.recipe import retuned_label

if TYPE_CHECKING:
    import pandas as pd

    from ablate.stats.attribution import AliasGroup, Attribution, FactorialAnalysis, FactorialContrast

ONE_AT_A_TIME = ("leave-one-out", "add-one-in", "both-ways", "pairs", "path")
"""Designs that compare single variants: they have no main effects, which are averages over variants."""

MOST_CELLS = 20_000_000
"""Seeds times images of one variant, beyond which the scopes of noise are omitted."""


@dataclass(frozen=True)
class Analysis:
    """The results of a study. Fields that its design does not provide are None or empty.

    Attributes:
        study: The runs and their description.
        effects: Effects of the planned comparisons, then main effects (of switching off), as in effects.csv.
        scores: Scaled scores, one row per variant and one column per seed.
        factorial: Contrasts of a factorial design.
        aliases: Groups of terms that share a column of the design.
        resolution: Resolution of a fractional factorial design.
        attribution: Shapley values with leave-one-out and add-one-in differences.
        synergies: Synergies of pairs, from a design that removes pairs.
        budget: Size of the noise and the seeds needed for smaller differences.
        scopes: Standard errors over seeds, and over seeds and images, by variant and reference.
        retuned: Effects among re-tuned variants.
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
        """Return the same comparison between re-tuned variants, if there is one."""
        wanted = f"{effect.family}, re-tuned", retuned_label(effect.variant), retuned_label(effect.reference)
        return next((row for row in self.retuned if (row.family, row.variant, row.reference) == wanted), None)

    @cached_property
    def compared(self) -> list[Effect]:
        """Effects of single variants against a reference, in ascending order."""
        return sorted((effect for effect in self.effects if effect.family != FAMILY), key=_by_delta)

    @cached_property
    def main_effects(self) -> list[Effect]:
        """Effects averaged over the other factors, in ascending order."""
        return sorted((effect for effect in self.effects if effect.family == FAMILY), key=_by_delta)

    @property
    def headline(self) -> list[Effect]:
        """Effects that the answer states: main effects if the design has them, otherwise the comparisons."""
        return self.main_effects or self.compared

    @property
    def interval_name(self) -> str:
        """The name of the interval that the verdicts are based on."""
        return "interval for added seeds" if self.study.protocol.extended else "family-wise interval"

    @property
    def main_contrasts(self) -> list[FactorialContrast]:
        """Effects of having each component, averaged over the others, of a factorial design."""
        return [row for row in self.factorial.contrasts if row.family == FAMILY] if self.factorial else []

    @cached_property
    def interactions(self) -> list[FactorialContrast]:
        """Estimable interactions of a factorial design, or synergies of pairs, largest first."""
        found = [row for row in self.factorial.contrasts if row.family == "interactions"] if self.factorial else []
        return sorted([*found, *self.synergies], key=lambda row: -abs(row.estimate) if row.n else math.inf)


def _by_delta(effect: Effect) -> tuple[bool, float]:
    return math.isnan(effect.delta), effect.delta


def analyse(study: StudyData) -> Analysis:
    """Return everything that the runs of a study support. Raises UserError for scores that cannot be compared."""
    table = read_scores(study.runs, study.metric)
    scores = table.values
    factorial = _factorial(study, table)
    main_effects = [] if factorial is None else estimate_main_effects(study, factorial, table)
    aliases, resolution = _aliases(study)
    analysis = Analysis(
        study=study,
        effects=[*_compared(study), *main_effects],
        scores=scores,
        factorial=factorial,
        aliases=aliases,
        resolution=resolution,
        attribution=_attribution(study, scores),
        synergies=() if factorial else _synergies(study, table),
        retuned=_retuned(study),
    )
    correct = study.correct()
    return replace(analysis, budget=_budget(analysis, correct), scopes=_scopes(analysis, correct))


def _compared(study: StudyData) -> list[Effect]:
    """Return the effects of the planned comparisons; with sequential testing, those of the last look."""
    if not study.comparisons:
        return []
    if study.looks is None:
        return estimate_effects(study.runs, study.comparisons, study.metric, study.margin, study.protocol)
    state = start_monitoring(study.comparisons, study.integer_seeds, study.looks)
    return replay(state, study.runs, study.metric, study.margin, study.protocol).effects


def _retuned(study: StudyData) -> list[Effect]:
    """Return the effects among re-tuned variants: another estimand, in a separate family."""
    if study.searches is None or not study.searches.comparisons:
        return []
    protocol = replace(study.protocol, estimand="re-tuned")
    return estimate_effects(study.runs, study.searches.comparisons, study.metric, study.margin, protocol)


def _factorial(study: StudyData, scores: Scores) -> FactorialAnalysis | None:
    """Return the contrasts of a balanced two-level design of at least two factors, over the complete seeds."""
    from ablate.stats.attribution import factorial_effects

    if study.design.shape[1] < 2 or study.design_name in ONE_AT_A_TIME:
        return None
    try:
        return factorial_effects(
            study.design,
            scores.values,
            study.margin,
            study.metric.goal,
            unstable=scores.unstable,
            protocol=study.protocol,
        )
    except UserError:  # not such a design, or no complete seed yet
        return None


def _aliases(study: StudyData) -> tuple[list[AliasGroup], int | None]:
    """Return the terms that share a column, and the resolution; neither for designs that are not fractions."""
    from ablate.stats.attribution import alias_groups, orthogonal_part, resolution

    if study.design.shape[1] < 2:
        return [], None
    try:
        part = orthogonal_part(study.design)
    except UserError:
        return [], None
    return [group for group in alias_groups(part) if group.order], resolution(part)


def _attribution(study: StudyData, scores: pd.DataFrame) -> Attribution | None:
    """Return Shapley values, leave-one-out and add-one-in, if the design contains them and a seed is complete."""
    from ablate.stats.attribution import attribute, shapley_source

    if study.design.shape[1] < 2 or shapley_source(study.design) is None:
        return None
    try:
        return attribute(study.design, scores, study.margin)
    except UserError:
        return None


def _synergies(study: StudyData, scores: Scores) -> list[FactorialContrast]:
    """Return the synergies of pairs in the full recipe, if variants without two components were run."""
    from ablate.stats.attribution import pair_synergies

    design = study.design
    off = (~design.to_numpy(dtype=bool)).sum(axis=1).tolist()
    if design.shape[1] < 2 or 2 not in off or 0 not in off:
        return []
    found = pair_synergies(
        design, scores.values, study.margin, study.metric.goal, unstable=scores.unstable, protocol=study.protocol
    )
    return found if any(row.n for row in found) else []


def _budget(analysis: Analysis, correct: Mapping[str, Mapping[int, Any]]) -> NoiseBudget | None:
    """Return the size of the noise, from the baseline's seeds and the paired differences of every comparison."""
    study = analysis.study
    if study.baseline not in analysis.scores.index:
        return None
    scores = analysis.scores.loc[[study.baseline]].to_numpy(dtype=float)[0]
    reference = [value for value in scores.tolist() if math.isfinite(value)]
    sds = [effect.evidence.sd_difference for effect in analysis.headline]
    seeds = sorted(effect.n for effect in analysis.headline if math.isfinite(effect.evidence.sd_difference))
    n = seeds[len(seeds) // 2] if seeds else None
    image_se = math.nan
    if correct.get(study.baseline):
        rows = list(correct[study.baseline].values())
        image_se = image_standard_error(rows, study.metric.scale)
    per_margin = 1.0 if study.metric.in_points else 2 * study.margin  # BUDGET_DIFFERENCES are chosen for 0.5 points
    targets = [round(difference * per_margin, 12) for difference in BUDGET_DIFFERENCES]
    return noise_budget(reference, sds, max(1, len(analysis.headline)), image_se, targets, n)


def _scopes(analysis: Analysis, correct: Mapping[str, Mapping[int, Any]]) -> dict[tuple[str, str], TwoScopes]:
    """Return both scopes of noise for each comparison with per-image results at two shared seeds or more."""
    import numpy as np

    scopes = {}
    for effect in analysis.compared:
        one, other = correct.get(effect.variant, {}), correct.get(effect.reference, {})
        paired = effect.evidence.paired.seeds
        seeds = [seed for seed in paired if isinstance(seed, int) and seed in one and seed in other]
        lengths = {len(table[seed]) for table in (one, other) for seed in seeds}
        if len(seeds) < 2 or len(lengths) != 1 or len(seeds) * max(lengths) > MOST_CELLS:
            continue
        variant = np.array([one[seed] for seed in seeds], dtype=np.int8)
        reference = np.array([other[seed] for seed in seeds], dtype=np.int8)
        scopes[effect.variant, effect.reference] = two_scopes(variant - reference, analysis.study.metric.scale)
    return scopes

"""Analyse the runs of a study: effects, attribution, interactions, noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from ablate.errors import UserError
from ablate.report.dataset_analysis import pooled_over_datasets
from ablate.report.level_results import LevelResults, level_main_effects, level_results
from ablate.report.main_effects import FAMILY, estimate_main_effects
from ablate.report.noise_analysis import budget_of, scopes_of
from ablate.report.study_data import StudyData
from ablate.stats.effects import (
    Effect,
    NoiseBudget,
    Scores,
    TwoScopes,
    estimate_effects,
    read_scores,
    replay,
    start_monitoring,
)
from ablate.stats.effects.datasets import PooledEffect
from ablate.stats.effects.pairing import read_arms
from ablate.stats.effects.target import TargetResult, target_results
from ablate.studies.recipe import retuned_label

if TYPE_CHECKING:
    import pandas as pd

    from ablate.stats.attribution import AliasGroup, Attribution, FactorialAnalysis, FactorialContrast

ONE_AT_A_TIME = ("leave-one-out", "add-one-in", "both-ways", "pairs", "path")
"""Designs that compare single variants: they have no main effects, which are averages over variants."""


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
        secondary: The results for other metrics, which decide nothing.
        pooled: The effect of each variant over several data sets.
        targets: Whether each variant reaches the target, if there is one.
        levels: The results about components with levels.
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
    secondary: Sequence[Analysis] = ()
    pooled: Sequence[PooledEffect] = ()
    targets: Sequence[TargetResult] = ()
    levels: LevelResults = field(default_factory=LevelResults)

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
        found += self.levels.factorial.synergies if self.levels.factorial else ()
        return sorted(
            [*found, *self.synergies, *self.levels.synergies], key=lambda row: -abs(row.estimate) if row.n else math.inf
        )


def _by_delta(effect: Effect) -> tuple[bool, float]:
    return math.isnan(effect.delta), effect.delta


def analyse(study: StudyData) -> Analysis:
    """Return everything that the runs of a study support. Raises UserError for scores that cannot be compared."""
    table = read_scores(study.runs, study.metric)
    scores = table.values
    factorial = _factorial(study, table)
    levels = level_results(study, table)
    main_effects = estimate_main_effects(study, factorial, table) if factorial else []
    main_effects += level_main_effects(study, levels, table)
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
        secondary=[analyse(other) for other in study.secondary],
        targets=_targets(study),
        levels=levels,
    )
    correct = study.correct()
    if study.datasets:
        analysis = replace(analysis, pooled=pooled_over_datasets(study, analysis.compared))
    budget = budget_of(study, analysis.headline, scores, correct)
    return replace(analysis, budget=budget, scopes=scopes_of(study, analysis.compared, correct))


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


def _targets(study: StudyData) -> list[TargetResult]:
    """Return whether each variant reaches the target, by all of its runs; variants in the order of the runs."""
    if study.target is None:
        return []
    arms = {name: arm for name, arm in read_arms(study.runs, study.metric).by_variant.items() if arm.attempted}
    scores = {name: list(arm.values.values()) for name, arm in arms.items()}
    unstable = {name: len(arm.unstable) for name, arm in arms.items()}
    target = study.target * study.metric.scale
    return target_results(scores, target, study.metric.better, unstable, planned=study.protocol.planned)


def _factorial(study: StudyData, scores: Scores) -> FactorialAnalysis | None:
    """Return the contrasts of a balanced two-level design of at least two factors, over the complete seeds."""
    from ablate.stats.attribution import factorial_effects

    if study.design.shape[1] < 2 or study.design_name in ONE_AT_A_TIME or not study.has_paired_seeds:
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

    if study.design.shape[1] < 2 or not study.has_paired_seeds or shapley_source(study.design) is None:
        return None
    try:
        return attribute(study.design, scores, study.margin)
    except UserError:
        return None


def synergy_corner(study: StudyData) -> frozenset[str]:
    """Return the factors that are on while synergies of others are estimated: the baseline's, or all without any."""
    design = study.design
    names = list(map(str, design.columns))
    rows = dict(zip(map(str, design.index), design.to_numpy(dtype=bool).tolist(), strict=True))
    on = frozenset(name for name, is_on in zip(names, rows.get(study.baseline, ()), strict=False) if is_on)
    return on or frozenset(names)


def _synergies(study: StudyData, scores: Scores) -> list[FactorialContrast]:
    """Return the synergies of pairs at their corner, if variants that differ from it in two components were run."""
    from ablate.stats.attribution import pair_synergies

    design = study.design
    corner = synergy_corner(study)
    flips = (design.to_numpy(dtype=bool) != [name in corner for name in design.columns]).sum(axis=1).tolist()
    if design.shape[1] < 2 or not study.has_paired_seeds or 2 not in flips or 0 not in flips:
        return []
    found = pair_synergies(
        design, scores.values, study.margin, study.metric.goal, corner, scores.unstable, study.protocol
    )
    return found if any(row.n for row in found) else []

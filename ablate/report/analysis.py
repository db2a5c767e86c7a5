"""From a study's runs to everything that its report states: effects, attribution, interactions, noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ablate.errors import UserError
from ablate.report.main_effects import averaged_runs, main_effect_rows
from ablate.report.study_data import Material
from ablate.stats.effects import (
    BUDGET_DIFFERENCES,
    Effect,
    NoiseBudget,
    TwoScopes,
    begin,
    estimate_effects,
    image_standard_error,
    noise_budget,
    replay,
    score_table,
    two_scopes,
)
from ablate.tuning.per_variant import retuned

if TYPE_CHECKING:
    import pandas as pd

    from ablate.stats.attribution import AliasGroup, Attribution, Contrast, FactorialAnalysis

ONE_AT_A_TIME = ("leave-one-out", "add-one-in", "both-ways", "pairs", "path")
"""Designs that plan comparisons of arms, so that averages over arms were not what was asked."""

IMAGES_AT_MOST = 20_000_000  # cells of one table of seeds x images


@dataclass(frozen=True)
class Analysis:
    """All that is stated about one study; what its design does not give is None or empty.

    `effects` are the rows of effects.csv, main effects (as what switching off does) last.
    """

    material: Material
    effects: Sequence[Effect]
    scores: pd.DataFrame
    factorial: FactorialAnalysis | None = None
    aliases: Sequence[AliasGroup] = ()
    resolution: int | None = None
    attribution: Attribution | None = None
    synergies: Sequence[Contrast] = ()
    budget: NoiseBudget | None = None
    scopes: Mapping[tuple[str, str], TwoScopes] = field(default_factory=dict)
    retuned: Sequence[Effect] = ()

    def partner(self, effect: Effect) -> Effect | None:
        """The same comparison between re-tuned arms, of a study whose arms were tuned."""
        wanted = f"{effect.family}, re-tuned", retuned(effect.variant), retuned(effect.reference)
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
    def main_contrasts(self) -> list[Contrast]:
        """What having each component adds, averaged over all others, in a factorial design."""
        return [row for row in self.factorial.contrasts if row.family == "main effects"] if self.factorial else []

    @cached_property
    def interactions(self) -> list[Contrast]:
        """The estimable interactions of a factorial design, or the synergies of pairs, largest first."""
        found = [row for row in self.factorial.contrasts if row.family == "interactions"] if self.factorial else []
        return sorted([*found, *self.synergies], key=lambda row: -abs(row.estimate) if row.n else math.inf)


def _by_delta(effect: Effect) -> tuple[bool, float]:
    return math.isnan(effect.delta), effect.delta


def analyse(material: Material) -> Analysis:
    """Everything that the runs of a study support. Raises UserError for runs that cannot be read."""
    metric, margin = material.metric, material.margin
    scores = score_table(material.runs, metric)
    factorial = _factorial(material, scores)
    effects = _compared(material)
    main = []
    if factorial is not None:
        runs = averaged_runs(material.design, factorial, scores, metric)
        planned = main_effect_rows(material.design.columns, len(material.seeds))
        main = estimate_effects(runs, planned, metric, margin, material.protocol)
        main = [_as_factorial(effect, factorial) for effect in main]
    aliases, resolution = _aliases(material)
    found = Analysis(
        material=material,
        effects=[*effects, *main],
        scores=scores,
        factorial=factorial,
        aliases=aliases,
        resolution=resolution,
        attribution=_attribution(material, scores),
        synergies=() if factorial else _synergies(material, scores),
        retuned=_retuned(material),
    )
    bits = material.correct()
    return replace(found, budget=_budget(found, bits), scopes=_scopes(found, bits))


def _compared(material: Material) -> list[Effect]:
    """The effects of the planned comparisons, at the last look where seeds are added until it is clear."""
    if not material.comparisons:
        return []
    if material.looks is None:
        return estimate_effects(
            material.runs, material.comparisons, material.metric, material.margin, material.protocol
        )
    state = begin(material.comparisons, material.seeds, material.looks)
    return replay(state, material.runs, material.metric, material.margin, material.protocol).effects


def _retuned(material: Material) -> list[Effect]:
    """The effects among re-tuned arms: another estimand, a family of its own."""
    if material.searches is None or not material.searches.comparisons:
        return []
    protocol = replace(material.protocol, estimand="re-tuned")
    return estimate_effects(material.runs, material.searches.comparisons, material.metric, material.margin, protocol)


def _factorial(material: Material, scores: pd.DataFrame) -> FactorialAnalysis | None:
    """The contrasts of a balanced two-level design of two factors or more, over the seeds that have every run."""
    from ablate.stats.attribution import factorial_effects

    if material.design.shape[1] < 2 or material.design_name in ONE_AT_A_TIME:
        return None
    try:
        return factorial_effects(material.design, scores, material.margin, material.metric.goal)
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


def _aliases(material: Material) -> tuple[list[AliasGroup], int | None]:
    """Which terms share a column, and the resolution; nothing for designs that are no fraction."""
    from ablate.stats.attribution import alias_groups, orthogonal_part, resolution

    if material.design.shape[1] < 2:
        return [], None
    try:
        part = orthogonal_part(material.design)
    except UserError:
        return [], None
    return [group for group in alias_groups(part) if group.order], resolution(part)


def _attribution(material: Material, scores: pd.DataFrame) -> Attribution | None:
    """Shapley values beside leave-one-out and add-one-in, where the design holds them and a seed has all of it."""
    from ablate.stats.attribution import attributable, attribute

    if material.design.shape[1] < 2 or attributable(material.design) is None:
        return None
    try:
        return attribute(material.design, scores, material.margin)
    except UserError:
        return None


def _synergies(material: Material, scores: pd.DataFrame) -> list[Contrast]:
    """The synergies of pairs at the full corner, where arms without two components were run."""
    from ablate.stats.attribution import pair_synergies

    design = material.design
    off = (~design.to_numpy(dtype=bool)).sum(axis=1).tolist()
    if design.shape[1] < 2 or 2 not in off or 0 not in off:
        return []
    found = pair_synergies(design, scores, material.margin, material.metric.goal)
    return found if any(row.n for row in found) else []


def _budget(found: Analysis, bits: Mapping[str, Mapping[int, Any]]) -> NoiseBudget | None:
    """How large the noise is, from the reference's seeds and every comparison's paired differences."""
    material = found.material
    if material.baseline not in found.scores.index:
        return None
    scores = found.scores.loc[[material.baseline]].to_numpy(dtype=float)[0]
    reference = [value for value in scores.tolist() if math.isfinite(value)]
    sds = [effect.evidence.sd_difference for effect in found.headline]
    image_se = math.nan
    if bits.get(material.baseline):
        rows = list(bits[material.baseline].values())
        image_se = image_standard_error(rows, material.metric.scale)
    per_margin = 1.0 if material.metric.in_points else 2 * material.margin  # 0.5 points are a usual margin
    targets = [round(difference * per_margin, 12) for difference in BUDGET_DIFFERENCES]
    return noise_budget(reference, sds, max(1, len(found.headline)), image_se, targets)


def _scopes(found: Analysis, bits: Mapping[str, Mapping[int, Any]]) -> dict[tuple[str, str], TwoScopes]:
    """Both scopes of noise for every comparison whose arms have per-image results at two shared seeds or more."""
    import numpy as np

    scopes = {}
    for effect in found.compared:
        one, other = bits.get(effect.variant, {}), bits.get(effect.reference, {})
        seeds = [seed for seed in effect.evidence.paired.seeds if seed in one and seed in other]
        lengths = {len(table[seed]) for table in (one, other) for seed in seeds}
        if len(seeds) < 2 or len(lengths) != 1 or len(seeds) * max(lengths) > IMAGES_AT_MOST:
            continue
        variant = np.array([one[seed] for seed in seeds], dtype=np.int8)
        reference = np.array([other[seed] for seed in seeds], dtype=np.int8)
        scopes[effect.variant, effect.reference] = two_scopes(variant - reference, found.material.metric.scale)
    return scopes

"""The noise of a study: between seeds, and between test images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ablate.report.study_data import StudyData
from ablate.stats.effects import (
    BUDGET_DIFFERENCES,
    Effect,
    NoiseBudget,
    TwoScopes,
    image_standard_error,
    noise_budget,
    two_scopes,
)

if TYPE_CHECKING:
    import pandas as pd

MOST_CELLS = 20_000_000
"""Seeds times images of one variant, beyond which the scopes of noise are omitted."""


def budget_of(
    study: StudyData, headline: Sequence[Effect], table: pd.DataFrame, correct: Mapping[str, Mapping[int, Any]]
) -> NoiseBudget | None:
    """Return the size of the noise, from the baseline's seeds and the paired differences of every comparison.

    `table` has the scaled scores, `correct` the per-image results by variant and seed.
    """
    if study.baseline not in table.index or not study.has_paired_seeds:
        return None
    scores = table.loc[[study.baseline]].to_numpy(dtype=float)[0]
    reference = [value for value in scores.tolist() if math.isfinite(value)]
    sds = [effect.evidence.sd_difference for effect in headline]
    seeds = sorted(effect.n for effect in headline if math.isfinite(effect.evidence.sd_difference))
    n = seeds[len(seeds) // 2] if seeds else None
    image_se = math.nan
    if correct.get(study.baseline):
        rows = list(correct[study.baseline].values())
        image_se = image_standard_error(rows, study.metric.scale)
    per_margin = 1.0 if study.metric.in_points else 2 * study.margin  # BUDGET_DIFFERENCES are chosen for 0.5 points
    targets = [round(difference * per_margin, 12) for difference in BUDGET_DIFFERENCES]
    return noise_budget(reference, sds, max(1, len(headline)), image_se, targets, n)


def scopes_of(
    study: StudyData, compared: Sequence[Effect], correct: Mapping[str, Mapping[int, Any]]
) -> dict[tuple[str, str], TwoScopes]:
    """Return both scopes of noise for each comparison with per-image results at two shared seeds or more."""
    import numpy as np

    scopes = {}
    for effect in compared:
        one, other = correct.get(effect.variant, {}), correct.get(effect.reference, {})
        paired = effect.evidence.paired.seeds
        seeds = [seed for seed in paired if isinstance(seed, int) and seed in one and seed in other]
        lengths = {len(table[seed]) for table in (one, other) for seed in seeds}
        if len(seeds) < 2 or len(lengths) != 1 or len(seeds) * max(lengths) > MOST_CELLS:
            continue
        variant = np.array([one[seed] for seed in seeds], dtype=np.int8)
        reference = np.array([other[seed] for seed in seeds], dtype=np.int8)
        scopes[effect.variant, effect.reference] = two_scopes(variant - reference, study.metric.scale)
    return scopes

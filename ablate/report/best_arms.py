"""The best arm of a study, and the arms that cannot be distinguished from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import fmean, stdev

from ablate.report.analysis import Analysis
from ablate.report.study_data import StudyData
from ablate.stats.effects import Comparison, Verdict, estimate_effects

DIFFERENT = (Verdict.LOSS, Verdict.GAIN, Verdict.NEGLIGIBLE, Verdict.UNRESOLVED, Verdict.UNRELIABLE)
"""Verdicts by which two arms differ."""


def arm_means(analysis: Analysis) -> dict[str, tuple[int, float, float]]:
    """Return the number of seeds, the mean and the SD of the baseline and of each arm compared with it."""
    baseline = analysis.study.baseline
    effects = [effect for effect in analysis.compared if effect.reference == baseline]
    found = {}
    if effects and baseline in analysis.scores.index:
        row = analysis.scores.loc[[baseline]].to_numpy(dtype=float)[0].tolist()
        scores = [score for score in row if math.isfinite(score)]
        if scores:
            found[baseline] = (len(scores), fmean(scores), stdev(scores) if len(scores) > 1 else math.nan)
    found |= {effect.variant: (effect.n, effect.variant_mean, effect.variant_sd) for effect in effects}
    return found


def best_arms(analysis: Analysis) -> list[str]:
    """Return the best of the baseline and the arms compared with it, as `best_of` does."""
    return best_of(analysis.study, {name: mean for name, (_, mean, _) in arm_means(analysis).items()})


def best_of(study: StudyData, means: Mapping[str, float]) -> list[str]:
    """Return the arm with the best mean, then those without a difference from it by the tests of the verdicts.

    The arms are compared with the best one by the protocol of the study, with Holm's correction over these comparisons.
    Empty if fewer than two arms have a mean.
    """
    finite = [name for name, mean in means.items() if math.isfinite(mean)]
    if len(finite) < 2:
        return []
    best = max(finite, key=lambda name: study.metric.better * means[name])
    others = [Comparison(name, best, change="changed", family="best") for name in finite if name != best]
    effects = estimate_effects(study.runs, others, study.metric, study.margin, study.protocol)
    return [best, *(effect.variant for effect in effects if effect.evidence.rule not in DIFFERENT)]

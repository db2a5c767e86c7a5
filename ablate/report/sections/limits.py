"""Limits: what the results do not show."""

from __future__ import annotations

import math

from ablate.report.analysis import Analysis
from ablate.report.formats.markdown_text import bullets, escape
from ablate.report.study_data import StudyData

SKEWED = (
    "The intervals assume that the differences between seeds are roughly normal. In simulations with known effects "
    "they hold their promise for normal and heavy-tailed noise, and for skewed noise where both arms vary alike. Where "
    "noise is skewed and one arm varies several times as much as the other, up to 19 of 100 studies without any effect "
    "report one (23 where seeds are added until it is clear; instead of 5), and up to 25 (28) call a difference as "
    "large as the margin too small to matter: read verdicts on arms with an SD far from the reference's with that in "
    "mind."
)


def limits(analysis: Analysis) -> str:
    """What the reader must not conclude."""
    study = analysis.study
    lines = [
        f"These effects hold at this scale ({study.scale}) and need not hold at another.",
        *_drop_in(study),
        *_one_reference(analysis),
        SKEWED,
        *study.limits,
        *study.notes,
    ]
    if analysis.scopes:
        lines.append("Intervals in the main table speak of new seeds on this test set; see Two scopes for new images.")
    elif study.metric.in_points:
        lines.append("The intervals speak of new seeds on this test set, not of new images.")
    if any(math.isfinite(effect.delta) and effect.n < 5 for effect in analysis.headline):
        lines.append("Verdicts from 3 or 4 seeds are preliminary: intervals from so few seeds hang on normality.")
    if analysis.attribution is not None and analysis.attribution.source == "half-sums":
        lines.append("The Shapley values are half-sums: exact only where no three components interact.")
    return "## Limits\n\n" + bullets(map(escape, lines))


def _drop_in(study: StudyData) -> list[str]:
    """What drop-in effects leave open; of runs that others made nobody knows whether settings were the same."""
    if study.counts.planned is None:
        return ["Whether the settings were the same in every arm, a table of runs does not tell."]
    if study.searches is not None:
        return []
    return [
        "Settings are those of the baseline in every arm (drop-in): a component may matter less once the others are "
        "tuned without it."
    ]


def _one_reference(analysis: Analysis) -> list[str]:
    """That differences from one reference go up and down together."""
    references = [effect.reference for effect in analysis.headline]
    if len(references) < 2 or len(set(references)) > 1:
        return []
    return [
        f"All differences subtract the same runs of {references[0]}: a reference that was lucky in a seed makes every "
        "component look better in it. The corrections for several comparisons hold all the same."
    ]

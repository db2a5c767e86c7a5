"""Limits: conclusions that the results do not support."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ablate.report.analysis import Analysis
from ablate.report.formats.markdown_text import bullets, escape
from ablate.report.study_data import StudyData
from ablate.stats.effects.types import Replicates

SKEWED = (
    "The intervals assume that paired differences are roughly normal. In simulations with known effects they keep "
    "their error rates for normal and heavy-tailed noise, and for skewed noise if both variants have the same SD. For "
    "skewed noise and unequal SDs, up to 19 of 100 studies without any effect report one (23 where testing is "
    "sequential; the nominal rate is 5), and up to 25 (28) wrongly call a difference as large as the margin too small "
    "to matter. Interpret verdicts with caution if the SD of a variant is far from that of the reference."
)

DIVERGENCE = (
    "Unstable runs count as their recorded value or the floor, so that differences are not normal. In simulations in "
    "which all variants diverge alike, error rates hold up to 20 % of diverged runs. At 40 %, up to 13 of 100 studies "
    "with 3 seeds report a false difference."
)

UNPAIRED = (
    "Welch's test is approximate for few runs. In simulations of 3 to 10 runs of each variant it keeps its error rates "
    "if SDs and numbers of runs are equal. If not, up to 9 of 100 studies without any effect report one (the nominal "
    "rate is 5), and up to 34 if the noise is skewed as well."
)

FOLDS = (
    "The corrected test assumes that the scores of folds have the correlation n_test / (n_test + n_train). In "
    "simulations with this correlation it keeps its error rates; for skewed noise up to 7 of 100 studies "
    "without any effect report one (the nominal rate is 5)."
)

DATA_SETS = (
    "The interval over the data sets assumes that true differences between data sets are roughly normal. In "
    "simulations in which they are skewed, up to 14 of 100 studies without any mean effect report one (the nominal "
    "rate is 5)."
)

TARGET = (
    "The one-sided tests of the target assume scores that are roughly normal. In simulations with noise that is skewed "
    "towards bad scores, up to 37 of 100 studies call a variant better than a target that is its true mean (the "
    "nominal rate is 5)."
)

LEVELS = (
    "The tests of all levels assume that the noise of all variants is the same. In simulations they keep their error "
    "rates if it is. If that of one level is four times as large, up to 9 of 100 studies without any effect report "
    "different levels or a trend by ranks, and up to 11 by F (the nominal rate is 5). The comparisons of single levels "
    "do not assume this."
)

_CONFOUNDED = {
    "leave-one-out": "each effect is that of removing one component from the full recipe",
    "add-one-in": "each effect is that of adding one component to the bare recipe",
    "both-ways": "each effect is that of removing one component from the full recipe, or adding it to the bare one",
    "path": "each variant also lacks the components removed before it, so the steps depend on the order",
    "pairs": "each effect is that of removing one component, or two, from the full recipe",
}

_WITH_LEVELS = {
    "leave-one-out": "each effect is that of changing one component of the baseline",
    "add-one-in": "each effect is that of changing one component of the bare recipe",
    "both-ways": "each effect is that of changing one component of the baseline, or of the bare recipe",
    "path": "each variant also has the changes before it, so the steps depend on the order",
    "pairs": "each effect is that of changing one component, or two, of the baseline",
}
"""The same for studies whose components have levels."""

_DECLARED: dict[Replicates, Sequence[str]] = {"runs": (UNPAIRED,), "folds": (FOLDS,)}


def limits(analysis: Analysis) -> str:
    """Return the section."""
    study = analysis.study
    lines = [
        f"The results apply to this scale ({study.scale}), not necessarily to others.",
        *_drop_in(study),
        *_confounding(study),
        *_one_reference(analysis),
        *([SKEWED] if study.has_paired_seeds else []),
        *_DECLARED.get(study.protocol.replicates, ()),
        *([LEVELS] if analysis.levels.every else []),
        *([DATA_SETS] if analysis.pooled else []),
        *([TARGET] if analysis.targets else []),
        *([DIVERGENCE] if any(effect.n_unstable for effect in analysis.effects) else []),
        *study.limits,
        *study.notes,
    ]
    if analysis.scopes:
        lines.append(
            "The intervals of the results apply to new seeds on this test set; for new images, see Two scopes."
        )
    elif study.metric.in_points and study.protocol.replicates in ("seeds", "runs"):
        lines.append("The intervals apply to new seeds on this test set, not to new images.")
    if any(math.isfinite(effect.delta) and effect.n < 5 for effect in analysis.headline):
        unit = study.protocol.replicates
        lines.append(f"Verdicts from 3 or 4 {unit} are preliminary: with so few {unit}, intervals depend on normality.")
    if analysis.attribution is not None and analysis.attribution.source == "half-sums":
        lines.append("The Shapley values are half-sums, which are exact only if no three components interact.")
    return "## Limits\n\n" + bullets(map(escape, lines))


def _drop_in(study: StudyData) -> list[str]:
    """Return the limit of drop-in effects; a table of runs does not even show the settings."""
    if study.counts.planned is None:
        return ["The runs do not show whether all variants used the same settings."]
    if study.searches is not None:
        return []
    if study.levels.shape[1]:
        return [
            "All variants use the settings of the baseline, except for those that are compared (drop-in). A level may "
            "do better with other settings, such as a learning rate of its own."
        ]
    return [
        "All variants use the settings of the baseline (drop-in). A component may matter less if the settings are "
        "tuned without it."
    ]


def _confounding(study: StudyData) -> list[str]:
    """Return the confounding of a design that changes one factor at a time as a limit."""
    design, known = study.design_name, _WITH_LEVELS if study.levels.shape[1] else _CONFOUNDED
    if design not in known:
        return []
    return [
        f"In the design {design}, {known[design]}. Each effect includes the interactions with the other "
        "components of that recipe and does not apply to other combinations."
    ]


def _one_reference(analysis: Analysis) -> list[str]:
    """Return the correlation of differences from one reference as a limit."""
    references = [effect.reference for effect in analysis.headline]
    if len(references) < 2 or len(set(references)) > 1:
        return []
    return [
        f"All differences use the same runs of {references[0]} and are therefore correlated: a seed in which it "
        "scores high by chance makes every component look better. The corrections for multiple comparisons remain "
        "valid."
    ]

"""The notes next to the answer on scores that repeat: of one variant, or of several runs."""

from __future__ import annotations

import math

from ablate.report.analysis import Analysis
from ablate.stats.effects.equal_scores import equal_scores
from ablate.stats.effects.pairing import read_arms
from ablate.stats.effects.repeated_scores import repeats_alone
from ablate.wording import listed


def repeating_variants(analysis: Analysis) -> str:
    """Return a warning about variants that repeat their score exactly over the seeds while the others vary."""
    rows = [effect.evidence.paired.repeating for effect in [*analysis.compared, *analysis.retuned]]
    if analysis.main_effects:
        arms = read_arms(analysis.study.runs, analysis.study.metric).by_variant
        scores = {name: list(arm.values.values()) for name, arm in arms.items() if not arm.unstable}
        rows += [name for name in scores if any(repeats_alone(scores[name], other) for other in scores.values())]
    names = list(dict.fromkeys(filter(None, rows)))
    if not names:
        return ""
    repeat = "repeats its score" if len(names) == 1 else "repeat their scores"
    return (
        f"{listed(names, 5)} {repeat} exactly over the seeds, and others do not: one observation each, and no basis "
        "for a verdict. Does the seed reach that training?"
    )


def repeated_scores(analysis: Analysis) -> str:
    """Return a warning about runs whose scores are equal to the last digit more often than by chance."""
    study = analysis.study
    arms = {
        name: {
            seed: score
            for seed, score in arm.values.items()
            if seed not in arm.unstable and math.isfinite(score) and score != study.metric.floor
        }
        for name, arm in read_arms(study.runs, study.metric).by_variant.items()
        if not arm.repeats
    }
    ordered = {name: arms[name] for name in [study.baseline, *arms] if name in arms}
    found = equal_scores(ordered)
    if not found:
        return ""
    return (
        f"Scores that are equal to the last digit: {listed(found, 3)}. Are these runs copies, or do the seed, the "
        "switch or the files of a run not reach the training? Then they are not separate repetitions, and the "
        "intervals are too narrow. A metric with few possible values may repeat by chance."
    )

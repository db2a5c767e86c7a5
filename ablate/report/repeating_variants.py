"""The note next to the answer on variants that repeat one score."""

from __future__ import annotations

from ablate.report.analysis import Analysis
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

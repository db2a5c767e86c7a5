"""Notes after a verdict sentence: aliases, survivors, early stops, seeds changed later."""

from __future__ import annotations

import math

from ablate.stats.effects.effect import Effect
from ablate.stats.effects.number_text import signed_amount
from ablate.stats.effects.repetition_text import stable_text, unit_of
from ablate.stats.effects.types import Average, Verdict
from ablate.stats.effects.verdicts import EQUIVALENCE, unstable_of_average
from ablate.stats.metric import Metric


def notes_after(effect: Effect, metric: Metric) -> list[str]:
    """Return notes after the sentence: aliases, survivors, early stops, seeds changed later."""
    evidence, notes = effect.evidence, []
    average = evidence.paired.average
    if average is not None and average.screening:
        notes.append(f"Its likeliest alias is {average.alias} (resolution III).")
    if average is not None:
        notes += _without_unstable_runs(effect, average, metric)
    elif evidence.paired.reference_unstable or (effect.n_unstable and evidence.rule is not Verdict.UNRELIABLE):
        if math.isnan(effect.delta_survivors):
            notes.append(f"No {unit_of(effect)} was stable in both arms.")
        else:
            notes.append(stable_text(effect, signed_amount(effect.delta_survivors, effect, metric)))
    if evidence.stopped_early:
        bias = "be too near zero" if evidence.rule in EQUIVALENCE else "exaggerate"
        notes.append(f"Stopped early at {effect.n:,} seeds: such an estimate tends to {bias}.")
    if evidence.extended and effect.n > 1:
        notes.append("The seeds were changed after a report, which the interval allows for.")
    return notes


def _without_unstable_runs(effect: Effect, average: Average, metric: Metric) -> list[str]:
    """Return the variants of an average that have unstable runs, and the difference without them."""
    if not average.n_unstable:
        return []
    named = unstable_of_average(average.unstable)
    if math.isnan(effect.delta_survivors):
        return [f"Unstable: {named}. The other variants alone cannot show the effect."]
    value = signed_amount(effect.delta_survivors, effect, metric)
    return [f"Unstable: {named}. Estimated from the other variants alone, the effect is {value}."]

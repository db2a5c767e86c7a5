"""The repetitions of a comparison in words: paired seeds, unpaired runs, folds, data sets."""

from __future__ import annotations

from ablate.stats.effects.effect import Effect
from ablate.stats.effects.types import Replicates
from ablate.wording import count

UNITS: dict[Replicates, str] = {"seeds": "seed", "runs": "run", "folds": "fold", "data sets": "data set"}
"""The word for one repetition."""


def basis(effect: Effect) -> str:
    """Return the repetitions of a result: "5 paired seeds", "4 and 5 unpaired runs", "10 folds"."""
    if effect.evidence.replicates == "seeds":
        return f"{effect.n:,} paired seeds"
    if effect.evidence.paired.is_unpaired:
        return f"{_both(effect)} unpaired runs"
    return numbers(effect)


def numbers(effect: Effect) -> str:
    """Return the number of repetitions: "5 seeds", "4 and 5 runs", "10 folds"."""
    if effect.evidence.paired.is_unpaired:
        return f"{_both(effect)} runs"
    return count(effect.n, unit_of(effect))


def unit_of(effect: Effect) -> str:
    """Return the word for one repetition."""
    return UNITS[effect.evidence.replicates]


def unit_needed(effect: Effect) -> str:
    """Return what more of is needed: "seeds", "runs of each variant"."""
    return "runs of each variant" if effect.evidence.paired.is_unpaired else f"{unit_of(effect)}s"


def nothing(effect: Effect) -> str:
    """Return why a comparison has no repetition."""
    if effect.evidence.paired.is_unpaired:
        return f"no run of {effect.variant} or of {effect.reference} has a result; too few runs."
    unit = unit_of(effect)
    return f"no {unit} has a result for both {effect.variant} and {effect.reference}; too few {unit}s."


def stable_text(effect: Effect, value: str) -> str:
    """Return the difference without unstable runs, `value`, in a sentence."""
    paired, left = effect.evidence.paired, sum(effect.evidence.paired.survivors)
    if paired.is_unpaired:
        return f"Among the stable runs the difference is {value}."
    unit = unit_of(effect)
    where = f"In the only {unit}" if left == 1 else f"Among the {left:,} {unit}s"
    return f"{where} stable in both arms the difference is {value}."


def _both(effect: Effect) -> str:
    paired = effect.evidence.paired
    return f"{len(paired.seeds):,} and {paired.n_reference:,}"

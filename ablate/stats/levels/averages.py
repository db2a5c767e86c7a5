"""Differences between levels as comparisons of averages over the other components."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ablate.stats.effects.criteria import Criteria
from ablate.stats.effects.effect import Effect
from ablate.stats.effects.estimate import family_effects
from ablate.stats.effects.pairing import Scores
from ablate.stats.effects.types import Average, Change, Comparison, PairedSeeds
from ablate.stats.levels.factorial import LevelFactorial
from ablate.stats.levels.groups import LevelGroup, value_text

FAMILY = "main effects"


@dataclass(frozen=True)
class _Difference:
    """A level of a component and the level that it is compared with, by their places."""

    factor: str
    place: int
    reference: int


def level_effects(
    factorial: LevelFactorial, criteria: Criteria, *, planned_seeds: int, repeats: int = 0
) -> list[Effect]:
    """Return the effect of each level against the baseline's, averaged over the other components: one family.

    Args:
        factorial: The analysis of the design.
        criteria: Metric, margin and protocol of the study.
        planned_seeds: The planned number of seeds.
        repeats: Number of seeds over which every variant repeats its score exactly; 0 if the scores vary.
    """
    levels = factorial.design.levels
    rows = [_Difference(name, place, 0) for name, own in levels.items() for place in range(1, len(own))]
    comparisons = [_comparison(factorial, row, planned_seeds) for row in rows]
    return family_effects(comparisons, list(_pairs(factorial, rows, repeats)), criteria)


def average_scores(factorial: LevelFactorial) -> tuple[list[LevelGroup], Scores]:
    """Return the components with more than two levels as groups of averages, and the averages by seed."""
    import pandas as pd

    design = factorial.design
    groups, rows = [], {}
    for name, own in design.levels.items():
        variants = [f"{design.text(name, place)} (averaged)" for place in range(len(own))]
        rows.update({variant: factorial.fit.average(name, place) for place, variant in enumerate(variants)})
        groups += [LevelGroup(name, own, tuple(variants))] if len(own) > 2 else []
    values = pd.DataFrame.from_dict(rows, orient="index", columns=list(factorial.seeds))
    return groups, Scores(values, values.isna())


def _comparison(factorial: LevelFactorial, row: _Difference, planned_seeds: int) -> Comparison:
    design = factorial.design
    levels = design.levels[row.factor][row.place], design.levels[row.factor][row.reference]
    changes: dict[tuple[object, object], Change] = {("off", "on"): "removed", ("on", "off"): "added"}
    variant, reference = (f"{design.text(row.factor, place)} (averaged)" for place in (row.place, row.reference))
    change = changes.get(levels, "changed")
    level, other = map(value_text, levels) if change == "changed" else ("", "")
    return Comparison(variant, reference, row.factor, change, FAMILY, planned_seeds, level=level, reference_level=other)


def _pairs(factorial: LevelFactorial, rows: list[_Difference], repeats: int) -> Iterator[PairedSeeds]:
    """Yield the averages of both levels by seed."""
    for row in rows:
        variant, reference = (factorial.fit.average(row.factor, place) for place in (row.place, row.reference))
        lost = [seed for seed, value in zip(factorial.seeds, variant - reference, strict=True) if math.isnan(value)]
        places = row.place, row.reference
        yield PairedSeeds(
            seeds=factorial.seeds,
            reference=tuple(map(float, reference)),
            variant=tuple(map(float, variant)),
            unstable=tuple(lost),
            average=Average(
                runs=factorial.runs,
                unstable=factorial.unstable,
                delta_survivors=factorial.fit.without(
                    factorial.unstable, (row.factor,), places, float((variant - reference).mean())
                ),
                step=factorial.step,
                repeats=repeats,
                screening=factorial.is_screened((row.factor,)),
                alias=factorial.likeliest((row.factor,)),
            ),
        )

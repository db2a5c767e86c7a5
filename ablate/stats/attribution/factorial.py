"""Factorial effects: main effects and synergies averaged over the other components."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ablate.errors import UserError
from ablate.stats.attribution.aliasing import AliasGroup, estimable_groups, orthogonal_part, resolution, widest_order
from ablate.stats.attribution.contrasts import ContrastCriteria, FactorialContrast, Term, family_contrasts
from ablate.stats.attribution.fit import (
    Fit,
    Lenth,
    Method,
    contrasts_by_seed,
    fit_contrasts,
    lenth,
)
from ablate.stats.attribution.synergies import likeliest_alias
from ablate.stats.effects.coarse_scores import usual_step
from ablate.stats.effects.seeds import Seed
from ablate.stats.effects.types import Protocol
from ablate.stats.metric import Goal

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class FactorialAnalysis:
    """The contrasts of a factorial design.

    Attributes:
        contrasts: Main effects, then the synergies of pairs.
        method: The test, by number of seeds.
        variants: The number of variants.
        seeds: Seeds with a score, or an unstable run, for every variant.
        incomplete_seeds: Seeds left out because a variant lacks a run.
        unstable: The unstable runs at these seeds: variant -> seeds.
        is_screening: Whether the design has resolution III.
        averages: The contrast of every estimable term, averaged over the seeds, for a half-normal plot.
        screening: Lenth's limits for `averages`.
        step: The step of the scores of single runs, if they are coarse; 0 otherwise.
    """

    contrasts: tuple[FactorialContrast, ...]
    method: Method
    variants: int
    seeds: tuple[Seed, ...]
    incomplete_seeds: tuple[Seed, ...]
    unstable: dict[str, tuple[Seed, ...]]
    is_screening: bool
    averages: dict[str, float]
    screening: Lenth
    step: float = 0.0

    @property
    def runs(self) -> int:
        """The number of runs that every contrast contains."""
        return self.variants * len(self.seeds)

    @property
    def is_scored(self) -> bool:
        """Whether every run has a score, so that the contrasts can be estimated."""
        return not any(math.isnan(contrast.estimate) for contrast in self.contrasts)


def factorial_effects(
    design: pd.DataFrame,
    scores: pd.DataFrame,
    margin: float,
    goal: Goal = "max",
    order: int = 2,
    unstable: pd.DataFrame | None = None,
    protocol: Protocol | None = None,
) -> FactorialAnalysis:
    """Return the main effects of a two-level design, and the estimable synergies of its factors.

    With 3 seeds or more the contrast is e_s = (2/N) X'y_s by seed, tested by a one-sample t test; with 2, least squares
    with seed blocks; with 1, Lenth's method. Main effects and synergies (twice the contrast) are two families.

    Args:
        design: Variants x factors, true if the factor is on. A full or bare recipe that unbalances it is left out.
        scores: Variants x seeds, scaled (`effects.read_scores`).
        margin: The smallest difference that matters.
        goal: Whether higher ("max") or lower ("min") is better.
        order: The highest order of interactions.
        unstable: Whether each run is unstable, variants x seeds; none by default.
        protocol: What was fixed before the runs; everything by default.

    Raises:
        UserError: If the design is not balanced or no seed has a run of every variant.
    """
    part = orthogonal_part(design)
    table = scores.reindex(part.index)
    marks = _marks(unstable, table)
    complete = (table.notna() | marks).all(axis=0).to_numpy(dtype=bool)
    if not complete.any():
        raise UserError("Factorial effects need at least one seed with a result for every run of the design")
    values, lost = table.to_numpy(dtype=float)[:, complete], marks.to_numpy(dtype=bool)[:, complete]
    seeds: Sequence[Seed] = table.columns[complete].tolist()
    groups, every = estimable_groups(part, order), estimable_groups(part, max(order, widest_order(part)))
    averages = contrasts_by_seed(part, every, values).mean(axis=1)
    fit = fit_contrasts(part, groups, values, np.logical_not(lost.any(axis=1)), lenth(averages))
    lost_seeds, screening = _seeds_of(part.index, seeds, lost), resolution(part) == 3
    criteria = ContrastCriteria(margin, goal, protocol or Protocol(), screening)
    step = usual_step(np.diff(values, axis=0), margin)
    return FactorialAnalysis(
        contrasts=tuple(_contrasts(groups, fit, (lost_seeds, values.size), step, criteria)),
        method=fit.method,
        variants=len(part),
        seeds=tuple(seeds),
        incomplete_seeds=tuple(table.columns[~complete].tolist()),
        unstable=lost_seeds,
        is_screening=criteria.screening,
        averages=dict(zip([group.label for group in every], averages.tolist(), strict=True)),
        screening=fit.limits,
        step=step,
    )


def _marks(unstable: pd.DataFrame | None, table: pd.DataFrame) -> pd.DataFrame:
    """Return which runs are unstable, in the shape of the scores."""
    import pandas as pd

    if unstable is None:
        return pd.DataFrame(False, index=table.index, columns=table.columns)
    return unstable.reindex(index=table.index, columns=table.columns, fill_value=False)


def _seeds_of(
    variants: Iterable[object], seeds: Sequence[Seed], marks: NDArray[np.bool_]
) -> dict[str, tuple[Seed, ...]]:
    """Return the marked seeds of each variant that has any."""
    return {
        str(name): tuple(seed for seed, mark in zip(seeds, row, strict=True) if mark)
        for name, row in zip(variants, marks, strict=True)
        if row.any()
    }


def _contrasts(
    groups: Sequence[AliasGroup],
    fit: Fit,
    unstable: tuple[Mapping[str, tuple[Seed, ...]], int],
    step: float,
    criteria: ContrastCriteria,
) -> Iterator[FactorialContrast]:
    """Yield the contrasts of the two families, main effects first. `unstable`: seeds by variant, and all runs."""
    main = {group.label: float(fit.by_seed[i].mean()) for i, group in enumerate(groups) if group.order == 1}
    for family, is_main in (("main effects", True), ("interactions", False)):
        chosen = [index for index, group in enumerate(groups) if (group.order == 1) == is_main]
        if not chosen:
            continue
        part = fit.only(chosen)
        terms = [
            Term(
                name=groups[index].label,
                by_seed=fit.estimates[index],
                order=groups[index].order,
                aliases=groups[index].aliases,
                likeliest=likeliest_alias(groups[index], main) if criteria.screening else "",
                runs=unstable[1],
                unstable=unstable[0],
                delta_survivors=float(fit.scale[index] * fit.survivors[index]),
                step=step,
            )
            for index in chosen
        ]
        yield from family_contrasts(terms, part.statistics(criteria.margin), fit.method, family, criteria)

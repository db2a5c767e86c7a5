"""Factorial designs with levels: averages of levels, F tests with seed blocks, and synergies of two levels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ablate.errors import UserError
from ablate.stats.attribution.contrasts import ContrastCriteria, FactorialContrast, family_contrasts
from ablate.stats.attribution.contrasts import Term as ContrastTerm
from ablate.stats.effects.coarse_scores import usual_step
from ablate.stats.effects.inference import paired_t
from ablate.stats.effects.pairing import Scores
from ablate.stats.effects.seeds import Seed
from ablate.stats.effects.types import ALPHA, EQUAL, Protocol
from ablate.stats.levels.coding import LevelDesign, Model, Term, model_of, read_design, term_text
from ablate.stats.levels.fit import LevelFit, fit_levels
from ablate.stats.levels.level_tests import LevelTest, judged_tests
from ablate.stats.metric import Goal

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class LevelFactorial:
    """The analysis of a factorial design with levels.

    Attributes:
        design: The design.
        model: The terms that it can estimate, and their aliases.
        fit: The estimates by seed.
        tests: F tests of the components, then of the estimable pairs: two families.
        synergies: Synergies of each two levels, v(ab) - v(a) - v(b) + v(baseline's levels), averaged over the others.
        seeds: Seeds with a score, or an unstable run, for every variant.
        incomplete_seeds: Seeds left out because a variant lacks a run.
        unstable: The unstable runs at these seeds: variant -> seeds.
        step: The step of the scores of single runs, if they are coarse; 0 otherwise.
    """

    design: LevelDesign
    model: Model
    fit: LevelFit
    tests: tuple[LevelTest, ...]
    synergies: tuple[FactorialContrast, ...]
    seeds: tuple[Seed, ...]
    incomplete_seeds: tuple[Seed, ...]
    unstable: Mapping[str, tuple[Seed, ...]]
    step: float = 0.0

    @property
    def runs(self) -> int:
        """The number of runs that every estimate contains."""
        return len(self.design.variants) * len(self.seeds)

    def is_screened(self, term: Term) -> bool:
        """Whether a pair can imitate the effect of this component, or that of a pair in a design for screening."""
        return self.model.is_screening and bool(self.aliases(term))

    def aliases(self, term: Term) -> tuple[str, ...]:
        """Return the excluded pairs that can imitate a term."""
        return tuple(map(term_text, self.model.aliases.get(term, ())))

    def likeliest(self, term: Term) -> str:
        """Return the excluded pair that most likely imitates a term: the largest product of main effects and share."""
        found = self.model.aliases.get(term, {})
        sizes = {pair: share * math.prod(self.fit.size((name,)) for name in pair) for pair, share in found.items()}
        return term_text(max(sizes, key=sizes.__getitem__)) if sizes else ""


def level_factorial(
    levels: pd.DataFrame,
    scores: Scores,
    margin: float,
    goal: Goal = "max",
    baseline: str = "",
    protocol: Protocol | None = None,
) -> LevelFactorial:
    """Return the averages of the levels of a factorial design, F tests of its terms, and synergies of levels.

    Args:
        levels: The level of each component by variant: one row per variant, one column per component.
        scores: The scores of the study.
        margin: The smallest difference, or synergy, that matters.
        goal: Whether higher ("max") or lower ("min") is better.
        baseline: The variant whose levels are the references; the first row by default.
        protocol: What was fixed before the runs; everything by default.

    Raises:
        UserError: If the design does not separate its components, or no seed has a run of every variant.
    """
    design, protocol = read_design(levels, baseline), protocol or Protocol()
    if not design.factors:
        raise UserError("Factorial effects need a component with at least two levels")
    model = model_of(design)
    table = scores.values.reindex(list(design.variants))
    marks = scores.unstable.reindex(index=table.index, columns=table.columns, fill_value=False)
    complete = (table.notna() | marks).all(axis=0).to_numpy(dtype=bool)
    if not complete.any():
        raise UserError("Factorial effects need at least one seed with a result for every run of the design")
    values, lost = table.to_numpy(dtype=np.float64)[:, complete], marks.to_numpy(dtype=bool)[:, complete]
    seeds: Sequence[Seed] = table.columns[complete].tolist()
    fit = fit_levels(design, model, values)
    unstable = {
        name: tuple(seed for seed, is_lost in zip(seeds, row, strict=True) if is_lost)
        for name, row in zip(design.variants, lost.tolist(), strict=True)
        if any(row)
    }
    step = usual_step(np.diff(values, axis=0), margin)
    criteria = ContrastCriteria(margin, goal, protocol, model.is_screening)
    return LevelFactorial(
        design=design,
        model=model,
        fit=fit,
        tests=tuple(_f_tests(fit, int(lost.sum()), protocol)),
        synergies=tuple(_synergies(fit, (unstable, step), criteria)),
        seeds=tuple(seeds),
        incomplete_seeds=tuple(table.columns[~complete].tolist()),
        unstable=unstable,
        step=step,
    )


def _f_tests(fit: LevelFit, unstable: int, protocol: Protocol) -> Iterator[LevelTest]:
    """Yield the tests of the components, then those of the pairs, each with Holm's correction."""
    runs, seeds = fit.values.shape
    for order in (1, 2):
        rows = []
        for term in (term for term in fit.model.terms if len(term) == order):
            found = fit.f_test(term)
            rows.append(
                LevelTest(
                    "F", term_text(term), "", fit.design.levels[term[0]] if order == 1 else (), seeds,
                    found.statistic, found.p, freedom=found.freedom, n_unstable=unstable, runs=runs * seeds,
                    aliases=tuple(map(term_text, fit.model.aliases.get(term, ()))),
                )
            )  # fmt: skip
        yield from judged_tests(rows, protocol, screening=fit.model.is_screening)


def _synergies(
    fit: LevelFit, qualifiers: tuple[Mapping[str, tuple[Seed, ...]], float], criteria: ContrastCriteria
) -> list[FactorialContrast]:
    """Return the synergies of all levels other than the baseline's, one family. `qualifiers`: unstable runs, step."""
    unstable, step = qualifiers
    terms = []
    for pair in (term for term in fit.model.terms if len(term) == 2):
        for one, other in fit.design.level_pairs(pair):
            estimate = fit.synergy(pair, one, other)
            terms.append(
                ContrastTerm(
                    name=f"{fit.design.text(pair[0], one)} x {fit.design.text(pair[1], other)}",
                    by_seed=estimate,
                    order=2,
                    aliases=tuple(map(term_text, fit.model.aliases.get(pair, ()))),
                    runs=fit.values.size,
                    unstable=unstable,
                    delta_survivors=fit.without(unstable, pair, (one, other), float(estimate.mean())),
                    step=step,
                )
            )
    if not terms:
        return []
    finite = np.abs(fit.values[np.isfinite(fit.values)]).max(initial=0.0)
    statistics = paired_t([term.by_seed for term in terms], criteria.margin, ALPHA, len(terms), EQUAL * float(finite))
    return family_contrasts(terms, statistics, "per-seed contrasts", "interactions", criteria)

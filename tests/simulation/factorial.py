"""Simulate factorial studies with planted synergies, judge them with the shipped code, and compute its error rates."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ablate.stats.attribution import FactorialContrast, factorial_effects, pair_synergies
from ablate.stats.effects.inference import Floats
from ablate.stats.effects.types import ALPHA, FINAL
from tests.simulation.studies import FALSE_VERDICT, FAMILY_WISE, MARGIN, SEED_SD

MEAN = 90.0
PLANTED = ("b", "c")
ESTABLISHED = tuple(map(str, FINAL))


@dataclass(frozen=True)
class FactorialCell:
    """One cell of the simulation.

    Attributes:
        design: Name of the design, a key of `DESIGNS`.
        n: Number of seeds.
        synergy: The planted synergy of the components b and c; all other effects are zero.
    """

    design: str
    n: int
    synergy: float


@dataclass(frozen=True)
class FactorialRates:
    """The rates of one cell.

    Attributes:
        cell: The cell.
        false_difference: Share of studies with p_holm < .05 for an estimate whose true value is zero.
        false_equivalence: Share of studies that call the planted synergy, at the margin or beyond, too small to matter.
        false_established: Share of studies with an established verdict that contradicts the truth.

    Of main effects and synergies, which are two families, the larger rate counts.
    """

    cell: FactorialCell
    false_difference: float
    false_equivalence: float
    false_established: float

    @property
    def misses(self) -> list[str]:
        """The limits that this cell breaks, as text. At resolution III differences are those of aliases."""
        screening = is_screening(self.cell.design)
        found = (
            ("false difference", self.false_difference, 1.0 if screening else FAMILY_WISE),
            ("false equivalence", self.false_equivalence, FAMILY_WISE),
            ("false established verdict", self.false_established, 0.0 if screening else FALSE_VERDICT),
        )
        return [f"{name} {rate:.3f} above {most}" for name, rate, most in found if rate > most]


def _regular(factors: int, generators: tuple[tuple[int, ...], ...] = ()) -> pd.DataFrame:
    """Return a full design of some factors and further ones that are products of theirs."""
    rows = [
        [*row, *(int(np.prod([row[place] for place in word])) for word in generators)]
        for row in itertools.product((-1, 1), repeat=factors)
    ]
    names = list("abcdefg"[: len(rows[0])])
    return pd.DataFrame(np.array(rows) > 0, columns=names, index=[f"arm{place}" for place in range(len(rows))])


def _plackett_burman() -> pd.DataFrame:
    first = [True, True, False, True, True, True, False, False, False, True, False]
    rows = [first[-shift:] + first[:-shift] for shift in range(11)] + [[False] * 11]
    return pd.DataFrame([row[:7] for row in rows], columns=list("abcdefg"), index=[f"arm{i}" for i in range(12)])


def _pairs() -> pd.DataFrame:
    """Return the full recipe of four components, without each, and without each two."""
    off = [(), *itertools.combinations(range(4), 1), *itertools.combinations(range(4), 2)]
    rows = [[place not in out for place in range(4)] for out in off]
    return pd.DataFrame(rows, columns=list("abcd"), index=[f"arm{place}" for place in range(len(rows))])


DESIGNS = {
    "full factorial of 3": _regular(3),
    "resolution IV, 7 in 16": _regular(4, ((0, 1, 2), (1, 2, 3), (0, 2, 3))),
    "pairs of 4": _pairs(),
    "resolution III, 3 in 4": _regular(2, ((0, 1),)),
    "resolution III, 7 in 8": _regular(3, ((0, 1), (0, 2), (1, 2), (0, 1, 2))),
    "Plackett-Burman, 7 in 12": _plackett_burman(),
}
CELLS = [
    *(FactorialCell(name, 5, synergy) for name in list(DESIGNS)[:3] for synergy in (0.0, MARGIN)),
    *(FactorialCell(name, n, 3.0) for name in list(DESIGNS)[3:] for n in (3, 5)),
]


def is_screening(design: str) -> bool:
    """Return whether a design has resolution III."""
    return design.startswith(("resolution III", "Plackett"))


def draw_scores(cell: FactorialCell, generator: np.random.Generator) -> pd.DataFrame:
    """Return scores, variants x seeds: the planted synergy, a shift by seed, noise."""
    design = DESIGNS[cell.design]
    means = MEAN + cell.synergy * design[list(PLANTED)].all(axis=1).to_numpy(dtype=float)
    noise = SEED_SD * generator.standard_normal((len(design), cell.n))
    shifts = SEED_SD * generator.standard_normal((1, cell.n))
    return pd.DataFrame(means[:, None] + shifts + noise, index=design.index)


def contrasts_of(cell: FactorialCell, scores: pd.DataFrame) -> list[FactorialContrast]:
    """Return the contrasts of a study as a report computes them."""
    if cell.design.startswith("pairs"):
        return pair_synergies(DESIGNS[cell.design], scores, MARGIN)
    return list(factorial_effects(DESIGNS[cell.design], scores, MARGIN).contrasts)


def truth_of(cell: FactorialCell, contrast: FactorialContrast) -> float:
    """Return the true value of an estimate.

    A main effect of a planted component is half the synergy: it occurs with the other component only. At resolution III
    the true effect of every other component is zero, whichever pair it is aliased with.
    """
    terms = [contrast.term, *contrast.aliases] if math.isfinite(contrast.synergy) else [contrast.term]
    if " x ".join(PLANTED) in (term.lstrip("-") for term in terms):
        return cell.synergy
    return cell.synergy / 2 if contrast.term in PLANTED else 0.0


def simulate_cell(cell: FactorialCell, repetitions: int, generator: np.random.Generator) -> FactorialRates:
    """Return the rates of a cell."""
    counts: Floats = np.zeros((2, 3))
    for _ in range(repetitions):
        pairs = [(row, truth_of(cell, row)) for row in contrasts_of(cell, draw_scores(cell, generator))]
        for family in (0, 1):
            chosen = [pair for pair in pairs if math.isnan(pair[0].synergy) == (family == 0)]
            counts[family] += [
                any(row.p_holm < ALPHA and truth == 0 for row, truth in chosen),
                any(row.verdict.endswith(ESTABLISHED[2:]) and abs(truth) >= MARGIN for row, truth in chosen),
                any(row.verdict.endswith(ESTABLISHED) and _contradicts(row.verdict, truth) for row, truth in chosen),
            ]
    return FactorialRates(cell, *(counts.max(axis=0) / repetitions).tolist())


def _contradicts(verdict: str, truth: float) -> bool:
    """Return whether an established verdict contradicts the truth."""
    if verdict.endswith("loss"):
        return truth >= -MARGIN
    if verdict.endswith("gain"):
        return truth <= MARGIN
    return abs(truth) >= MARGIN or (verdict.endswith("negligible") and truth == 0)


def simulate_factorial(repetitions: int, seed: int = 0) -> list[FactorialRates]:
    """Return the rates of every cell, each from its own random stream."""
    return [
        simulate_cell(cell, repetitions, np.random.default_rng([seed, 1000 + place]))
        for place, cell in enumerate(CELLS)
    ]

"""Simulate scores with steps above the margin, and compute the false equivalences of the shipped rule."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, fields

import numpy as np

from ablate.stats.effects.coarse_scores import bars_equivalence, usual_step
from ablate.stats.effects.criteria import PValues
from ablate.stats.effects.inference import PairedT, paired_t
from ablate.stats.effects.multiple_comparisons import holm
from ablate.stats.effects.types import ALPHA
from tests.simulation.studies import ARMS, FALSE_VERDICT, MARGIN


@dataclass(frozen=True)
class CoarseCell:
    """One cell of the simulation: all true differences equal the margin.

    Attributes:
        n: Number of seeds, or of rows with one score per image.
        step: The step between scores, in margins. Differences are 0 or one step ...
        noise: ... and with this probability one step more or less, as often each.
    """

    n: int
    step: float
    noise: float


@dataclass(frozen=True)
class CoarseRates:
    """Shares of studies that call a difference at the margin equivalent: as shipped, and by the t test alone."""

    cell: CoarseCell
    false_equivalence: float
    by_test_alone: float

    @property
    def misses(self) -> list[str]:
        """The limits that this cell breaks, as text."""
        rate = self.false_equivalence
        return [f"false equivalence {rate:.3f} above {FALSE_VERDICT}"] if rate > FALSE_VERDICT else []


CELLS = [
    CoarseCell(n, step, noise)
    for n, step, noise in itertools.product((5, 20, 50, 1000), (1.2, 2.0, 4.0, 10.0, 100.0), (0.0, 0.05, 0.5))
]


def simulate_cell(cell: CoarseCell, repetitions: int, generator: np.random.Generator) -> CoarseRates:
    """Return the rates of a cell."""
    step, hit, half = cell.step * MARGIN, 1 / cell.step, cell.noise / 2
    shares = np.convolve([1 - hit, hit], [half, 1 - cell.noise, half])
    differences = step * generator.choice([-1.0, 0.0, 1.0, 2.0], (repetitions, ARMS, cell.n), p=shares)
    statistics = paired_t(differences, MARGIN, ALPHA, ARMS, 1e-9)
    p_tost_holm = holm(statistics.p_tost)
    plain, shipped = p_tost_holm < ALPHA, np.zeros((repetitions, ARMS), dtype=bool)
    for place in zip(*np.nonzero(plain), strict=True):
        row = PairedT(cell.n, *(getattr(statistics, entry.name)[place] for entry in fields(PairedT)[1:]))
        p = PValues(float(row.p), 1.0, float(row.p_tost), float(p_tost_holm[place]), 1.0, ARMS)
        found = usual_step(differences[place], MARGIN)
        shipped[place] = not bars_equivalence(row, p, found, MARGIN, extended=False)
    return CoarseRates(cell, float(shipped.any(axis=1).mean()), float(plain.any(axis=1).mean()))


def simulate_coarse(repetitions: int, seed: int = 0) -> list[CoarseRates]:
    """Return the rates of every cell, each from its own random stream."""
    return [
        simulate_cell(cell, repetitions, np.random.default_rng([seed, 2000 + place]))
        for place, cell in enumerate(CELLS)
    ]

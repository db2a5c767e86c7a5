"""Simulate all pairs of unpaired variants without any difference, by Welch's test with Holm's correction and by the
test of Games and Howell."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ablate.stats.effects.games_howell import critical_values
from ablate.stats.effects.inference import moments
from ablate.stats.effects.multiple_comparisons import holm
from ablate.stats.effects.types import ALPHA
from ablate.stats.effects.unpaired import welch_freedom, welch_t
from tests.simulation.studies import FAMILY_WISE, MARGIN, SEED_SD, Noise, standard_noise


@dataclass(frozen=True)
class PairsCell:
    """One cell of the simulation.

    Attributes:
        variants: Number of variants.
        n: Number of runs of each.
        noise: Distribution of the noise.
        sd_ratio: Standard deviation of every second variant divided by that of the others.
    """

    variants: int
    n: int
    noise: Noise
    sd_ratio: float


@dataclass(frozen=True)
class PairsRates:
    """The shares of studies with a false difference, by Holm's correction and by Games and Howell's test."""

    cell: PairsCell
    holm: float
    games_howell: float

    @property
    def misses(self) -> list[str]:
        """The limits that this cell breaks, as text: those of Holm's correction, for equal SDs."""
        is_above = self.cell.sd_ratio == 1 and self.holm > FAMILY_WISE
        return [f"all pairs, {self.cell}: {self.holm:.3f} above {FAMILY_WISE}"] if is_above else []


_NOISES: Sequence[Noise] = ("normal", "t4", "skewed")
CELLS = [PairsCell(*cell) for cell in itertools.product((4, 8), (3, 5, 10), _NOISES, (1.0, 4.0))]


def rates_of(cell: PairsCell, repetitions: int, generator: np.random.Generator) -> PairsRates:
    """Return the rates of a cell."""
    scores = SEED_SD * standard_noise(cell.noise, (cell.variants, repetitions, cell.n), generator)
    scores[1::2] *= cell.sd_ratio
    (mean, sd), pairs = moments(scores), list(itertools.combinations(range(cell.variants), 2))
    first, later = np.array(pairs).T
    error = sd / math.sqrt(cell.n)
    freedom = welch_freedom(error[first], error[later], cell.n, cell.n)
    statistic = np.abs(mean[first] - mean[later]) / np.hypot(error[first], error[later])
    critical = critical_values(freedom.ravel(), cell.variants).reshape(freedom.shape)
    p = np.stack([welch_t(scores[one], scores[other], MARGIN).p for one, other in pairs], axis=-1)
    return PairsRates(
        cell,
        holm=float((holm(p) < ALPHA).any(axis=-1).mean()),
        games_howell=float((statistic > critical).any(axis=0).mean()),
    )


def simulate_pairs(repetitions: int, seed: int = 0, cells: Sequence[PairsCell] = tuple(CELLS)) -> list[PairsRates]:
    """Return the rates of every cell, each from its own random stream."""
    return [
        rates_of(cell, repetitions, np.random.default_rng([seed, 5000 + place])) for place, cell in enumerate(cells)
    ]

"""Simulate comparisons that are not pairs by seed, and compute the error rates of the shipped tests."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ablate.stats.effects.folds import corrected_t
from ablate.stats.effects.inference import Floats, PairedT, judge, paired_t
from ablate.stats.effects.multiple_comparisons import holm
from ablate.stats.effects.target import target_t
from ablate.stats.effects.types import ALPHA
from ablate.stats.effects.unpaired import welch_t
from tests.simulation.studies import (
    ARMS,
    BASELINE,
    COVERAGE,
    EFFECTS,
    FALSE_VERDICT,
    FAMILY_WISE,
    MARGIN,
    SEED_SD,
    Noise,
    contradicted,
    standard_noise,
)

BETWEEN_SD = 0.3
"""Standard deviation of the true differences between data sets, in points."""

WELCH_COVERAGE = (0.94, 0.98)
"""Welch's interval is too wide for few runs and equal SDs, because its degrees of freedom are estimated."""


@dataclass(frozen=True)
class BeyondCell:
    """One cell of the simulation.

    Attributes:
        kind: What the repetitions are.
        n: Number of repetitions of the variants.
        n_reference: Number of repetitions of the reference.
        noise: Distribution of the noise.
        sd_ratio: Standard deviation of the variants divided by that of the reference.
        effects: Name of the true effects.
    """

    kind: str
    n: int
    n_reference: int
    noise: Noise
    sd_ratio: float
    effects: str

    @property
    def has_limits(self) -> bool:
        """Whether the limits apply.

        Unpaired runs with unequal SDs, or in unequal numbers, are only reported, as are folds and data sets with skewed
        noise.
        """
        is_skewed = self.noise == "skewed" and self.kind != "unpaired"
        return self.sd_ratio == 1 and self.n == self.n_reference and not is_skewed

    @property
    def name(self) -> str:
        """The cell in words."""
        runs = f"{self.n} and {self.n_reference}" if self.n != self.n_reference else str(self.n)
        return f"{self.kind}, {runs}, {self.noise}, SD ratio {self.sd_ratio:g}, {self.effects}"


@dataclass(frozen=True)
class BeyondRates:
    """The rates of one cell, as in `studies.Rates`."""

    cell: BeyondCell
    coverage: float
    false_difference: float
    false_equivalence: float
    false_verdict: float

    @property
    def misses(self) -> list[str]:
        """The limits that this cell breaks, as text."""
        if not self.cell.has_limits:
            return []
        low, high = WELCH_COVERAGE if self.cell.kind == "unpaired" else COVERAGE
        found = []
        if self.cell.noise == "normal" and not low <= self.coverage <= high:
            found.append(f"coverage {self.coverage:.3f} outside {low} to {high}")
        for name, rate, limit in (
            ("false difference", self.false_difference, FAMILY_WISE),
            ("false equivalence", self.false_equivalence, FAMILY_WISE),
            ("false verdict", self.false_verdict, FALSE_VERDICT),
        ):
            if rate > limit:
                found.append(f"{name} {rate:.3f} above {limit}")
        return found


def unpaired(cell: BeyondCell, repetitions: int, generator: np.random.Generator) -> PairedT:
    """Return Welch's statistics of seven arms against a reference with seeds of its own."""
    truth = np.array(EFFECTS[cell.effects])
    arms = standard_noise(cell.noise, (repetitions, ARMS, cell.n), generator) * SEED_SD * cell.sd_ratio
    reference = standard_noise(cell.noise, (repetitions, 1, cell.n_reference), generator) * SEED_SD
    reference = np.broadcast_to(BASELINE + reference, (repetitions, ARMS, cell.n_reference))
    return welch_t(BASELINE + truth[:, None] + arms, reference, MARGIN, ALPHA, ARMS)


def folds(cell: BeyondCell, repetitions: int, generator: np.random.Generator) -> PairedT:
    """Return the corrected statistics of folds whose scores have the correlation n_test / (n_test + n_train).

    What folds share is an average over training rows, and normal.
    """
    ratio = 1 / (cell.n - 1)
    rho, shape = ratio / (1 + ratio), (repetitions, ARMS + 1, cell.n)
    shared = standard_noise("normal", (*shape[:2], 1), generator)
    noise = math.sqrt(rho) * shared + math.sqrt(1 - rho) * standard_noise(cell.noise, shape, generator)
    truth = np.array(EFFECTS[cell.effects])
    return corrected_t(truth[:, None] + SEED_SD * (noise[:, 1:] - noise[:, :1]), ratio, MARGIN, ALPHA, ARMS)


def data_sets(cell: BeyondCell, repetitions: int, generator: np.random.Generator) -> PairedT:
    """Return the statistics over data sets of mean differences of five seeds, which vary between the data sets."""
    truth = np.array(EFFECTS[cell.effects])[:, None]
    between = BETWEEN_SD * standard_noise(cell.noise, (repetitions, ARMS, cell.n), generator)
    seeds = SEED_SD * standard_noise("normal", (repetitions, ARMS + 1, cell.n, 5), generator).mean(axis=-1)
    return paired_t(truth + between + seeds[:, 1:] - seeds[:, :1], MARGIN, ALPHA, ARMS)


def false_targets(n: int, noise: Noise, repetitions: int, generator: np.random.Generator) -> float:
    """Return the share of studies that call one of eight arms better than the target, which is their true mean."""
    scores = BASELINE + SEED_SD * standard_noise(noise, (repetitions, ARMS + 1, n), generator)
    p, _ = target_t(scores, BASELINE, 1)
    return float((holm(p) < ALPHA).any(axis=-1).mean())


KINDS: dict[str, Callable[[BeyondCell, int, np.random.Generator], PairedT]] = {
    "unpaired": unpaired,
    "folds": folds,
    "data sets": data_sets,
}

_NOISES: Sequence[Noise] = ("normal", "t4", "skewed")
CELLS = [
    *(
        BeyondCell("unpaired", n, other, noise, ratio, effects)
        for (n, other), noise, ratio, effects in itertools.product(
            ((3, 3), (5, 5), (4, 10), (10, 10)), _NOISES, (1.0, 4.0), EFFECTS
        )
    ),
    *(
        BeyondCell("folds", n, n, noise, 1.0, effects)
        for n, noise, effects in itertools.product((5, 10), _NOISES, EFFECTS)
    ),
    *(
        BeyondCell("data sets", n, n, noise, 1.0, effects)
        for n, noise, effects in itertools.product((3, 5, 10), _NOISES, EFFECTS)
    ),
]


def rates_of(cell: BeyondCell, statistics: PairedT) -> BeyondRates:
    """Return the rates of a cell, judged by the shipped code."""
    truth: Floats = np.array(EFFECTS[cell.effects])
    p_holm, p_tost_holm = holm(statistics.p), holm(statistics.p_tost)
    codes = judge(statistics, p_holm, p_tost_holm, False, MARGIN)
    false = contradicted(codes, statistics.low, statistics.high, truth)
    return BeyondRates(
        cell,
        coverage=float(((statistics.low <= truth) & (truth <= statistics.high)).mean()),
        false_difference=float(((p_holm < ALPHA) & (truth == 0)).any(axis=-1).mean()),
        false_equivalence=float(((p_tost_holm < ALPHA) & (np.abs(truth) >= MARGIN)).any(axis=-1).mean()),
        false_verdict=float(false.any(axis=-1).mean()),
    )


def simulate_beyond(repetitions: int, seed: int = 0, cells: Sequence[BeyondCell] = tuple(CELLS)) -> list[BeyondRates]:
    """Return the rates of every cell, each from its own random stream."""
    return [
        rates_of(cell, KINDS[cell.kind](cell, repetitions, np.random.default_rng([seed, 3000 + place])))
        for place, cell in enumerate(cells)
    ]


def simulate_targets(repetitions: int, seed: int = 0) -> dict[tuple[int, str], float]:
    """Return the share of false findings by the number of runs and the noise."""
    cells = list(itertools.product((3, 5, 10), _NOISES))
    return {
        (n, noise): false_targets(n, noise, repetitions, np.random.default_rng([seed, 4000 + place]))
        for place, (n, noise) in enumerate(cells)
    }

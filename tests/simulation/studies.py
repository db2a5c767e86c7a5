"""Simulate studies with known effects, judge them with the shipped code, and compute its error rates."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ablate.stats.effects.inference import CODES, Floats, judge, paired_t
from ablate.stats.effects.instability import unreliable_p
from ablate.stats.effects.looks import LookArrays, Looks, advance
from ablate.stats.effects.multiple_comparisons import holm
from ablate.stats.effects.types import ALPHA, Verdict

Noise = Literal["normal", "t4", "skewed"]

MARGIN = 0.5
BASELINE, FLOOR, SEED_SD = 93.0, 10.0, 0.2
EFFECTS: dict[str, tuple[float, ...]] = {
    "all null": (0.0,) * 7,
    "all at margin": (-MARGIN,) * 7,
    "mixed": (0.0, 0.0, 0.0, -0.2, -0.5, -1.0, 1.0),
}
ARMS = 7
COVERAGE = (0.94, 0.96)
FAMILY_WISE = 0.06
FALSE_VERDICT = 0.11
PEEKING = 0.15
OFTEN = (0.1, 0.2, 0.4)
"""Probabilities of divergence in studies where all arms diverge alike, and often."""


@dataclass(frozen=True)
class Cell:
    """One cell of the simulation.

    Attributes:
        n: Number of seeds; 0 for looks at 5, 10 and 20 seeds.
        sd_ratio: Standard deviation of the variants divided by that of the reference.
        rho: Correlation between arms over seeds.
        noise: Distribution of the noise.
        effects: Name of the true effects, a key of `EFFECTS`.
        divergence: Probability that a run diverges.
    """

    n: int
    sd_ratio: float
    rho: float
    noise: Noise
    effects: str
    divergence: float

    @property
    def has_limits(self) -> bool:
        """Whether the limits apply.

        Skewed noise with unequal SDs, and arms that diverge nearly as often as not, invalidate any t procedure: these
        cells are only reported.
        """
        return not (self.noise == "skewed" and self.sd_ratio != 1) and self.divergence < max(OFTEN)

    @property
    def diverges_often(self) -> bool:
        """Whether few pairs are stable, so that the t intervals of stable pairs are not counted."""
        return self.divergence >= min(OFTEN)

    @property
    def truth(self) -> Floats:
        """The true differences of the seven arms."""
        return np.array(EFFECTS[self.effects])


@dataclass(frozen=True)
class Rates:
    """The rates of one cell.

    Attributes:
        cell: The cell.
        coverage: Share of intervals that contain the true difference.
        false_difference: Share of studies with p_holm < .05 for a true difference of zero.
        false_equivalence: Share of studies with p_tost_holm < .05 for a true difference at or beyond the margin.
        false_verdict: Share of studies with a verdict that contradicts the truth.
        false_unreliable: Share of studies in which an arm "trains unreliably", although all arms diverge alike.
        runs: Mean number of runs per study.
    """

    cell: Cell
    coverage: float
    false_difference: float
    false_equivalence: float
    false_verdict: float
    runs: float
    false_unreliable: float = 0.0

    @property
    def misses(self) -> list[str]:
        """The limits that this cell breaks, as text."""
        if not self.cell.has_limits:
            return []
        found = []
        counts = self.cell.n and self.cell.noise == "normal" and not self.cell.diverges_often
        if counts and not COVERAGE[0] <= self.coverage <= COVERAGE[1]:
            found.append(f"coverage {self.coverage:.3f} outside {COVERAGE[0]} to {COVERAGE[1]}")
        for name, rate, limit in (
            ("false difference", self.false_difference, FAMILY_WISE),
            ("false equivalence", self.false_equivalence, FAMILY_WISE),
            ("false 'trains unreliably'", self.false_unreliable, FAMILY_WISE),
            ("false verdict", self.false_verdict, FAMILY_WISE if self.cell.diverges_often else FALSE_VERDICT),
        ):
            if rate > limit:
                found.append(f"{name} {rate:.3f} above {limit}")
        return found


@dataclass(frozen=True)
class Results:
    """Results of the shipped code for many studies. Arrays have shape (repetitions, arms)."""

    p_holm: Floats
    p_tost_holm: Floats
    codes: NDArray[np.int_]
    low: Floats
    high: Floats

    def rates(self, cell: Cell, counted: NDArray[np.bool_], runs: float) -> Rates:
        """Return the rates of a cell. `counted` marks the intervals that enter the coverage."""
        truth = cell.truth
        zero, important = truth == 0, np.abs(truth) >= MARGIN
        covered = (self.low <= truth) & (truth <= self.high)
        false = contradicted(self.codes, self.low, self.high, truth)
        return Rates(
            cell,
            coverage=math.nan if cell.diverges_often else float(covered[counted].mean()),
            false_difference=float(((self.p_holm < ALPHA) & zero).any(axis=-1).mean()),
            false_equivalence=float(((self.p_tost_holm < ALPHA) & important).any(axis=-1).mean()),
            false_verdict=float(false.any(axis=-1).mean()),
            runs=runs,
            false_unreliable=float((self.codes == CODES[Verdict.UNRELIABLE]).any(axis=-1).mean()),
        )


def draw(cell: Cell, n: int, repetitions: int, generator: np.random.Generator) -> tuple[Floats, NDArray[np.bool_]]:
    """Return accuracies in points and divergence flags, both (repetitions, 1 + arms, n). Arm 0 is the reference."""
    shape = (repetitions, ARMS + 1, n)
    shared = standard_noise(cell.noise, (repetitions, 1, n), generator)
    noise = np.sqrt(cell.rho) * shared + np.sqrt(1 - cell.rho) * standard_noise(cell.noise, shape, generator)
    sd = np.array([1.0] + [cell.sd_ratio] * ARMS) * SEED_SD
    means = BASELINE + np.concatenate([[0.0], cell.truth])
    diverged = generator.random(shape) < cell.divergence
    return np.where(diverged, FLOOR, means[:, None] + sd[:, None] * noise), diverged


def standard_noise(noise: Noise, shape: tuple[int, ...], generator: np.random.Generator) -> Floats:
    """Return noise with mean 0 and variance 1. Skewed noise is skewed to the left, like accuracies."""
    if noise == "normal":
        return np.asarray(generator.standard_normal(shape))
    if noise == "t4":
        return np.asarray(generator.standard_t(4, shape) / np.sqrt(2))
    return np.asarray(1 - generator.exponential(size=shape))


def contradicted(codes: NDArray[np.int_], low: Floats, high: Floats, truth: Floats) -> NDArray[np.bool_]:
    """Return which verdicts contradict the truth. Arrays have shape (repetitions, arms), `truth` (arms,).

    "Real" is false if the true difference is zero or the interval, and thus the sentence, has the wrong sign.
    """
    zero, important = truth == 0, np.abs(truth) >= MARGIN
    false: dict[Verdict, NDArray[np.bool_]] = {
        Verdict.UNRELIABLE: np.ones_like(codes, dtype=bool),  # all arms diverge at the reference's rate
        Verdict.LOSS: np.broadcast_to(truth >= -MARGIN, codes.shape),
        Verdict.GAIN: np.broadcast_to(truth <= MARGIN, codes.shape),
        Verdict.NEGLIGIBLE: np.broadcast_to(zero | important, codes.shape),
        Verdict.NO_EFFECT: np.broadcast_to(important, codes.shape),
        Verdict.UNRESOLVED: zero | ((low > 0) & (truth < 0)) | ((high < 0) & (truth > 0)),
    }
    return np.select([codes == CODES[rule] for rule in false], list(false.values()), False)


def fixed_n(cell: Cell, repetitions: int, generator: np.random.Generator) -> Rates:
    """Return the rates of studies with a fixed number of seeds."""
    values, diverged = draw(cell, cell.n, repetitions, generator)
    statistics = paired_t(values[:, 1:] - values[:, :1], MARGIN, ALPHA, ARMS)
    p_holm, p_tost_holm = holm(statistics.p), holm(statistics.p_tost)
    unreliable = holm(_instability_p(diverged)) < ALPHA
    codes = judge(statistics, p_holm, p_tost_holm, unreliable, MARGIN)
    stable = np.logical_not(diverged[:, 1:].any(axis=-1) | diverged[:, :1].any(axis=-1))
    results = Results(p_holm, p_tost_holm, codes, statistics.low, statistics.high)
    return results.rates(cell, stable, cell.n * (ARMS + 1.0))


def until_clear(cell: Cell, repetitions: int, generator: np.random.Generator) -> Rates:
    """Return the rates of studies with `--until-clear`: the shipped looks, each arm until its verdict is final."""
    looks = Looks()
    values, diverged = draw(cell, looks.seeds[-1], repetitions, generator)
    state = LookArrays.initial((repetitions, ARMS))
    low, high, seeds = (np.zeros((repetitions, ARMS)) for _ in range(3))
    for n, alpha in zip(looks.seeds, looks.alphas, strict=True):
        undecided = ~state.stopped
        statistics = paired_t(values[:, 1:, :n] - values[:, :1, :n], MARGIN, alpha, ARMS)
        state = advance(state, statistics, alpha, MARGIN, p_unreliable=_instability_p(diverged[..., :n]))
        low, high = np.where(undecided, statistics.low, low), np.where(undecided, statistics.high, high)
        seeds = np.where(undecided, n, seeds)
    runs = float((seeds.sum(axis=1) + seeds.max(axis=1)).mean())  # the reference needs as many seeds as the last arm
    results = Results(state.p_holm, state.p_tost_holm, state.codes, low, high)
    return results.rates(cell, np.ones_like(state.stopped), runs)


def _instability_p(diverged: NDArray[np.bool_]) -> Floats:
    """Return p of the numbers of diverged runs of each arm and the reference, shape (repetitions, arms)."""
    counts = diverged.sum(axis=-1)
    return unreliable_p(counts[:, 1:], counts[:, :1], diverged.shape[-1])


def naive_peeking(repetitions: int, generator: np.random.Generator) -> tuple[float, float]:
    """Return the error rates that the looks prevent, for one arm with normal noise.

    The false positives of testing at p < .05 after every seed from 3 to 20, and the false equivalences of three
    uncorrected TOST looks with a true difference at the margin.
    """
    noise = SEED_SD * generator.standard_normal((repetitions, 20))
    peeks = [paired_t(noise[:, :n], MARGIN).p < ALPHA for n in range(3, 21)]
    tosts = [paired_t(noise[:, :n] - MARGIN, MARGIN).p_tost < ALPHA for n in Looks().seeds]
    return float(np.any(peeks, axis=0).mean()), float(np.any(tosts, axis=0).mean())


def half_rule(repetitions: int, generator: np.random.Generator, share: float = 0.25) -> float:
    """Return the error rate that the exact test prevents: false "trains unreliably" with 3 seeds.

    The rule that it replaces: unstable in at least half of the seeds, and the reference in none.
    """
    counts = (generator.random((repetitions, ARMS + 1, 3)) < share).sum(axis=-1)
    return float(((counts[:, 1:] >= 2) & (counts[:, :1] == 0)).any(axis=1).mean())


def cells(sizes: Sequence[int]) -> list[Cell]:
    """Return the grid over SD ratio, rho, noise, effects and divergence for each number of seeds (0: until clear).

    At the end, for each number of seeds, studies whose arms all diverge alike, and often.
    """
    noises: tuple[Noise, ...] = ("normal", "t4", "skewed")
    grid = itertools.product(sizes, noises, (1.0, 4.0), (0.0, 0.5), EFFECTS, (0.0, 0.02))
    often = [Cell(n, 1.0, 0.0, "normal", "all null", share) for n in sizes for share in OFTEN]
    return [*(Cell(n, ratio, rho, noise, effects, share) for n, noise, ratio, rho, effects, share in grid), *often]


def simulate(chosen: Iterable[Cell], repetitions: int, seed: int = 0) -> list[Rates]:
    """Return the rates of each cell, each from its own random stream."""
    return [
        (fixed_n if cell.n else until_clear)(cell, repetitions, np.random.default_rng([seed, place]))
        for place, cell in enumerate(chosen)
    ]

"""Simulated studies with known effects, judged by the shipped code, and the rates at which it errs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ablate.stats.effects.inference import CODES, Floats, holm, judge, paired_t, unreliable
from ablate.stats.effects.sequential import LookArrays, Looks, advance
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


@dataclass(frozen=True)
class Cell:
    """One setting: seeds (0: looks at 5, 10, 20), SD of the variants over the reference's, noise, truth."""

    n: int
    sd_ratio: float
    rho: float
    noise: Noise
    effects: str
    divergence: float

    @property
    def gated(self) -> bool:
        """Whether the limits hold here: skewed noise of unequal SD breaks any t procedure, and is only reported."""
        return not (self.noise == "skewed" and self.sd_ratio != 1)

    @property
    def truth(self) -> Floats:
        """The true differences of the seven arms."""
        return np.array(EFFECTS[self.effects])


@dataclass(frozen=True)
class Rates:
    """What happened in a cell: shares of studies, but for `coverage` (of intervals) and `runs` (mean per study).

    `false_difference`: some p_holm < .05 for a true zero. `false_equivalence`: some p_tost_holm < .05 for a true
    difference at the margin or beyond. `false_verdict`: some verdict that the truth contradicts.
    """

    cell: Cell
    coverage: float
    false_difference: float
    false_equivalence: float
    false_verdict: float
    runs: float

    @property
    def misses(self) -> list[str]:
        """The limits that this cell breaks, in words."""
        if not self.cell.gated:
            return []
        found = []
        if self.cell.n and self.cell.noise == "normal" and not COVERAGE[0] <= self.coverage <= COVERAGE[1]:
            found.append(f"coverage {self.coverage:.3f} outside {COVERAGE[0]} to {COVERAGE[1]}")
        for name, rate, limit in (
            ("false difference", self.false_difference, FAMILY_WISE),
            ("false equivalence", self.false_equivalence, FAMILY_WISE),
            ("false verdict", self.false_verdict, FALSE_VERDICT),
        ):
            if rate > limit:
                found.append(f"{name} {rate:.3f} above {limit}")
        return found


@dataclass(frozen=True)
class Outcome:
    """What the shipped code said of many studies; arrays (repetitions, arms)."""

    p_holm: Floats
    p_tost_holm: Floats
    codes: NDArray[np.int_]
    low: Floats
    high: Floats

    def rates(self, cell: Cell, counted: NDArray[np.bool_], runs: float) -> Rates:
        """The rates of a cell; `counted` are the intervals whose coverage counts."""
        truth = cell.truth
        zero, important = truth == 0, np.abs(truth) >= MARGIN
        covered = (self.low <= truth) & (truth <= self.high)
        false = contradicted(self.codes, self.low, self.high, truth)
        return Rates(
            cell,
            coverage=float(covered[counted].mean()),
            false_difference=float(((self.p_holm < ALPHA) & zero).any(axis=-1).mean()),
            false_equivalence=float(((self.p_tost_holm < ALPHA) & important).any(axis=-1).mean()),
            false_verdict=float(false.any(axis=-1).mean()),
            runs=runs,
        )


def draw(cell: Cell, n: int, repetitions: int, generator: np.random.Generator) -> tuple[Floats, NDArray[np.bool_]]:
    """Accuracies in points and which runs diverged, both (repetitions, 1 + arms, n); arm 0 is the reference."""
    shape = (repetitions, ARMS + 1, n)
    shared = _standard(cell.noise, (repetitions, 1, n), generator)
    noise = np.sqrt(cell.rho) * shared + np.sqrt(1 - cell.rho) * _standard(cell.noise, shape, generator)
    sd = np.array([1.0] + [cell.sd_ratio] * ARMS) * SEED_SD
    means = BASELINE + np.concatenate([[0.0], cell.truth])
    diverged = generator.random(shape) < cell.divergence
    return np.where(diverged, FLOOR, means[:, None] + sd[:, None] * noise), diverged


def _standard(noise: Noise, shape: tuple[int, ...], generator: np.random.Generator) -> Floats:
    """Noise of mean 0 and variance 1; skewed to the left, as accuracies are."""
    if noise == "normal":
        return np.asarray(generator.standard_normal(shape))
    if noise == "t4":
        return np.asarray(generator.standard_t(4, shape) / np.sqrt(2))
    return np.asarray(1 - generator.exponential(size=shape))


def contradicted(codes: NDArray[np.int_], low: Floats, high: Floats, truth: Floats) -> NDArray[np.bool_]:
    """Which verdicts the truth contradicts; arrays (repetitions, arms), truth (arms,).

    "Real" is false for a true zero, and where its interval names the wrong direction (its sentence then does too).
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
    """Many studies of a fixed number of seeds."""
    values, diverged = draw(cell, cell.n, repetitions, generator)
    statistics = paired_t(values[:, 1:] - values[:, :1], MARGIN, ALPHA, ARMS)
    p_holm, p_tost_holm = holm(statistics.p), holm(statistics.p_tost)
    codes = judge(statistics, p_holm, p_tost_holm, _unreliable_arms(diverged), MARGIN)
    stable = np.logical_not(diverged[:, 1:].any(axis=-1) | diverged[:, :1].any(axis=-1))
    outcome = Outcome(p_holm, p_tost_holm, codes, statistics.low, statistics.high)
    return outcome.rates(cell, stable, cell.n * (ARMS + 1.0))


def until_clear(cell: Cell, repetitions: int, generator: np.random.Generator) -> Rates:
    """Many studies by `--until-clear`: the shipped looks, each arm until its verdict is final."""
    looks = Looks()
    values, diverged = draw(cell, looks.seeds[-1], repetitions, generator)
    state = LookArrays.initial((repetitions, ARMS))
    low, high, seeds = (np.zeros((repetitions, ARMS)) for _ in range(3))
    for n, alpha in zip(looks.seeds, looks.alphas, strict=True):
        undecided = ~state.stopped
        statistics = paired_t(values[:, 1:, :n] - values[:, :1, :n], MARGIN, alpha, ARMS)
        state = advance(state, statistics, alpha, MARGIN, is_unreliable=_unreliable_arms(diverged[..., :n]))
        low, high = np.where(undecided, statistics.low, low), np.where(undecided, statistics.high, high)
        seeds = np.where(undecided, n, seeds)
    runs = float((seeds.sum(axis=1) + seeds.max(axis=1)).mean())  # the reference goes on with its last arm
    outcome = Outcome(state.p_holm, state.p_tost_holm, state.codes, low, high)
    return outcome.rates(cell, np.ones_like(state.stopped), runs)


def _unreliable_arms(diverged: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The unreliable arms, (repetitions, arms)."""
    counts = diverged.sum(axis=-1)
    return unreliable(counts[:, 1:], counts[:, :1], diverged.shape[-1])


def naive_peeking(repetitions: int, generator: np.random.Generator) -> tuple[float, float]:
    """What the looks guard against, for one arm of normal noise.

    False positives of peeking after every seed from 3 to 20 at p < .05; false equivalences, at the margin, of three
    unadjusted TOST looks.
    """
    noise = SEED_SD * generator.standard_normal((repetitions, 20))
    peeks = [paired_t(noise[:, :n], MARGIN).p < ALPHA for n in range(3, 21)]
    tosts = [paired_t(noise[:, :n] - MARGIN, MARGIN).p_tost < ALPHA for n in Looks().seeds]
    return float(np.any(peeks, axis=0).mean()), float(np.any(tosts, axis=0).mean())


def cells(sizes: Sequence[int]) -> list[Cell]:
    """The grid over SD ratio, rho, noise, effects and divergence, for each number of seeds (0: until clear)."""
    noises: tuple[Noise, ...] = ("normal", "t4", "skewed")
    grid = itertools.product(sizes, noises, (1.0, 4.0), (0.0, 0.5), EFFECTS, (0.0, 0.02))
    return [Cell(n, ratio, rho, noise, effects, share) for n, noise, ratio, rho, effects, share in grid]


def simulate(chosen: Iterable[Cell], repetitions: int, seed: int = 0) -> list[Rates]:
    """The rates of each cell, each from its own stream of the seed."""
    return [
        (fixed_n if cell.n else until_clear)(cell, repetitions, np.random.default_rng([seed, place]))
        for place, cell in enumerate(chosen)
    ]

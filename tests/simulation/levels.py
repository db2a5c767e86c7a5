"""Simulate factors with levels, judge them with the shipped tests, and compute their error rates."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ablate.stats.effects.inference import paired_t
from ablate.stats.effects.multiple_comparisons import holm
from ablate.stats.effects.types import ALPHA
from ablate.stats.levels.coding import LevelDesign, Model, model_of, read_design
from ablate.stats.levels.fit import LevelFit, fit_levels
from ablate.stats.levels.rank_tests import friedman, page
from tests.simulation.studies import BASELINE, COVERAGE, FAMILY_WISE, MARGIN, SEED_SD, Noise, standard_noise

GROUPS, LEVELS = 3, 3
"""Components and levels of a study that changes one component at a time."""

CHECKS = ("levels differ", "trend", "F, components", "F, pairs", "differences of levels", "synergies")


@dataclass(frozen=True)
class LevelCell:
    """One cell of the simulation.

    Attributes:
        n: Number of seeds.
        noise: Distribution of the noise.
        sd_ratio: Standard deviation of the last level of the first component divided by that of the others.
    """

    n: int
    noise: Noise
    sd_ratio: float

    @property
    def has_limits(self) -> bool:
        """Whether the limits apply: the F and the rank tests assume equal distributions of all variants."""
        return self.sd_ratio == 1

    @property
    def name(self) -> str:
        """The cell in words."""
        return f"levels, {self.n} seeds, {self.noise}, SD ratio {self.sd_ratio:g}"


@dataclass(frozen=True)
class LevelRates:
    """The rates of one cell.

    Attributes:
        cell: The cell.
        false: The share of studies with a false finding, by the checks in `CHECKS`; each is a family of its own.
        coverage: Share of intervals of differences of levels that contain the true difference.
    """

    cell: LevelCell
    false: tuple[float, ...]
    coverage: float

    @property
    def misses(self) -> list[str]:
        """The limits that this cell breaks, as text."""
        if not self.cell.has_limits:
            return []
        found = [
            f"{name} {rate:.3f} above {FAMILY_WISE}"
            for name, rate in zip(CHECKS, self.false, strict=True)
            if rate > FAMILY_WISE
        ]
        if self.cell.noise == "normal" and not COVERAGE[0] <= self.coverage <= COVERAGE[1]:
            found.append(f"coverage {self.coverage:.3f} outside {COVERAGE[0]} to {COVERAGE[1]}")
        return found


_NOISES: Sequence[Noise] = ("normal", "t4", "skewed")
CELLS = [LevelCell(*setting) for setting in itertools.product((3, 5, 10), _NOISES, (1.0, 4.0))]


def crossed() -> tuple[LevelDesign, Model]:
    """Return a full factorial of components with three, three and two levels."""
    rows = list(itertools.product("abc", "xyz", ("on", "off")))
    design = read_design(pd.DataFrame(rows, columns=["one", "two", "three"]))
    return design, model_of(design)


def rank_findings(cell: LevelCell, generator: np.random.Generator) -> tuple[bool, bool]:
    """Return whether a study without any effect finds different levels, and a trend, in one of its components."""
    arms = standard_noise(cell.noise, (1 + GROUPS * (LEVELS - 1), cell.n), generator)
    arms[LEVELS - 1] *= cell.sd_ratio
    scores = BASELINE + SEED_SD * (arms + generator.standard_normal((1, cell.n)))
    blocks = [scores[[0, *range(1 + start, LEVELS + start)]].T for start in range(0, len(scores) - 1, LEVELS - 1)]
    differ, follow = (bool((holm([test(block).p for block in blocks]) < ALPHA).any()) for test in (friedman, page))
    return differ, follow


def factorial_fit(cell: LevelCell, generator: np.random.Generator, design: LevelDesign, model: Model) -> LevelFit:
    """Return the fit of a factorial study without any effect."""
    noise = standard_noise(cell.noise, (len(design.variants), cell.n), generator)
    noise[design.codes[:, 0] == LEVELS - 1] *= cell.sd_ratio
    return fit_levels(design, model, BASELINE + SEED_SD * (noise + generator.standard_normal((1, cell.n))))


def factorial_findings(fit: LevelFit) -> tuple[tuple[bool, ...], NDArray[np.bool_]]:
    """Return the false findings of F tests, of differences and of synergies, and which intervals contain zero."""
    by_order = [[fit.f_test(term).p for term in fit.model.terms if len(term) == order] for order in (1, 2)]
    differences = [
        fit.average(name, place) - fit.average(name, 0)
        for name, own in fit.design.levels.items()
        for place in range(1, len(own))
    ]
    synergies = [
        fit.synergy(pair, *places)
        for pair in fit.model.terms
        if len(pair) == 2
        for places in fit.design.level_pairs(pair)
    ]
    averages, interactions = (paired_t(rows, MARGIN, ALPHA, len(rows)) for rows in (differences, synergies))
    families: list[ArrayLike] = [*by_order, averages.p, interactions.p]
    return tuple(bool((holm(p) < ALPHA).any()) for p in families), (averages.low <= 0) & (averages.high >= 0)


def simulate_cell(cell: LevelCell, repetitions: int, generator: np.random.Generator) -> LevelRates:
    """Return the rates of a cell."""
    design, model = crossed()
    counts, covered = np.zeros(len(CHECKS)), 0.0
    for _ in range(repetitions):
        found, inside = factorial_findings(factorial_fit(cell, generator, design, model))
        counts += [*rank_findings(cell, generator), *found]
        covered += float(inside.mean())
    return LevelRates(cell, tuple((counts / repetitions).tolist()), covered / repetitions)


def simulate_levels(repetitions: int, seed: int = 0, cells: Sequence[LevelCell] = tuple(CELLS)) -> list[LevelRates]:
    """Return the rates of every cell, each from its own random stream."""
    return [simulate_cell(cell, repetitions, np.random.default_rng([seed, 5000 + CELLS.index(cell)])) for cell in cells]

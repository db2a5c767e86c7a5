"""Least squares of a design with levels: coefficients by seed, averages of levels, and F tests with seed blocks."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special

from ablate.stats.effects.inference import Floats, power_of_two
from ablate.stats.effects.types import EQUAL
from ablate.stats.levels.coding import TOLERANCE, LevelDesign, Model, Term


@dataclass(frozen=True)
class FTest:
    """An F statistic, its degrees of freedom and its p-value; NaN without an estimate of the noise."""

    statistic: float
    freedom: tuple[float, float]
    p: float


@dataclass(frozen=True)
class LevelFit:
    """The fit of a model to the scores of every seed.

    Attributes:
        design: The design.
        model: The terms of the model.
        values: Scores, variants x seeds; NaN for unstable runs without a score.
        inverse: The matrix that turns scores into coefficients, coefficients x variants.
    """

    design: LevelDesign
    model: Model
    values: Floats
    inverse: Floats

    @cached_property
    def coefficients(self) -> Floats:
        """The coefficients by seed, coefficients x seeds."""
        return np.asarray(self.inverse @ self.values, dtype=np.float64)

    @cached_property
    def places(self) -> dict[Term, slice]:
        """Where the coefficients of each term are."""
        return self.design.places(self.model.terms)

    def of(self, term: Term) -> Floats:
        """Return the coefficients of a term by seed."""
        return np.asarray(self.coefficients[self.places[term]], dtype=np.float64)

    def average(self, factor: str, place: int) -> Floats:
        """Return the average of a level over the other components, by seed; a least-squares mean if unbalanced."""
        return np.asarray(self.coefficients[0] + self.design.contrasts(factor)[place] @ self.of((factor,)))

    def cell(self, pair: Term, one: int, other: int) -> Floats:
        """Return the average of two levels together over the other components, by seed."""
        first, second = (self.average(name, place) for name, place in zip(pair, (one, other), strict=True))
        own, others = (self.design.contrasts(name)[place] for name, place in zip(pair, (one, other), strict=True))
        return np.asarray(first + second - self.coefficients[0] + np.kron(own, others) @ self.of(pair))

    def synergy(self, pair: Term, one: int, other: int) -> Floats:
        """Return the synergy of two levels, relative to those of the baseline, by seed."""
        return np.asarray(self.design.synergy_row(pair, one, other) @ self.of(pair))

    def size(self, term: Term) -> float:
        """Return the root mean square of a term's effects."""
        return float(np.sqrt(np.square(self.of(term).mean(axis=1)).sum()))

    @cached_property
    def noise(self) -> tuple[float, float]:
        """The mean square of the residuals from variants and seeds, and its degrees of freedom: pure error.

        It contains no effect, whichever terms the model leaves out. NaN for one seed, or without variation.
        """
        runs, seeds = self.values.shape
        freedom = (runs - 1) * (seeds - 1)
        if not freedom or not np.isfinite(self.values).all():
            return math.nan, freedom
        scaled = np.ldexp(self.values, -power_of_two(self.values))
        rows, columns = scaled.mean(axis=1, keepdims=True), scaled.mean(axis=0, keepdims=True)
        square = float(np.square(scaled - rows - columns + scaled.mean()).sum() / freedom)
        return (square if math.sqrt(square) > EQUAL else math.nan), freedom

    def f_test(self, term: Term) -> FTest:
        """Return the F test of a term: its sum of squares after all other terms (type III) against the noise."""
        square, within = self.noise
        weights = self.inverse[self.places[term]]
        freedom = float(self.design.freedom(term)), within
        if math.isnan(square):
            return FTest(math.nan, freedom, math.nan)
        means = np.ldexp(self.values, -power_of_two(self.values)).mean(axis=1)
        found = weights @ means
        between = self.values.shape[1] * float(found @ np.linalg.solve(weights @ weights.T, found))
        statistic = between / freedom[0] / square
        return FTest(statistic, freedom, float(special.fdtrc(*freedom, statistic)))

    def without(self, unstable: Collection[str], term: Term, places: tuple[int, ...], otherwise: float) -> float:
        """Return the effect of levels from the variants without unstable runs; `otherwise` if there are none.

        The model holds the components and the term, as `contrasts_of_some`. NaN if these variants cannot estimate it.
        """
        if not unstable:
            return otherwise
        mains = [(name,) for name in self.design.factors]
        terms = mains if len(term) == 1 else [*mains, term]
        kept = np.array([name not in unstable for name in self.design.variants])
        matrix = self.design.matrix(terms)
        target = np.zeros(matrix.shape[1])
        row = self.design.effect_row(term[0], *places) if len(term) == 1 else self.design.synergy_row(term, *places)
        target[self.design.places(terms)[term]] = row
        weights = target @ np.linalg.pinv(matrix[kept]) if kept.any() else np.zeros(0)
        if not kept.any() or not np.allclose(weights @ matrix[kept], target, atol=TOLERANCE):
            return math.nan
        return float(weights @ self.values[kept].mean(axis=1))


def fit_levels(design: LevelDesign, model: Model, values: Floats) -> LevelFit:
    """Return the least-squares fit of a model to scores, variants x seeds."""
    matrix = design.matrix(model.terms)
    squares = matrix.T @ matrix
    orthogonal = np.allclose(squares, len(matrix) * np.eye(len(squares)), atol=TOLERANCE * len(matrix))
    inverse = matrix.T / len(matrix) if orthogonal else np.linalg.pinv(matrix)
    return LevelFit(design, model, values, np.asarray(inverse, dtype=np.float64))

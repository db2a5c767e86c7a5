"""Leave-one-out, add-one-in and Shapley values: the share of each component in the total difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike

from ablate.errors import UserError
from ablate.stats.attribution.synergies import arms_by_factors
from ablate.stats.effects.inference import Floats, paired_t
from ablate.stats.effects.seeds import Seed
from ablate.stats.effects.types import ALPHA, EQUAL

if TYPE_CHECKING:
    import pandas as pd

ShapleySource = Literal["full factorial", "half-sums"]
ResidualOutcome = Literal["higher interactions", "no sign of higher interactions", "inconclusive"]
ScoresBySet = dict[frozenset[str], Floats]  # by the enabled factors; one score per seed


@dataclass(frozen=True)
class Share:
    """The Shapley value, leave-one-out and add-one-in effect of one factor, with intervals over seeds.

    All three are gains from having the factor: v(full) - v(full without it), v(factor alone) - v(none), and their
    Shapley average.
    """

    factor: str
    shapley: float
    shapley_low: float
    shapley_high: float
    leave_one_out: float
    leave_one_out_low: float
    leave_one_out_high: float
    add_one_in: float
    add_one_in_low: float
    add_one_in_high: float


@dataclass(frozen=True)
class Residual:
    """The sum of the half-sums minus [v(full) - v(none)], which is 0 without interactions of three or more factors."""

    estimate: float
    low: float
    high: float
    n: int
    outcome: ResidualOutcome

    @property
    def description(self) -> str:
        """The outcome as a sentence."""
        if self.outcome == "higher interactions":
            return (
                "The sum shows interactions of three or more factors, so the half-sums are not Shapley values; a full "
                "factorial design would give them."
            )
        if self.outcome == "inconclusive":
            return "These seeds cannot show whether there are interactions of three or more factors."
        return "No sign of higher interactions in the sum (terms can cancel)."


@dataclass(frozen=True)
class Attribution:
    """The shares of all factors, the source of the Shapley values, the residual check, and v(full) - v(none)."""

    shares: tuple[Share, ...]
    source: ShapleySource
    residual: Residual
    total: float
    seeds: tuple[Seed, ...]


def shapley_source(design: pd.DataFrame) -> ShapleySource | None:
    """Return whether a design gives Shapley values from all 2^k runs, from half-sums, or not at all (None)."""
    factors = [str(name) for name in design.columns]
    rows = {tuple(row) for row in design.to_numpy(dtype=bool).tolist()}
    if len(rows) == 2 ** len(factors):
        return "full factorial"
    size = len(factors)
    single = {tuple(index == chosen for index in range(size)) for chosen in range(size)}
    needed = {(True,) * size, (False,) * size} | single | {tuple(not on for on in row) for row in single}
    return "half-sums" if needed <= rows else None


def shapley_values(values: ArrayLike) -> Floats:
    """Return Shapley's (1953) values of k players from v of all 2^k sets, shape (2^k, ...) -> (k, ...).

    Player i is in a set if bit i of the row number is set. phi_i = sum over S without i of
    |S|! (k - |S| - 1)!/k! [v(S + i) - v(S)].
    """
    table = np.asarray(values, dtype=np.float64)
    players = table.shape[0].bit_length() - 1
    if table.shape[0] != 2**players:
        raise ValueError(f"Expected one value per set of players, 2^k in all, not {table.shape[0]}")
    sets = np.arange(table.shape[0])
    sizes = np.array([int(number).bit_count() for number in sets])
    shares = []
    for player in range(players):
        without = sets[(sets >> player) & 1 == 0]
        weights = np.array([_weight(int(size), players) for size in sizes[without]])
        shares.append(np.tensordot(weights, table[without | (1 << player)] - table[without], axes=1))
    return np.array(shares)


def _weight(size: int, players: int) -> float:
    return 1 / (players * math.comb(players - 1, size))


def half_sums(full: ArrayLike, none: ArrayLike, without: ArrayLike, alone: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return leave-one-out, add-one-in, and their mean. `without` and `alone` have a leading axis of factors."""
    leave_one_out = np.asarray(full, dtype=np.float64) - np.asarray(without, dtype=np.float64)
    add_one_in = np.asarray(alone, dtype=np.float64) - np.asarray(none, dtype=np.float64)
    return leave_one_out, add_one_in, (leave_one_out + add_one_in) / 2


def attribute(design: pd.DataFrame, scores: pd.DataFrame, margin: float) -> Attribution:
    """Return Shapley values, leave-one-out, add-one-in and the residual check, over the seeds that all arms share.

    The Shapley values come from all 2^k runs if some seed has them, otherwise from the half-sums, which are equal
    without interactions of three or more factors. `design` and `scores` are as in `factorial_effects`. Raises UserError
    if the runs support neither.
    """
    factors = [str(name) for name in design.columns]
    source, values, seeds = _values(design, scores)
    full, none = values[frozenset(factors)], values[frozenset()]
    without = np.array([values[frozenset(factors) - {name}] for name in factors])
    alone = np.array([values[frozenset({name})] for name in factors])
    leave_one_out, add_one_in, shapley = half_sums(full, none, without, alone)
    tolerance = EQUAL * max(float(np.abs(scores_of_set).max()) for scores_of_set in values.values())
    residual = check_residual(shapley.sum(axis=0) - (full - none), margin, tolerance)
    if source == "full factorial":
        shapley = shapley_values(np.array([values[members] for members in _all_sets(factors)]))
    columns = [_interval(rows, tolerance) for rows in (shapley, leave_one_out, add_one_in)]
    shares = [Share(name, *(end for column in columns for end in column[i])) for i, name in enumerate(factors)]
    return Attribution(tuple(shares), source, residual, float((full - none).mean()), seeds)


def _values(design: pd.DataFrame, scores: pd.DataFrame) -> tuple[ShapleySource, ScoresBySet, tuple[Seed, ...]]:
    """Return the scores by set of enabled factors: all 2^k sets if some seed has them, else the corners."""
    factors = [str(name) for name in design.columns]
    arms = arms_by_factors(design, scores)
    if shapley_source(design) == "full factorial":
        values, seeds = _complete(arms, _all_sets(factors), scores)
        if seeds:
            return "full factorial", values, seeds
    every = frozenset(factors)
    single = [frozenset({name}) for name in factors]
    values, seeds = _complete(arms, [every, frozenset(), *single, *(every - one for one in single)], scores)
    if not seeds:
        raise UserError(
            "Shapley values need the full recipe, the bare recipe, and each factor left out and alone, at a common seed"
        )
    return "half-sums", values, seeds


def _all_sets(factors: Sequence[str]) -> list[frozenset[str]]:
    """Return all sets of factors. Factor i is in a set if bit i of its position is set."""
    numbers = range(2 ** len(factors))
    return [frozenset(name for bit, name in enumerate(factors) if number >> bit & 1) for number in numbers]


def _complete(
    arms: ScoresBySet, sets: Sequence[frozenset[str]], scores: pd.DataFrame
) -> tuple[ScoresBySet, tuple[Seed, ...]]:
    """Return the scores of these sets at the seeds that all of them share."""
    if any(members not in arms for members in sets):
        return {}, ()
    kept = ~np.isnan(np.array([arms[members] for members in sets])).any(axis=0)
    seeds = tuple(scores.columns[kept].tolist())
    return {members: arms[members][kept] for members in sets}, seeds


def _interval(values: Floats, tolerance: float) -> list[tuple[float, float, float]]:
    """Return mean and 95 % t interval over seeds (the last axis) by factor.

    The ends are NaN for one seed and for values that do not vary.
    """
    statistics = paired_t(values, margin=1.0, alpha=ALPHA, tolerance=tolerance)
    means = values.mean(axis=-1)
    return [(float(means[i]), float(statistics.low[i]), float(statistics.high[i])) for i in range(len(values))]


def check_residual(residuals: ArrayLike, margin: float, tolerance: float = 0.0) -> Residual:
    """Return the residual check from the residual at each seed.

    The outcome is "higher interactions" if the interval excludes 0, "no sign of higher interactions" if it is within
    the margin, and "inconclusive" otherwise. One seed, or equal residuals, have no interval: the outcome is "higher
    interactions" beyond the margin and "inconclusive" within it.
    """
    values = np.asarray(residuals, dtype=np.float64)
    statistics = paired_t(values, margin, tolerance=tolerance)
    estimate, low, high = float(statistics.delta), float(statistics.low), float(statistics.high)
    outcome: ResidualOutcome = "inconclusive"
    if low > 0 or high < 0 or (math.isnan(low) and abs(estimate) > margin):
        outcome = "higher interactions"
    elif -margin < low and high < margin:
        outcome = "no sign of higher interactions"
    return Residual(estimate, low, high, int(values.size), outcome)

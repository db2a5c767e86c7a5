"""Leave-one-out, add-one-in and Shapley: how much of the whole difference each component accounts for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike

from ablate.errors import UserError
from ablate.stats.attribution.aliasing import Floats
from ablate.stats.attribution.synergies import arms_by_factors
from ablate.stats.effects.inference import paired_t
from ablate.stats.effects.types import ALPHA

if TYPE_CHECKING:
    import pandas as pd

Source = Literal["full factorial", "half-sums"]
Outcome = Literal["higher interactions", "no sign of higher interactions", "cannot tell"]


@dataclass(frozen=True)
class Share:
    """One factor: its Shapley value beside leave-one-out and add-one-in, each with its interval over seeds.

    All three are what the factor *adds*: v(full) - v(full less it), v(it alone) - v(none), and their Shapley average.
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
    """The sum of the half-sums minus [v(full) - v(none)]: 0 where there are no interactions of three or more."""

    estimate: float
    low: float
    high: float
    n: int
    outcome: Outcome

    @property
    def words(self) -> str:
        """The outcome as a sentence."""
        if self.outcome == "higher interactions":
            return (
                "Interactions of three or more factors show in the sum: the half-sums are not the Shapley values here; "
                "the full factorial would give them."
            )
        if self.outcome == "cannot tell":
            return "These seeds cannot tell whether there are interactions of three or more factors."
        return "There is no sign of higher interactions in the sum (terms can cancel)."


@dataclass(frozen=True)
class Attribution:
    """The shares of all factors, where the Shapley values come from, the residual check, and v(full) - v(none)."""

    shares: tuple[Share, ...]
    source: Source
    residual: Residual
    total: float
    seeds: tuple[int, ...]


def attributable(design: pd.DataFrame) -> Source | None:
    """Whether a design gives Shapley values from all 2^k runs, from half-sums, or not at all (None)."""
    factors = [str(name) for name in design.columns]
    rows = {tuple(row) for row in design.to_numpy(dtype=bool).tolist()}
    if len(rows) == 2 ** len(factors):
        return "full factorial"
    size = len(factors)
    single = {tuple(place == chosen for place in range(size)) for chosen in range(size)}
    needed = {(True,) * size, (False,) * size} | single | {tuple(not on for on in row) for row in single}
    return "half-sums" if needed <= rows else None


def shapley_values(values: ArrayLike) -> Floats:
    """Shapley (1953) values of k players from v of all 2^k sets, shape (2^k, ...) -> (k, ...).

    Bit i of the row number says whether player i is in the set. phi_i = sum over S without i of
    |S|! (k - |S| - 1)!/k! [v(S + i) - v(S)].
    """
    table = np.asarray(values, dtype=np.float64)
    players = table.shape[0].bit_length() - 1
    if table.shape[0] != 2**players:
        raise ValueError(f"{table.shape[0]} values are not those of all sets of some players")
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
    """Leave-one-out, add-one-in, and their mean; `without` and `alone` have a leading axis of factors."""
    leave_one_out = np.asarray(full, dtype=np.float64) - np.asarray(without, dtype=np.float64)
    add_one_in = np.asarray(alone, dtype=np.float64) - np.asarray(none, dtype=np.float64)
    return leave_one_out, add_one_in, (leave_one_out + add_one_in) / 2


def attribute(design: pd.DataFrame, scores: pd.DataFrame, margin: float) -> Attribution:
    """Shapley values with leave-one-out, add-one-in and the residual check, over the seeds that all arms have.

    From all 2^k runs where some seed has them, else from the half-sums, which agree where no three factors interact.
    `design` and `scores` as for factorial_effects. Raises UserError where the design has neither.
    """
    factors = [str(name) for name in design.columns]
    source, values, seeds = _values(design, scores)
    full, none = values[frozenset(factors)], values[frozenset()]
    without = np.array([values[frozenset(factors) - {name}] for name in factors])
    alone = np.array([values[frozenset({name})] for name in factors])
    leave_one_out, add_one_in, shapley = half_sums(full, none, without, alone)
    residual = check_residual(shapley.sum(axis=0) - (full - none), margin)
    if source == "full factorial":
        shapley = shapley_values(np.array([values[members] for members in _all_sets(factors)]))
    columns = [_interval(rows) for rows in (shapley, leave_one_out, add_one_in)]
    shares = [Share(name, *(end for column in columns for end in column[i])) for i, name in enumerate(factors)]
    return Attribution(tuple(shares), source, residual, float((full - none).mean()), seeds)


def _values(design: pd.DataFrame, scores: pd.DataFrame) -> tuple[Source, dict[frozenset[str], Floats], tuple[int, ...]]:
    """The scores by set of factors that are on, from all 2^k sets if some seed has them, else the corners."""
    factors = [str(name) for name in design.columns]
    arms = arms_by_factors(design, scores)
    if attributable(design) == "full factorial":
        values, seeds = _complete(arms, _all_sets(factors), scores)
        if seeds:
            return "full factorial", values, seeds
    every = frozenset(factors)
    single = [frozenset({name}) for name in factors]
    values, seeds = _complete(arms, [every, frozenset(), *single, *(every - one for one in single)], scores)
    if not seeds:
        raise UserError(
            "Shapley values need the full recipe, the bare one, and each factor left out and alone, at a common seed"
        )
    return "half-sums", values, seeds


def _all_sets(factors: Sequence[str]) -> list[frozenset[str]]:
    """All sets of factors; bit i of the place says whether factor i is in."""
    numbers = range(2 ** len(factors))
    return [frozenset(name for bit, name in enumerate(factors) if number >> bit & 1) for number in numbers]


def _complete(
    arms: dict[frozenset[str], Floats], sets: Sequence[frozenset[str]], scores: pd.DataFrame
) -> tuple[dict[frozenset[str], Floats], tuple[int, ...]]:
    """The scores of these sets at the seeds that all of them have."""
    if any(members not in arms for members in sets):
        return {}, ()
    kept = ~np.isnan(np.array([arms[members] for members in sets])).any(axis=0)
    seeds = tuple(int(seed) for seed, keep in zip(scores.columns, kept, strict=True) if keep)
    return {members: arms[members][kept] for members in sets}, seeds


def _interval(values: Floats) -> list[tuple[float, float, float]]:
    """Mean and 95 % t interval over seeds (the last axis), by factor; NaN ends for one seed."""
    statistics = paired_t(values, margin=1.0, alpha=ALPHA)
    means = values.mean(axis=-1)
    return [(float(means[i]), float(statistics.low[i]), float(statistics.high[i])) for i in range(len(values))]


def check_residual(residuals: ArrayLike, margin: float) -> Residual:
    """The three outcomes, from the residual by seed.

    An interval that excludes 0 is flagged; one wholly within the margin shows no sign; else the seeds cannot tell. One
    seed has no interval: it is flagged beyond the margin, and cannot tell within.
    """
    values = np.asarray(residuals, dtype=np.float64)
    statistics = paired_t(values, margin)
    estimate, low, high = float(statistics.delta), float(statistics.low), float(statistics.high)
    outcome: Outcome = "cannot tell"
    if low > 0 or high < 0 or (values.size == 1 and abs(estimate) > margin):
        outcome = "higher interactions"
    elif -margin < low and high < margin:
        outcome = "no sign of higher interactions"
    return Residual(estimate, low, high, int(values.size), outcome)

"""Rank tests of levels with seeds as blocks: Friedman's, and Page's for a trend. Exact by permutation within blocks."""

from __future__ import annotations

import functools
import itertools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ablate.seeding import numpy_stream
from ablate.stats.effects.inference import Floats
from ablate.stats.effects.types import EQUAL

RANDOM_PERMUTATIONS = 50_000
MOST_STATES = 60_000
"""Sums of ranks times orders of a block up to which Friedman's test is exact."""

MOST_LEVELS_EXACT = 7
"""Levels, with 5,040 orders in a block, up to which the tests are exact."""

Ranks = NDArray[np.int64]


class RankTest(NamedTuple):
    """A statistic and its p-value. Both are NaN without a test."""

    statistic: float
    p: float


def friedman(scores: ArrayLike) -> RankTest:
    """Return Friedman's (1937) test that all levels have equal scores: chi-square with a correction for ties, and p.

    p is the share of the orders within blocks whose statistic is at least as large. It is exact for few levels and
    blocks; otherwise from 50,000 random orders, (1 + extreme) / 50,001 (Phipson and Smyth, 2010). Both are NaN for
    fewer than three levels or two blocks, and if no block varies.

    Args:
        scores: Scores, blocks x levels. Infinite scores are the lowest or highest of their block.
    """
    ranks = _doubled_ranks(scores)
    n, k = ranks.shape
    if n < 2 or k < 3 or not np.ptp(ranks, axis=1).any():
        return RankTest(math.nan, math.nan)
    squares = int(np.square(ranks.sum(axis=0)).sum())
    least = n * n * k * (k + 1) ** 2  # the sum of squares of equal sums of doubled ranks
    within = int(np.square(ranks).sum()) - n * k * (k + 1) ** 2
    statistic = (k - 1) * (squares - least) / within
    exact = _exact_friedman(ranks, squares) if k <= MOST_LEVELS_EXACT else None
    return RankTest(statistic, _random_friedman(ranks, squares) if exact is None else exact)


def smallest_friedman_p(blocks: int, levels: int) -> float:
    """Return the smallest p of Friedman's test without ties: all blocks have the same order."""
    return float(math.factorial(levels) ** (1.0 - blocks))


def smallest_page_p(blocks: int, levels: int) -> float:
    """Return the smallest p of Page's test without ties: all blocks have the order of the levels, or its reverse."""
    return float(2 * math.factorial(levels) ** -float(blocks))


def page(scores: ArrayLike) -> RankTest:
    """Return Page's (1963) test of a monotone trend over the levels in their order, in both directions.

    The statistic is the mean over blocks of Spearman's correlation of the scores with the levels, which grows with
    Page's L. p is twice the smaller tail, exact up to seven levels and from 50,000 random orders for more. Both are NaN
    for fewer than three levels or two blocks, and if no block varies.

    Args:
        scores: Scores, blocks x levels. Infinite scores are the lowest or highest of their block.
    """
    ranks = _doubled_ranks(scores)
    n, k = ranks.shape
    varying = ranks[np.ptp(ranks, axis=1) > 0] if k else ranks
    if n < 2 or k < 3 or not len(varying):
        return RankTest(math.nan, math.nan)
    places = 2 * np.arange(1, k + 1, dtype=np.int64)
    observed = int((ranks @ places).sum())
    middle = places - (k + 1)
    correlations = (varying - (k + 1)) @ middle / np.sqrt(np.square(varying - (k + 1)).sum(axis=1) * (middle @ middle))
    tails = _exact_page(ranks, observed) if k <= MOST_LEVELS_EXACT else _random_page(ranks, places, observed)
    return RankTest(float(correlations.sum()) / n, min(1.0, 2 * min(tails)))


def _doubled_ranks(scores: ArrayLike) -> Ranks:
    """Return twice the ranks within blocks, integers also for ties, which share their mean rank.

    Scores are tied up to rounding errors (see `types.EQUAL`).
    """
    values = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    tolerance = EQUAL * np.abs(values[np.isfinite(values)]).max(initial=0.0)
    order = np.argsort(values, axis=1, kind="stable")
    ascending = np.take_along_axis(values, order, axis=1)
    distinct = np.zeros(values.shape, dtype=np.int64)
    distinct[:, 1:] = np.cumsum(ascending[:, 1:] > ascending[:, :-1] + tolerance, axis=1)
    groups = np.empty_like(distinct)
    np.put_along_axis(groups, order, distinct, axis=1)
    one, other = groups[:, :, None], groups[:, None, :]
    return np.asarray(2 * (one > other).sum(axis=2) + (one == other).sum(axis=2) + 1, dtype=np.int64)


@functools.lru_cache(maxsize=64)
def _orders(block: tuple[int, ...]) -> tuple[Ranks, Floats]:
    """Return the different orders of a block's ranks, and the share of each."""
    every = np.array(list(itertools.permutations(block)), dtype=np.int64)
    orders, counts = np.unique(every, axis=0, return_counts=True)
    return orders, counts / counts.sum()


def _exact_friedman(ranks: Ranks, squares: int) -> float | None:
    """Return the share of orders whose sum of squared rank sums reaches `squares`; None if there are too many."""
    found = _friedman_distribution(_blocks(ranks))
    return None if found is None else min(1.0, float(found[1][found[0] >= squares].sum()))


def _blocks(ranks: Ranks) -> tuple[tuple[int, ...], ...]:
    """Return the ranks of each block in ascending order: the distribution of a test depends on them only."""
    return tuple(sorted(tuple(sorted(block)) for block in ranks.tolist()))


@functools.lru_cache(maxsize=64)
def _friedman_distribution(blocks: tuple[tuple[int, ...], ...]) -> tuple[Ranks, Floats] | None:
    """Return the sums of squared rank sums over all orders, and the share of each; None if there are too many.

    The statistic does not depend on the order of the levels, so sums of ranks are kept in ascending order.
    """
    sums = np.array([blocks[0]], dtype=np.int64)
    shares: Floats = np.ones(1)
    for block in blocks[1:]:
        orders, weights = _orders(block)
        if len(sums) * len(orders) > MOST_STATES:
            return None
        added = np.sort((sums[:, None] + orders[None]).reshape(-1, len(block)), axis=1)
        sums, places = np.unique(added, axis=0, return_inverse=True)
        shares = np.asarray(np.bincount(places.ravel(), np.outer(shares, weights).ravel()), dtype=np.float64)
    return np.square(sums).sum(axis=1), shares


def _random_friedman(ranks: Ranks, squares: int) -> float:
    generator = numpy_stream(0, "friedman")
    sums = np.zeros((RANDOM_PERMUTATIONS, ranks.shape[1]), dtype=np.int64)
    for block in ranks:
        sums += generator.permuted(np.tile(block, (RANDOM_PERMUTATIONS, 1)), axis=1)
    extreme = int((np.square(sums).sum(axis=1) >= squares).sum())
    return (1 + extreme) / (1 + RANDOM_PERMUTATIONS)


def _exact_page(ranks: Ranks, observed: int) -> tuple[float, float]:
    """Return the shares of orders whose sum of products with the places is at most, and at least, the observed."""
    lowest, shares = _page_distribution(_blocks(ranks))
    at = observed - lowest
    return float(shares[: at + 1].sum()), float(shares[at:].sum())


@functools.lru_cache(maxsize=64)
def _page_distribution(blocks: tuple[tuple[int, ...], ...]) -> tuple[int, Floats]:
    """Return the smallest sum of products of ranks and places, and the share of orders of it and each larger sum."""
    places = 2 * np.arange(1, len(blocks[0]) + 1, dtype=np.int64)
    shares: Floats = np.ones(1)
    lowest = 0
    for block in blocks:
        orders, weights = _orders(block)
        products = orders @ places
        lowest += int(products.min())
        shares = np.convolve(shares, np.bincount(products - products.min(), weights))
    return lowest, shares


def _random_page(ranks: Ranks, places: Ranks, observed: int) -> tuple[float, float]:
    generator = numpy_stream(0, "page")
    sums = np.zeros(RANDOM_PERMUTATIONS, dtype=np.int64)
    for block in ranks:
        sums += generator.permuted(np.tile(block, (RANDOM_PERMUTATIONS, 1)), axis=1) @ places
    extreme = int((sums <= observed).sum()), int((sums >= observed).sum())
    low, high = ((1 + count) / (1 + RANDOM_PERMUTATIONS) for count in extreme)
    return low, high

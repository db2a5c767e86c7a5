"""Fractions of factorial designs whose components have different numbers of levels: orthogonal arrays, found by search.

A fraction has strength t if every t components have all combinations of their levels equally often. Its resolution is
t + 1: at resolution III, main effects are orthogonal to each other; at IV, also to the interactions of pairs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from ablate.errors import UsageError
from ablate.studies.array_search import Rows, every_combination, search
from ablate.studies.fractions import CUSTOMARY, LETTERS, find_generators
from ablate.wording import count

MOST_CANDIDATES = 50_000
"""Combinations among which a fraction is searched."""

HIGHEST = 5
"""The highest resolution that is searched."""

WORK = 400_000_000
"""Numbers that the searches for a fraction may compute, a few seconds; each search has half of what is left."""


def level_fraction(sizes: Sequence[int], resolution: int = CUSTOMARY, runs: int | None = None) -> Rows:
    """Return the smallest fraction with this resolution that the search finds, or the best fraction with `runs` runs.

    The first run has the level 0 of every component. If no fraction has the resolution, all combinations are returned.
    A given number of runs that allows no orthogonal array gives a nearly orthogonal fraction: the one with the smallest
    sum of squared correlations between main effects, with the mean and with each other (Xu and Wu, 2001).

    Args:
        sizes: The number of levels of each component.
        resolution: The resolution; ignored with `runs`.
        runs: The number of runs.

    Raises:
        UsageError: For an impossible resolution or number of runs, or too many combinations.
    """
    total = math.prod(sizes)
    if total > MOST_CANDIDATES:
        raise UsageError(
            f"A fraction with levels is chosen from at most {MOST_CANDIDATES:,} combinations, not {total:,}. Vary "
            "fewer components or levels, or one at a time with the design 'leave-one-out'"
        )
    if runs is not None:
        return _of_size(sizes, runs)
    if resolution > max(len(sizes), CUSTOMARY):
        raise UsageError(
            f"A fraction of {count(len(sizes), 'component')} has a resolution of at most {len(sizes)}, not "
            f"{resolution}. Choose a lower one, or all {total} combinations with the design 'factorial'"
        )
    return _smallest(sizes, min(resolution, HIGHEST) - 1)


def _smallest(sizes: Sequence[int], strength: int) -> Rows:
    """Return the smallest fraction of a strength that is found: by search, or as the product of fractions."""
    best, left = _product(sizes, strength), WORK
    for number in _possible_sizes(sizes, strength, len(best)):
        found, defect, work = search(sizes, number, strength, left // 2)
        left -= work
        if not defect:
            return found
    return best


def _product(sizes: Sequence[int], strength: int) -> Rows:
    """Return each run of a fraction of the components with one number of levels with each run of the others."""
    groups = {size: [place for place, other in enumerate(sizes) if other == size] for size in sizes}
    parts = {size: _equal_levels(size, len(places), strength, len(groups) > 1) for size, places in groups.items()}
    rows = []
    for chosen in itertools.product(*parts.values()):
        row = [0] * len(sizes)
        for places, part in zip(groups.values(), chosen, strict=True):
            for place, level in zip(places, part, strict=True):
                row[place] = level
        rows.append(tuple(row))
    return tuple(sorted(rows))


def _equal_levels(size: int, components: int, strength: int, is_part: bool) -> Rows:
    """Return a fraction of components with the same number of levels: a linear one for a prime number of levels.

    Others have all combinations, unless they are a part of a fraction: the caller searches.
    """
    if components <= strength:
        return every_combination((size,) * components)
    if size > 2 and not all(size % factor for factor in range(2, size)):
        return _smallest((size,) * components, strength) if is_part else every_combination((size,) * components)
    columns = _two_level_columns(components, strength) if size == 2 else _prime_columns(size, components, strength)
    basic = every_combination((size,) * len(columns[0]))
    rows = (tuple(sum(map(math.prod, zip(column, row, strict=True))) % size for column in columns) for row in basic)
    return tuple(sorted(rows))


def _two_level_columns(components: int, strength: int) -> list[tuple[int, ...]]:
    """Return the weights of the basic components in each component of a fraction by generators."""
    generators = find_generators(components, strength + 1, None)
    letters = LETTERS[: components - len(generators)]
    return [tuple(int(letter in word) for letter in letters) for word in (*letters, *generators)]


def _prime_columns(size: int, components: int, strength: int) -> list[tuple[int, ...]]:
    """Return the weights of the basic components, modulo a prime number of levels, in each component of a fraction.

    The fraction has the strength if so many columns are always linearly independent. Columns are added in
    lexicographic order (Gilbert and Varshamov, 1952), for the smallest number of basic components that has enough.
    """
    for basic in range(strength, components + 1):
        columns: list[tuple[int, ...]] = []
        excluded = [{(0,) * basic}]  # sums of multiples of at most 0, 1, ... strength - 1 columns
        excluded += [set(excluded[0]) for _ in range(strength - 1)]
        for column in every_combination((size,) * basic):
            if column in excluded[-1] or len(columns) == components:
                continue
            columns.append(column)
            multiples = [tuple(factor * one % size for one in column) for factor in range(1, size)]
            for fewer in range(strength - 1, 0, -1):
                excluded[fewer] |= {
                    tuple((one + other) % size for one, other in zip(known, multiple, strict=True))
                    for known in excluded[fewer - 1]
                    for multiple in multiples
                }
        if len(columns) == components:
            return columns
    return [tuple(int(place == own) for place in range(components)) for own in range(components)]


def _of_size(sizes: Sequence[int], runs: int) -> Rows:
    """Return the fraction of a size with the highest strength, or the nearest to one of strength 2."""
    total, least = math.prod(sizes), 1 + sum(size - 1 for size in sizes)
    if not least <= runs <= total:
        levels = " x ".join(map(str, sizes))
        raise UsageError(f"A fraction of {levels} levels has {least} to {total} runs, not {runs}")
    if runs == total:
        return every_combination(sizes)
    for strength in range(min(HIGHEST - 1, len(sizes) - 1), 2, -1):
        if runs % _unit(sizes, strength) == 0:
            found, defect, _ = search(sizes, runs, strength, WORK // 4)
            if not defect:
                return found
    found, *_ = search(sizes, runs, min(2, len(sizes)), WORK // 2)
    if not _separates(found, sizes):
        raise UsageError(f"No fraction of {runs} runs separates the components. Choose more runs")
    return found


def _unit(sizes: Sequence[int], strength: int) -> int:
    """Return the number of which the runs of a fraction with this strength are a multiple."""
    return math.lcm(*(math.prod(chosen) for chosen in itertools.combinations(sizes, strength)))


def _possible_sizes(sizes: Sequence[int], strength: int, end: int) -> range:
    """Return the numbers of runs below `end` that a fraction with this strength can have."""
    if strength >= len(sizes):
        return range(0)
    unit = _unit(sizes, strength)
    least = 1 + sum(size - 1 for size in sizes)  # coefficients of the mean and the main effects
    if strength > 2:  # one component is added to a fraction of the others, once per level (Rao, 1947)
        least = max(size * (least - size + 1) for size in sizes)
    return range(unit * math.ceil(least / unit), end, unit)


def _separates(rows: Rows, sizes: Sequence[int]) -> bool:
    """Return whether the main effects can be estimated apart."""
    import numpy as np

    table = np.array(rows)
    places = [(place, level) for place, size in enumerate(sizes) for level in range(1, size)]
    columns = [np.ones(len(table)), *((table[:, place] == level).astype(np.float64) for place, level in places)]
    return bool(np.linalg.matrix_rank(np.column_stack(columns)) == len(columns))

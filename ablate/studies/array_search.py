"""Search for orthogonal and nearly orthogonal arrays by exchanging runs, with the same result on every machine."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Places = NDArray[np.int64]

Rows = tuple[tuple[int, ...], ...]
"""The place of each component's level in each run; 0 is the baseline's level."""

TRIES = 120
"""Random starts of a search."""

ENOUGH = 12
"""Fractions of the wanted strength from which the one with the least aliasing is chosen."""

PATIENCE = 6
"""Passes over all runs without an improvement that end a try."""


def every_combination(sizes: Sequence[int]) -> Rows:
    """Return all combinations of levels, the baseline's first."""
    return tuple(itertools.product(*map(range, sizes)))


def search(sizes: Sequence[int], runs: int, strength: int, most: int) -> tuple[Rows, int, int]:
    """Return the best fraction of several tries, its defect, and the work: how many numbers were computed.

    The defect of an orthogonal array of this strength is 0; among these, the one with the least aliasing at the next
    higher order is returned. The first run has the level 0 of every component.

    Args:
        sizes: The number of levels of each component.
        runs: The number of runs.
        strength: The wanted strength.
        most: The work after which no other try starts.
    """
    import numpy as np

    candidates = np.array(every_combination(sizes), dtype=np.int64)
    chance, found, work = random.Random(0), list[tuple[int, int, Rows]](), 0  # noqa: S311  # a search, no secret
    for _ in range(TRIES):
        chosen, defect, cost = _improved(candidates, sizes, (runs, strength), chance)
        work += cost
        rows = candidates[np.sort(chosen)]
        further = _defect(rows, sizes, strength + 1) if strength < len(sizes) else 0
        found.append((defect, further, tuple(map(tuple, rows.tolist()))))
        if work > most or sum(not one for one, _, _ in found) >= ENOUGH:
            break
    defect, _, best = min(found)
    return best, defect, work


def _improved(
    candidates: Places, sizes: Sequence[int], wanted: tuple[int, int], chance: random.Random
) -> tuple[list[int], int, int]:
    """Return a random choice of candidates after exchanging each for the best other one, its defect, and the work.

    All numbers are integers and come from `Random.random`, so the result is the same on every machine.
    """
    import numpy as np

    runs, strength = wanted
    order = sorted(range(1, len(candidates)), key=lambda _: chance.random())
    chosen = [0, *order[: runs - 1]]
    alike = np.stack([_likeness(candidates, place, sizes, strength) for place in chosen])
    sums, own = alike.sum(axis=0), int(alike[0, 0])
    free = np.ones(len(candidates), dtype=bool)
    free[chosen] = False
    defect, idle, work = int(sums[chosen].sum()), 0, alike.size * len(sizes)
    while defect and idle < PATIENCE:
        idle, work = idle + 1, work + 4 * alike.size
        for number in sorted(range(1, runs), key=lambda _: chance.random()):
            costs = np.where(free, sums - alike[number], np.iinfo(np.int64).max)
            least = int(costs.min())
            change = 2 * (least - int(sums[chosen[number]]) + own)
            if change > 0:
                continue
            equal = np.flatnonzero(costs == least)
            new = int(equal[int(chance.random() * len(equal))])
            likeness = _likeness(candidates, new, sizes, strength)
            sums += likeness - alike[number]
            free[[chosen[number], new]] = True, False
            alike[number] = likeness
            chosen[number], defect = new, defect + change
            idle, work = (0 if change < 0 else idle), work + len(candidates) * len(sizes) * strength
    return chosen, defect, work


def _likeness(candidates: Places, place: int, sizes: Sequence[int], strength: int) -> Places:
    """Return a number for each candidate and the one at `place`, whose sum over all pairs of runs is the defect.

    It is the sum over all sets of one to `strength` components of the product of (levels - 1) for a component with
    equal levels and of -1 for the others. The sum over the pairs of runs is n^2 times that of the squared
    correlations of these terms with the mean (the generalised word-length pattern of Xu and Wu, 2001).
    """
    import numpy as np

    terms: list[Places] = [np.ones(len(candidates), dtype=np.int64)]
    terms += [np.zeros(len(candidates), dtype=np.int64) for _ in range(strength)]
    for component, size in enumerate(sizes):
        equal = candidates[:, component] == candidates[place, component]
        factor = np.where(equal, np.int64(size - 1), np.int64(-1))
        for order in range(strength, 0, -1):
            terms[order] += factor * terms[order - 1]
    return np.asarray(sum(terms[1:]), dtype=np.int64)


def _defect(rows: Places, sizes: Sequence[int], strength: int) -> int:
    """Return the defect of a fraction at a strength."""
    return int(sum(_likeness(rows, place, sizes, strength).sum() for place in range(len(rows))))

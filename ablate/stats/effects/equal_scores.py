"""Scores that are equal to the last digit more often than by chance: copied runs, or a seed or switch without effect.

The score of independent runs repeats by chance if it is coarse for its spread. The expected number of equal pairs is
that of normal scores on their grid; far more of them are reported.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from ablate.stats.effects.seeds import Seed, spans

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHANCE = 1e-5
"""Probability of as many equal pairs up to which they are reported."""

_LEAST = 2
"""Equal pairs below which nothing is reported."""

_MOST_ARMS = 40
_MOST_SCORES = 20_000
_TOLERANCE = 2e-7
"""Share of the largest score below which a step may be a rounding error of 32 bits."""

_REGULAR = 8
"""Smallest gap between scores, as a multiple of the one expected of random scores, from which they are on a grid."""

_FEW = 0.4
"""Share of distinct scores up to which rounded scores may belong to a metric with few values."""

_COARSE = 0.05
"""Probability that two scores are equal by chance above which equal scores mean nothing."""


def equal_scores(arms: Mapping[str, Mapping[Seed, float]]) -> list[str]:
    """Return a phrase for each arm, and each two arms, whose scores are equal more often than by chance.

    Args:
        arms: The finite scores of stable runs, by arm and seed. Arms with one score only are left out, and pairs of
            arms that are equal at every seed of both, which other sentences name, unless they differ from the first.
    """
    found = {name: scores for name, scores in arms.items() if len(scores) > _LEAST and len({*scores.values()}) > 1}
    every = np.array([score for scores in found.values() for score in scores.values()])
    if not 0 < len(every) <= _MOST_SCORES or (step := _step(every)) is None:
        return []
    kept = {name: _without_limits(scores, every) for name, scores in found.items()}
    phrases = _seeds(kept, step)
    phrases = phrases or [phrase for name, scores in kept.items() if (phrase := _within(name, scores, step))]
    pairs = itertools.combinations(list(kept)[:_MOST_ARMS], 2)
    return phrases + [phrase for one, other in pairs if (phrase := _between(one, other, kept, step))]


def _step(scores: NDArray[np.float64]) -> float | None:
    """Return the step of a grid that holds all scores, or without one the smallest positive step.

    None for rounded scores with few distinct values: whether rounding or the metric makes them equal is unknown.
    """
    values = np.unique(scores)
    smallest = _TOLERANCE * float(np.abs(values).max())
    gaps = np.diff(values)
    gaps = gaps[gaps > smallest]
    if len(gaps) and gaps.min() > _REGULAR * np.median(gaps) / len(gaps):  # as of shares of 297 items, rounded
        return float(gaps.min())
    shares = gaps.min() / np.arange(1, 51) if len(gaps) else []
    decimals = [10.0**-places for places in range(7)]
    for step in [*shares, *decimals]:
        ratios = (values - (values[0] if step not in decimals else 0)) / step
        if step > smallest and np.abs(ratios - np.round(ratios)).max() < 0.02:
            return float(step) if len(values) > _FEW * len(scores) else None
    return smallest


def _without_limits(scores: Mapping[Seed, float], every: NDArray[np.float64]) -> dict[Seed, float]:
    """Return scores without a round best or worst one of the study (500, 0.1), which many runs may reach."""
    limits = {limit for limit in (every.min(), every.max()) if float(f"{limit:.1e}") == limit}
    return {seed: score for seed, score in scores.items() if score not in limits}


def _within(name: str, scores: Mapping[Seed, float], step: float) -> str:
    seeds_of: dict[float, list[Seed]] = {}
    for seed, score in scores.items():
        seeds_of.setdefault(score, []).append(seed)
    equal = sum(math.comb(len(seeds), 2) for seeds in seeds_of.values())
    chance = _chance(step, _spread([*seeds_of]))
    if not _is_beyond_chance(equal, math.comb(len(scores), 2), chance):
        return ""
    repeated = {score: seeds for score, seeds in seeds_of.items() if len(seeds) > 1}
    score, seeds = max(repeated.items(), key=lambda item: len(item[1]))
    others = f", and {len(repeated) - 1} more" if len(repeated) > 1 else ""
    return f"{name} has {score:.6g} at seeds {spans(seeds)}{others}"


def _seeds(arms: Mapping[str, Mapping[Seed, float]], step: float) -> list[str]:
    """Return which seeds have equal scores in every arm."""
    first = next(iter(arms.values()))
    seeds = [seed for seed in first if all(seed in scores for scores in arms.values())]
    seeds_of: dict[tuple[float, ...], list[Seed]] = {}
    for seed in seeds:
        seeds_of.setdefault(tuple(scores[seed] for scores in arms.values()), []).append(seed)
    alike = [found for found in seeds_of.values() if len(found) > 1]
    equal = sum(math.comb(len(found), 2) for found in alike)
    varying = max(_spread([scores[seed] - first[seed] for seed in seeds]) for scores in arms.values())
    by_chance = _chance(step, _spread([first[seed] for seed in seeds])) * _chance(step, varying)
    if varying == 0 or not _is_beyond_chance(equal, math.comb(len(seeds), 2), by_chance):
        return []
    same = "; ".join(spans(found) for found in alike[:3])
    return [f"the seeds {same}{'; ...' if len(alike) > 3 else ''} are equal in every variant"]


def _between(one: str, other: str, arms: Mapping[str, Mapping[Seed, float]], step: float) -> str:
    """Return what two arms have in common: scores of the same seeds, or else of other seeds."""
    mine, theirs = arms[one], arms[other]
    shared = [seed for seed in mine if seed in theirs]
    differences = np.array([theirs[seed] - mine[seed] for seed in shared])
    equal = [seed for seed, difference in zip(shared, differences, strict=True) if difference == 0]
    spread = min(_spread([*mine.values()]), _spread([*theirs.values()]))
    if len(equal) == len(shared) > 0:
        first = next(iter(arms.values()))
        is_named = mine is first or any(first.get(seed) == mine[seed] for seed in shared)
        is_chance = not _is_beyond_chance(len(equal), len(equal), _chance(step, spread))
        return "" if is_named or is_chance else f"{one} and {other} are equal at every seed"
    size = float(np.sqrt(np.mean(differences[differences != 0] ** 2))) if shared else 0.0
    if size > spread / 2 and _is_beyond_chance(len(equal), len(shared), _chance(step, size)):
        return f"{one} and {other} are equal at seeds {spans(equal)}"
    known = Counter(mine.values())
    alike = sum(known[score] for score in theirs.values()) - len(equal)
    if _is_beyond_chance(alike, len(mine) * len(theirs) - len(shared), _chance(step, spread)):
        return f"{one} and {other} have {alike} scores of different seeds in common"
    return ""


def _spread(scores: Sequence[float]) -> float:
    """Return the standard deviation of the distinct scores, or that of their middle half if it is smaller."""
    values = np.unique(scores)
    if len(values) < 2:
        return 0.0
    low, high = np.percentile(values, [25, 75])
    return float(min(np.std(values, ddof=1), (high - low) / 1.35))


def _chance(step: float, spread: float) -> float:
    """Return twice the probability that two normal scores on a grid are equal, since others may be less spread."""
    return min(1.0, step / (math.sqrt(math.pi) * spread)) if spread else 1.0


def _is_beyond_chance(equal: int, pairs: int, chance: float) -> bool:
    """Return whether so many equal pairs have a negligible probability under Poisson's distribution."""
    if equal < _LEAST or chance > _COARSE:
        return False
    return bool(special.pdtrc(equal - 1, pairs * chance) < _CHANCE)

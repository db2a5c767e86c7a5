"""Coarse scores: whether scores with steps above the margin can show that a difference is within it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from ablate.stats.effects.criteria import PValues
from ablate.stats.effects.inference import Floats, PairedT, always_valid_half_width, quantile
from ablate.stats.effects.power import MOST_SEEDS, SeedsRange, power_of_paired_t, seeds_needed
from ablate.stats.effects.types import POWER

STEPS_IN_MARGIN = 10
"""Steps of the mean difference, step / n, that the margin must exceed."""

TIED = 0.01
"""Share of the margin up to which differences count as equal."""

OFF_GRID = 1 / 3
"""Largest number of differences that are neither equal nor beyond the margin, per equal one."""


def usual_step(differences: ArrayLike, margin: float) -> float:
    """Return the step of coarse scores, above the margin; 0 if the scores are not coarse.

    Differences of coarse scores equal their median or differ from it by more than the margin. Only a few may be in
    between: no more than those beyond the margin, and no more than a third of those that equal the median. The step is
    the smallest distance beyond the margin, of nearly equal ones the largest.

    Args:
        differences: Differences between two variants at the seeds that the comparison uses; one row for each two
            variants if it uses more. Those that are not finite are left out.
        margin: The smallest difference that matters.
    """
    rows = [row[np.isfinite(row)] for row in np.atleast_2d(np.asarray(differences, dtype=np.float64))]
    distances = np.concatenate([np.zeros(0), *(np.abs(row - _low_median(row)) for row in rows if len(row))])
    beyond = distances[distances > margin * (1 + 1e-9)]
    equal = np.sum(distances <= TIED * margin)
    between = len(distances) - len(beyond) - equal
    if not len(beyond) or between > min(len(beyond), OFF_GRID * equal):
        return 0.0
    return float(beyond[beyond <= beyond.min() + TIED * margin].max())


def _low_median(values: Floats) -> float:
    """Return the median, of an even number of values the lower one of the two in the middle."""
    middle = (len(values) - 1) // 2
    return float(np.partition(values, middle)[middle])


def bars_equivalence(statistics: PairedT, p: PValues, step: float, margin: float, extended: bool) -> bool:
    """Return whether scores are too coarse for a verdict of equivalence.

    With few seeds and steps above the margin, most differences can be equal by chance: the SD is then far too small and
    the t test too certain. Equivalence needs a margin of more than ten steps of the mean difference, and a test
    that holds with the smallest SD that a true difference equal to the margin allows (`least_sd`).

    Args:
        statistics: The statistics of the comparison.
        p: Its error rate and the size of its family.
        step: The step of coarse scores (`usual_step`); 0 for others.
        margin: The smallest difference that matters.
        extended: Whether seeds were added after a report.
    """
    if step <= margin:
        return False
    n, sd, alpha = statistics.n, least_sd(step, margin), p.alpha / p.comparisons
    if n < _seeds_for_steps(step, margin):
        return True
    if sd <= float(statistics.sd):
        return False
    half = always_valid_half_width(sd, n, alpha) if extended else quantile(1 - alpha, n - 1) * sd / math.sqrt(n)
    return abs(float(statistics.delta)) + half >= margin


def least_sd(step: float, margin: float) -> float:
    """Return the smallest SD of differences in whole steps, above the margin, whose mean is the margin.

    It is that of differences of 0 and one step: sqrt(margin (step - margin)).
    """
    return math.sqrt(margin * (step - margin))


def is_enough(n: int, step: float, margin: float, comparisons: int, alpha: float) -> bool:
    """Return whether n seeds can show equivalence with steps above the margin, whatever the SD of their differences."""
    if n < _seeds_for_steps(step, margin):
        return False
    return power_of_paired_t(margin / least_sd(step, margin), n, alpha / comparisons) >= POWER


def seeds_for_coarse(step: float, margin: float, comparisons: int, alpha: float) -> int | None:
    """Return the seeds that scores with steps above the margin need at least. None is more than MOST_SEEDS."""
    by_sd = seeds_needed(margin, least_sd(step, margin), comparisons, alpha)
    by_steps = _seeds_for_steps(step, margin)
    return None if by_sd is None or by_steps > MOST_SEEDS else max(by_sd, by_steps)


def at_least(needed: SeedsRange, least: int | None) -> SeedsRange:
    """Return a range of seeds needed with its ends raised to `least`, where None is more than MOST_SEEDS."""
    low, high = (None if end is None or least is None else max(end, least) for end in needed)
    return SeedsRange(low, high)


def _seeds_for_steps(step: float, margin: float) -> int:
    """Return the smallest number of seeds at which the margin exceeds ten steps of the mean difference."""
    return math.floor(STEPS_IN_MARGIN * step / margin * (1 + 1e-5)) + 1  # rounding errors do not lower it

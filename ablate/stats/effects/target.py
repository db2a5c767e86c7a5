"""Does the mean of an arm reach a target? One-sided t tests, and how many more runs they would take."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from ablate.stats.effects.inference import Floats, moments, quantile, upper_tail
from ablate.stats.effects.multiple_comparisons import holm
from ablate.stats.effects.power import MIN_SEEDS_FOR_RANGE, MOST_SEEDS, SD_LEVEL, SeedsRange, noncentral_tail
from ablate.stats.effects.types import ALPHA, EQUAL, MIN_SEEDS, POWER

REACHED, NOT_SHOWN, TOO_FEW = "reached", "not shown", "too few runs"
NO_VARIATION, UNSTABLE = "no variation", "unstable"


@dataclass(frozen=True)
class TargetResult:
    """Whether the mean of an arm is better than a target.

    Attributes:
        variant: The arm.
        n: Number of runs.
        n_unstable: Number of unstable runs among them.
        mean: Mean score.
        sd: Standard deviation.
        bound: One-sided 95 % bound of the mean: from below if higher is better, otherwise from above.
        p: One-sided p-value of the t test that the mean is not better than the target.
        p_holm: The same after Holm's correction over the arms.
        more: Further runs that show it with probability .8 if the true mean is the observed one; None if the mean is
            not better than the target, it is shown already, or fewer than 5 runs estimate the SD.
        verdict: "reached", "not shown", "too few runs", "no variation" or "unstable", the first two with prefixes.
    """

    variant: str
    n: int
    n_unstable: int
    mean: float
    sd: float
    bound: float
    p: float
    p_holm: float
    more: SeedsRange | None
    verdict: str

    @property
    def is_reached(self) -> bool:
        """Whether the mean is shown to be better than the target."""
        return self.verdict.endswith(REACHED)


def target_t(scores: ArrayLike, target: float, better: int, alpha: float = ALPHA) -> tuple[Floats, Floats]:
    """Return the one-sided p-value that the mean is not better than the target, and the bound of the mean.

    Args:
        scores: Scores by run, shape (..., n).
        target: The target.
        better: +1 if higher is better, else -1.
        alpha: Error rate of the bound.
    """
    values = np.asarray(scores, dtype=np.float64)
    n = values.shape[-1]
    if n < 2:
        unknown = np.full(values.shape[:-1], np.nan)
        return unknown, unknown
    mean, sd = moments(values)
    error = np.where(sd > EQUAL * np.abs(values).max(axis=-1), sd, np.nan) / math.sqrt(n)
    return upper_tail(better * (mean - target) / error, n - 1), mean - better * quantile(1 - alpha, n - 1) * error


def target_results(
    arms: Mapping[str, Sequence[float]],
    target: float,
    better: int,
    unstable: Mapping[str, int],
    *,
    planned: bool = True,
) -> list[TargetResult]:
    """Return the result of each arm, with Holm's correction over the arms.

    Args:
        arms: Scores of the runs by arm.
        target: The target, in the unit of the scores.
        better: +1 if higher is better, else -1.
        unstable: Number of unstable runs by arm.
        planned: Whether the comparison with the target was planned before the runs.
    """
    tests = [target_t(scores, target, better) for scores in arms.values()]
    p_values = [float(p) for p, _ in tests]
    found = []
    for (name, scores), (_, bound), p, p_holm in zip(
        arms.items(), tests, p_values, holm(p_values).tolist(), strict=True
    ):
        n = len(scores)
        mean, sd = map(float, moments(scores)) if n > 1 else (float(scores[0]) if n else math.nan, math.nan)
        verdict = _verdict(scores, p, p_holm, planned=planned)
        shown = verdict.endswith(REACHED) or n < MIN_SEEDS or math.isnan(p)
        more = None if shown else more_runs(better * (mean - target), sd, n, len(arms))
        found.append(TargetResult(name, n, unstable.get(name, 0), mean, sd, float(bound), p, p_holm, more, verdict))
    return found


def _verdict(scores: Sequence[float], p: float, p_holm: float, *, planned: bool) -> str:
    n = len(scores)
    if not all(map(math.isfinite, scores)):
        return UNSTABLE
    if n < MIN_SEEDS:
        return TOO_FEW
    if math.isnan(p):
        return NO_VARIATION
    prefixes = [*(["preliminary"] if n < MIN_SEEDS_FOR_RANGE else []), *([] if planned else ["exploratory"])]
    return ": ".join([*prefixes, REACHED if p_holm < ALPHA else NOT_SHOWN])


def more_runs(gain: float, sd: float, n: int, comparisons: int) -> SeedsRange | None:
    """Return how many more runs show that the mean is better by `gain`, for the SDs in their 80 % interval.

    With probability .8, by the one-sided t test at level .05/comparisons. None without a gain, and below 5 runs.
    """
    if gain <= 0 or n < MIN_SEEDS_FOR_RANGE or not sd > 0:
        return None
    tail = (1 - SD_LEVEL) / 2
    sds = [sd * math.sqrt((n - 1) / float(special.chdtri(n - 1, upper))) for upper in (tail, 1 - tail)]
    needed = [_runs_needed(gain / value, ALPHA / comparisons) for value in sds]
    return SeedsRange(*(None if runs is None else max(1, runs - n) for runs in needed))


def _runs_needed(size: float, alpha: float) -> int | None:
    def enough(n: int) -> bool:
        return noncentral_tail(quantile(1 - alpha, n - 1), n - 1, size * math.sqrt(n)) >= POWER

    if not enough(MOST_SEEDS):
        return None
    return MIN_SEEDS + bisect.bisect_left(range(MIN_SEEDS, MOST_SEEDS), True, key=enough)

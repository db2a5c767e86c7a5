"""The curves of the runs of a variant, for figures: their mean and band, and the range in which they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ablate.figures.arm_curves import Band

EARLY = 0.2  # share of the steps whose values may be cut off if they are far from the others
WORTH_CUTTING = 2.0  # least factor by which this shortens the axis

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RunLines:
    """The curves of the runs of a variant.

    `values` has shape (runs, steps); `singles` are steps and values of single runs; the others are points.
    """

    name: str
    steps: Values
    values: Values
    singles: Sequence[tuple[Values, Values]]
    diverged: Sequence[tuple[float, float]]
    stopped: Sequence[tuple[float, float]]
    scored: Sequence[tuple[float, float]]

    @cached_property
    def _divisor(self) -> float:
        """A divisor of huge values, whose sums and squares would overflow; otherwise 1."""
        largest = float(np.abs(self.values[np.isfinite(self.values)]).max(initial=0.0))
        return largest if largest > 1e150 else 1.0

    @cached_property
    def mean(self) -> Values:
        """The mean at each step; NaN where a run has no finite value."""
        if not len(self.steps):
            return np.empty(0)
        mean: Values = (self.values / self._divisor).mean(axis=0) * self._divisor
        known: Values = np.where(np.isfinite(self.values).all(axis=0), mean, np.nan)
        return known

    def band(self, kind: Band) -> tuple[Values, Values]:
        """Return the lower and the upper edge at each step."""
        known = np.isfinite(self.mean)
        if len(self.values) < 2:
            return self.mean, self.mean
        if kind == "range":
            return np.where(known, self.values.min(axis=0), np.nan), np.where(known, self.values.max(axis=0), np.nan)
        spread = np.where(known, (self.values / self._divisor).std(axis=0, ddof=1) * self._divisor, np.nan)
        return self.mean - spread, self.mean + spread

    @cached_property
    def drawn(self) -> Values:
        """Every value that is drawn, with its step: shape (points, 2)."""
        parts = [np.column_stack([self.steps, edge]) for edge in (self.mean, *self.band("range"))]
        parts += [np.column_stack(single) for single in self.singles]
        marks = [*self.diverged, *self.stopped, *self.scored]
        points = np.concatenate([*parts, np.asarray(marks, dtype=float).reshape(-1, 2)])
        finite: Values = points[np.isfinite(points).all(axis=1)]
        return finite

    @property
    def end(self) -> tuple[float, float]:
        """The last point of the mean, or the mean of the last points of single runs if they are later."""
        known = np.flatnonzero(np.isfinite(self.mean))
        ends = [(float(steps[-1]), float(values[-1])) for steps, values in self.singles]
        if len(known):
            ends.append((float(self.steps[known[-1]]), float(self.mean[known[-1]])))
        last = max(step for step, _ in ends)
        heights = [value for step, value in ends if step == last]
        return last, sum(value / len(heights) for value in heights)


def view_of(points: Values) -> tuple[float, float]:
    """Return the range of all values, or of most of those after the first fifth of the steps if it is much shorter.

    `points` are steps and values, shape (points, 2).
    """
    steps, heights = points.T
    late = heights[steps >= steps.min() + EARLY * np.ptp(steps)]
    core = np.quantile(late, [0.02, 0.98]) if len(late) > 20 else heights
    low, high = float(core.min()) / 2, float(core.max()) / 2  # differences of halves cannot overflow
    least, most = float(heights.min()) / 2, float(heights.max()) / 2
    room = (WORTH_CUTTING - 1) * (high - low)
    if room == 0 or low - least <= room:
        low = least
    if room == 0 or most - high <= room:
        high = most
    pad = 0.06 * (high - low) or max(1e-3 * abs(high), 1e-12)
    largest = float(np.finfo(float).max) / 4
    return max(2 * (low - pad), -largest), min(2 * (high + pad), largest)


def step_text(step: float, _: int) -> str:
    """Return a step as the label of a tick: `400`, `20k`, `1.5M`."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(step) >= 10 * size or (abs(step) >= size and size > 1e3):
            return f"{step / size:g}{letter}"
    return f"{step:g}"

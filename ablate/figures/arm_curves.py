"""The curves of one arm: the history of a metric at each seed, their mean and band."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ablate.figures.table_cells import number, records

Band = Literal["sd", "range"]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Arm:
    """The curves of one arm, or of several arms with equal curves.

    `values` has shape (seeds, steps), with NaN for missing values.
    """

    names: tuple[str, ...]
    steps: Values
    values: Values

    @property
    def label(self) -> str:
        """The name, with the number of other arms with the same curves."""
        others = len(self.names) - 1
        return self.names[0] + (f" and {others} identical arm{'s' * (others > 1)}" if others else "")

    @property
    def envelope(self) -> Values:
        """Mean, lowest and highest value at each step, shape (3, steps)."""
        return np.array(self.middle_and_band("range"))

    @property
    def varies(self) -> bool:
        """Whether the seeds differ beyond rounding, so that a band is visible."""
        mean, low, high = self.envelope
        return bool((high - low > 1e-9 * np.abs(mean)).any())

    def middle_and_band(self, band: Band) -> tuple[Values, Values, Values]:
        """Return mean, lower and upper edge at each step, over the seeds with a value there (at least one)."""
        mean = np.nanmean(self.values, axis=0)
        if band == "range":
            return mean, np.nanmin(self.values, axis=0), np.nanmax(self.values, axis=0)
        count = np.isfinite(self.values).sum(axis=0)
        squares = np.nansum((self.values - mean) ** 2, axis=0)
        spread = np.sqrt(squares / np.maximum(count - 1, 1))
        return mean, mean - spread, mean + spread


def read_arm(name: str, seeds: Sequence[Any], metric: str, scale: float) -> Arm | None:
    """Return the curves of a metric from the histories of an arm's seeds, None if no history has the metric."""
    points = [{number(row, "step"): number(row, metric) * scale for row in records(history)} for history in seeds]
    steps = sorted({step for seed in points for step, value in seed.items() if math.isfinite(step + value)})
    if not steps:
        return None
    values = np.array([[seed.get(step, math.nan) for step in steps] for seed in points], dtype=np.float64)
    return Arm((name,), np.array(steps, dtype=np.float64), values)


def merge_equal(arms: Sequence[Arm]) -> list[Arm]:
    """Return the arms, with those of equal mean, lowest and highest curves merged into one."""
    kept: list[Arm] = []
    for arm in arms:
        for index, other in enumerate(kept):
            if np.array_equal(arm.steps, other.steps) and np.allclose(arm.envelope, other.envelope, rtol=1e-9, atol=0):
                kept[index] = Arm(other.names + arm.names, other.steps, np.concatenate([other.values, arm.values]))
                break
        else:
            kept.append(arm)
    return kept


def early_stops(arm: Arm, last: float) -> list[tuple[float, float]]:
    """Return the last point of every seed that ends before the step `last`."""
    ends = []
    for seed in arm.values:
        present = np.flatnonzero(np.isfinite(seed))
        if len(present) and arm.steps[present[-1]] < last:
            ends.append((float(arm.steps[present[-1]]), float(seed[present[-1]])))
    return ends

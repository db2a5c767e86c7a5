"""Check scores that are declared in percent: fractions among them, or in place of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import median

from ablate.errors import UserError
from ablate.stats.metric import Metric
from ablate.wording import listed

_ALIKE = 3
"""Factor up to which a score times 100 is like the others."""


def percentage_cautions(scores: Mapping[str, float], metric: Metric) -> list[str]:
    """Return a warning if all scores of a metric in percent may be fractions.

    Raises UserError if only some may be: scores up to 1 that are, times 100, like the scores above 1.

    Args:
        scores: The scores of stable runs, by the name of the run.
        metric: The metric. One in another unit is not checked.
    """
    if metric.in_points or metric.unit not in ("%", "points"):
        return []
    small = {name: score for name, score in scores.items() if 0 < score <= 1}
    large = {name: score for name, score in scores.items() if 1 < score < math.inf}
    if small and not large and metric.goal == "max":
        return [
            f"All scores are from 0 to 1, and {metric.label} is in percent: {max(small.values()):g} counts as "
            f'{max(small.values()):g} %. If they are fractions, declare a fraction, such as Metric("{metric.name}").'
        ]
    usual = median(large.values()) if large else math.nan
    mixed = [name for name, score in small.items() if usual / _ALIKE <= 100 * score <= usual * _ALIKE]
    if mixed:
        raise UserError(
            f"{metric.name} mixes fractions and percentages: fractions in {listed(mixed, 5)}, percentages in "
            f"{len(large)} other runs. Return one kind in all runs. If all are percentages, declare the score of "
            f'guessing, such as floor=1, or Metric("{metric.name}", unit="percent")'
        )
    return []

"""Numbers in sentences: decimals by the margin, units, intervals, p-values."""

from __future__ import annotations

import math

from ablate.stats.effects.effect import Effect
from ablate.stats.metric import Metric
from ablate.wording import fixed


def decimals_for(margin: float, metric: Metric) -> int:
    """Return the decimals that resolve a hundredth of the margin's order of magnitude, at least 2 for points."""
    wanted = 1 - math.floor(math.log10(margin))
    return min(12, max(2 if metric.in_points else 0, wanted))


def amount(value: float, effect: Effect, metric: Metric, sign: str = "") -> str:
    """Return a number with its unit: "3.02 points", "1.2", "0.8 s"; with the `sign` "+", always with its sign."""
    number = fixed(value, decimals_for(effect.margin, metric), sign)
    return f"{number} points" if metric.in_points else metric.with_own_unit(number)


def signed_amount(value: float, effect: Effect, metric: Metric) -> str:
    """Return a difference with its sign and unit: "-3.02 points", "+1.2"."""
    return amount(value, effect, metric, "+")


def interval(low: float, high: float, effect: Effect, metric: Metric) -> str:
    """Return an interval in brackets, without unit."""
    digits = decimals_for(effect.margin, metric)
    return f"[{fixed(low, digits)}, {fixed(high, digits)}]"


def p_value(p: float) -> str:
    """Return a p-value as text: "< .001" or "= .012"."""
    if math.isnan(p):
        return "not available"
    return "< .001" if p < 0.001 else f"= {p:.3f}".replace("= 0.", "= .")

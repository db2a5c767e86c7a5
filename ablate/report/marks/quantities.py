"""The quantities that a mark can name: one table, for checking and for filling in.

The names are those of the columns of effects.csv and interactions.csv, and of combinations that reports print. The
functions of the report's own tables write the values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablate.report.formats.numbers import interval, plain, probability, signed, spread
from ablate.report.marks.values import Value


@dataclass(frozen=True)
class Quantity:
    """How to print one or more columns.

    Attributes:
        columns: The columns.
        write: Returns the value of these columns, given the decimals of differences.
    """

    columns: tuple[str, ...]
    write: Callable[..., Value]

    def value(self, row: Mapping[str, Any], digits: int) -> Value:
        """Return the value in a row; `digits` are the decimals of differences."""
        return self.write(*(row[column] for column in self.columns), digits)

    def is_in(self, row: Mapping[str, Any]) -> bool:
        """Return whether a row has the columns."""
        return all(column in row for column in self.columns)


def _signed(value: float, digits: int) -> Value:
    return Value("number", signed(value, digits), (value,), is_signed=True)


def _plain(value: float, digits: int) -> Value:
    return Value("number", plain(value, digits), (value,))


def _share(value: float, _: int) -> Value:
    return _plain(value, 2)


def _as_given(value: float, _: int) -> Value:
    return Value("number", f"{value:g}", (value,), is_exact=True)


def _count(value: int, _: int) -> Value:
    return Value("number", str(value), (value,), is_exact=True)


def _detectable(value: float, digits: int) -> Value:
    return Value("number", "not detectable" if math.isinf(value) else plain(value, digits), (value,))


def _interval(low: float, high: float, digits: int) -> Value:
    return Value("interval", interval(low, high, digits), (low, high))


def _share_interval(low: float, high: float, _: int) -> Value:
    return _interval(low, high, 2)


def _mean_sd(mean: float, sd: float, digits: int) -> Value:
    if math.isfinite(sd):
        return Value("mean and SD", spread(mean, sd, digits), (mean, sd))
    return Value("number", spread(mean, sd, digits), (mean,))


def _p(value: float, _: int) -> Value:
    return Value("p-value", probability(value), (value,))


def _words(text: object, _: int) -> Value:
    return Value("words", str(text))


def _each(names: Sequence[str], write: Callable[..., Value]) -> dict[str, Quantity]:
    return {name: Quantity((name,), write) for name in names}


QUANTITIES: Mapping[str, Quantity] = {
    **_each(("delta", "synergy", "delta_survivors", "shapley", "leave_one_out", "add_one_in"), _signed),
    "cost": Quantity(("cost",), _plain),
    "interval": Quantity(("interval_low", "interval_high"), _interval),
    "cost_interval": Quantity(("cost_low", "cost_high"), _interval),
    "fw_interval": Quantity(("verdict_low", "verdict_high"), _interval),
    "shapley_interval": Quantity(("shapley_low", "shapley_high"), _interval),
    "leave_one_out_interval": Quantity(("leave_one_out_low", "leave_one_out_high"), _interval),
    "add_one_in_interval": Quantity(("add_one_in_low", "add_one_in_high"), _interval),
    **_each(("p", "p_holm", "p_tost", "p_tost_holm", "p_welch", "p_signflip"), _p),
    **_each(("verdict", "sentence", "metric", "scale"), _words),
    **_each(("n", "n_planned", "n_unstable"), _count),
    **_each(("seeds", "comparisons", "runs", "planned_runs", "unstable_runs"), _count),
    **_each(("mean", "sd", "baseline_mean", "baseline_sd", "variant_mean", "variant_sd"), _plain),
    "mean_sd": Quantity(("mean", "sd"), _mean_sd),
    "baseline_mean_sd": Quantity(("baseline_mean", "baseline_sd"), _mean_sd),
    **_each(("ci_low", "ci_high", "fw_low", "fw_high"), _plain),
    "level": Quantity(("level_in_percent",), _as_given),
    **_each(("margin",), _as_given),
    **_each(("mde",), _detectable),
    **_each(("p_improve", "rho"), _share),
    "improve_interval": Quantity(("improve_low", "improve_high"), _share_interval),
}
"""The names in a mark. A comparison, pair, component or study has the quantities of its columns."""

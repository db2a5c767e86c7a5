"""The metric: defaults by goal, units, the floor, and its record on disk."""

from __future__ import annotations

import math

import pytest

from ablate.errors import UsageError
from ablate.stats.metric import AT_FLOOR, NOT_FINITE, Metric


@pytest.mark.parametrize(
    ("metric", "tracked", "unit", "scale", "difference", "shown"),
    [
        (Metric("accuracy"), "accuracy", "points", 100, "0.5 points", "accuracy 0.9000"),
        (
            Metric("test_accuracy", "test/accuracy"),
            "test/accuracy",
            "points",
            100,
            "0.5 points",
            "test accuracy 0.9000",
        ),
        (Metric("perplexity", goal="min"), "perplexity", "", 1, "0.5", "perplexity 0.9"),
        (Metric("latency", goal="min", unit="ms"), "latency", "ms", 1, "0.5 ms", "latency 0.9 ms"),
        (Metric("reward", unit=""), "reward", "", 1, "0.5", "reward 0.9"),
        (Metric("error", goal="min", unit="points"), "error", "points", 100, "0.5 points", "error 0.9000"),
    ],
)
def test_a_metric_is_a_fraction_only_where_it_is_one(
    metric: Metric, tracked: str, unit: str, scale: float, difference: str, shown: str
) -> None:
    assert (metric.tracked, metric.unit, metric.scale) == (tracked, unit, scale)
    assert metric.in_points is (scale == 100)
    assert (metric.with_unit("0.5"), metric.describe(0.9)) == (difference, shown)
    assert metric.with_own_unit("0.5") == difference.removesuffix(" points")
    assert metric.describe(None).endswith("unknown")


def test_the_floor_is_below_for_one_goal_and_above_for_the_other() -> None:
    accuracy = Metric("accuracy").with_floor(0.1)
    assert accuracy.at_floor(0.12)
    assert not accuracy.at_floor(0.5)
    loss = Metric("loss", goal="min").with_floor(2.3)
    assert loss.at_floor(2.3)
    assert not loss.at_floor(0.5)
    assert loss.with_floor(None).at_floor(math.nan)
    assert not loss.with_floor(None).at_floor(2.3)


def test_a_wrong_goal_or_scale_is_an_error() -> None:
    with pytest.raises(UsageError, match="'max' or 'min', not 'low'"):
        Metric("loss", goal="low")  # type: ignore[arg-type]  # on purpose
    for scale in (-1.0, math.inf, math.nan):
        with pytest.raises(UsageError, match="scale of metric 'loss' must be a positive number"):
            Metric("loss", scale=scale)


def test_the_record_on_disk_is_that_of_earlier_versions() -> None:
    metric = Metric("latency", goal="min", unit="ms")
    record = {
        "name": "latency", "tracked": "latency", "goal": "min", "unit": "ms", "scale": 1.0, "tolerance": 0.05,
    }  # fmt: skip
    assert list(metric.with_floor(9.0).as_dict().items()) == list(record.items())
    assert Metric.from_dict({**record, "from a later version": 1}) == metric


def test_values_of_a_fraction_are_from_0_to_1() -> None:
    for value in (0, 0.5, 1, 1 + 1e-7, math.nan, math.inf, -math.inf):
        Metric("accuracy").check_fraction(value)
        Metric("error", goal="min", unit="points").check_fraction(value)
    for value in (93.1, 1.001, -0.1):
        with pytest.raises(
            UsageError, match=r'accuracy is .*, but accuracy is a fraction.* Metric\("accuracy", unit="%"\)'
        ):
            Metric("accuracy").check_fraction(value)
        for metric in (Metric("accuracy", unit="%"), Metric("accuracy", unit=""), Metric("a", unit="points", scale=1)):
            metric.check_fraction(value)
        assert not Metric("length", unit="cm", scale=100).is_fraction
    with pytest.raises(UsageError, match=r"^The floor of accuracy is 10, but"):
        Metric("accuracy").check_fraction(10, "The floor of accuracy")


def test_a_percentage_is_judged_like_the_fraction() -> None:
    fraction, percentage = Metric("accuracy").with_floor(0.1), Metric("accuracy", unit="%").with_floor(10)
    for value in (0.05, 0.1, 0.149, 0.151, 0.9, math.nan):
        assert fraction.unstable_reason(value) == percentage.unstable_reason(100 * value)
    assert fraction.unstable_reason(math.nan) == NOT_FINITE
    assert fraction.unstable_reason(0.1) == AT_FLOOR
    assert fraction.unstable_reason(0.9) is None


def test_a_metric_knows_whether_its_goal_was_given() -> None:
    assert not Metric("accuracy").declares_goal
    assert Metric("accuracy", goal="max").declares_goal
    assert Metric.from_dict(Metric("accuracy").as_dict()).declares_goal, "a record contains the goal"
    assert Metric("accuracy") == Metric("accuracy", goal="max")
    assert type(Metric("accuracy").goal) is str
    assert "declares_goal" not in Metric("accuracy").as_dict()

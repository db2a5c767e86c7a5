"""Fractions among scores in percent, or in place of them."""

from __future__ import annotations

import pytest

from ablate.errors import UserError
from ablate.report.sources.percentages import percentage_cautions
from ablate.stats.metric import Metric

PERCENT = Metric("accuracy", unit="%")


def scores(*values: float) -> dict[str, float]:
    return {f"a/s{seed}": value for seed, value in enumerate(values)}


@pytest.mark.parametrize(
    ("metric", "values"),
    [
        (PERCENT, (92.2, 92.5, 0.907)),
        (PERCENT, (92.2, 0.5, 0.93)),
        (Metric("accuracy", unit="points", scale=1), (92.2, 0.907, 0.909)),
        (Metric("error", goal="min", unit="%"), (8.3, 8.1, 0.082)),
        (PERCENT, (100.0, 1.0)),
    ],
)
def test_fractions_among_percentages_are_refused(metric: Metric, values: tuple[float, ...]) -> None:
    with pytest.raises(
        UserError, match=rf"{metric.name} mixes fractions and percentages: fractions in .*a/s\d,"
    ) as error:
        percentage_cautions(scores(*values), metric)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("metric", "values"),
    [
        (PERCENT, (92.2, 92.5, 0.1)),
        (PERCENT, (0.0, 92.5)),
        (Metric("error", goal="min", unit="%"), (0.9, 1.3, 1.1)),
        (Metric("error", goal="min", unit="%"), (0.31, 0.28)),
        (Metric("accuracy"), (0.92, 0.91)),
        (Metric("latency", goal="min", unit="ms"), (92.2, 0.907)),
        (Metric("accuracy", unit="percent"), (92.2, 0.907)),
    ],
)
def test_other_scores_are_read_as_declared(metric: Metric, values: tuple[float, ...]) -> None:
    assert not percentage_cautions(scores(*values), metric)


def test_fractions_in_place_of_percentages_are_said() -> None:
    (text,) = percentage_cautions(scores(0.92, 0.93), PERCENT)
    assert text.startswith("All scores are from 0 to 1, and accuracy is in percent: 0.93 counts as 0.93 %.")

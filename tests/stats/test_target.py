"""One-sided tests of a target: references, more runs, and cases without a verdict."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from ablate.stats.effects.multiple_comparisons import holm
from ablate.stats.effects.target import more_runs, target_results, target_t

ARMS = {
    "a": [93.4, 93.6, 93.5, 93.3, 93.7],
    "b": [93.1, 93.3, 92.8, 93.2, 93.0],
    "c": [92.1, 92.4, 92.2, 92.0, 92.3],
}


def test_it_is_the_one_sided_test_of_scipy_with_holm_over_the_arms() -> None:
    found = target_results(ARMS, 93.0, 1, {})
    tests = [stats.ttest_1samp(scores, 93.0, alternative="greater") for scores in ARMS.values()]
    assert [row.p for row in found] == pytest.approx([test.pvalue for test in tests])
    assert [row.p_holm for row in found] == pytest.approx(holm([test.pvalue for test in tests]).tolist())
    bounds = [test.confidence_interval(0.95).low for test in tests]
    assert [row.bound for row in found] == pytest.approx(bounds)
    assert [row.verdict for row in found] == ["reached", "not shown", "not shown"]


def test_where_lower_is_better_the_mean_must_be_below() -> None:
    flipped = {name: [-score for score in scores] for name, scores in ARMS.items()}
    one, other = target_results(ARMS, 93.0, 1, {}), target_results(flipped, -93.0, -1, {})
    assert [row.p for row in one] == pytest.approx([row.p for row in other])
    assert [row.bound for row in one] == pytest.approx([-row.bound for row in other])


def test_more_runs_reach_the_stated_power() -> None:
    _, near, below = target_results(ARMS, 93.0, 1, {})
    assert below.more is None  # its mean is worse than the target
    assert near.more is not None
    assert near.more == more_runs(0.08, near.sd, 5, 3)
    low = near.more.low
    assert low is not None
    quantile = stats.chi2.ppf(0.9, 4)
    sd, n = near.sd * math.sqrt(4 / quantile), 5 + low
    power = stats.nct.sf(stats.t.ppf(1 - 0.05 / 3, n - 1), n - 1, 0.08 / sd * math.sqrt(n))
    fewer = stats.nct.sf(stats.t.ppf(1 - 0.05 / 3, n - 2), n - 2, 0.08 / sd * math.sqrt(n - 1))
    assert fewer < 0.8 <= power
    assert more_runs(0.08, near.sd, 4, 3) is None
    assert more_runs(1e-6, 1.0, 5, 3) == (None, None)


def test_arms_without_a_verdict() -> None:
    arms = {"none": [], "one": [93.5], "two": [93.5, 93.6], "same": [94.0] * 5, "lost": [94.0, 94.1, math.nan]}
    found = target_results(arms, 93.0, 1, {"lost": 1})
    assert [row.verdict for row in found] == [
        "too few runs",
        "too few runs",
        "too few runs",
        "no variation",
        "unstable",
    ]
    assert all(row.more is None for row in found)
    assert not any(row.is_reached for row in found)


def test_prefixes() -> None:
    found = target_results({"a": ARMS["a"][:3], "c": ARMS["c"][:4]}, 93.0, 1, {}, planned=False)
    assert [row.verdict for row in found] == [
        "preliminary: exploratory: reached",
        "preliminary: exploratory: not shown",
    ]
    assert found[0].is_reached


@pytest.mark.parametrize("n", [3, 5, 10])
def test_a_mean_at_the_target_is_seldom_called_better(n: int) -> None:
    scores = np.random.default_rng(n).normal(93, 0.2, (4000, 8, n))
    p, bound = target_t(scores, 93.0, 1)
    assert ((holm(p) < 0.05).any(axis=1)).mean() <= 0.06
    assert (bound <= 93).mean() == pytest.approx(0.95, abs=0.01)

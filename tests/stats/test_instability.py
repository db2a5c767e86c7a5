"""The test of unstable runs: known answers, agreement with SciPy, error rate for any probability of divergence."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ablate.stats.effects import unreliable_p
from ablate.stats.effects.instability import MAX_SEEDS_BOSCHLOO


def test_known_answers():
    found = unreliable_p([3, 2, 5, 4, 3, 10], [0, 0, 0, 0, 0, 5], [3, 3, 5, 5, 5, 10])
    assert found == pytest.approx([0.03125, 0.21875, 0.001953125, 0.021484375, 0.061848090, 0.012779236], rel=1e-4)


def test_fewer_unstable_runs_than_the_reference_are_no_evidence():
    assert unreliable_p([0, 0, 2, 5], [0, 5, 2, 5], 5).tolist() == [1.0] * 4


def test_shapes_are_kept():
    counts = np.random.default_rng(0).integers(0, 4, (7, 5))
    found = unreliable_p(counts, counts[:, :1], 3)
    assert found.shape == counts.shape
    assert found[2, 3] == unreliable_p(counts[2, 3], counts[2, 0], 3)
    assert unreliable_p([], [], []).shape == (0,)


@pytest.mark.parametrize(("unstable", "reference", "n"), [(3, 1, 6), (7, 2, 9), (4, 3, 20)])
def test_agrees_with_scipy(unstable, reference, n):
    table = [[unstable, reference], [n - unstable, n - reference]]
    assert unreliable_p(unstable, reference, n) == pytest.approx(stats.boschloo_exact(table).pvalue)


@pytest.mark.parametrize("n", [3, 5, 10])
def test_the_error_rate_holds_for_any_probability_of_divergence(n):
    """All outcomes of two arms that diverge with the same probability, weighted by the binomial distribution."""
    first, second = np.mgrid[: n + 1, : n + 1]
    rejected = unreliable_p(first, second, n) < 0.05
    assert rejected.any()
    for share in np.linspace(0.01, 0.99, 99):
        weights = stats.binom.pmf(np.arange(n + 1), n, share)
        assert weights @ rejected @ weights <= 0.025 + 1e-6  # two-sided, and only one side is a verdict


def test_many_seeds_take_neither_time_nor_memory():
    n = MAX_SEEDS_BOSCHLOO + 1
    table = [[20, 5], [n - 20, n - 5]]
    assert unreliable_p(20, 5, n) >= stats.boschloo_exact(table, n=8).pvalue  # Fisher's test is the conservative one
    assert unreliable_p(700, 500, 50_000) == pytest.approx(
        stats.fisher_exact([[700, 500], [49_300, 49_500]])[1], rel=0.02
    )

"""Power, seeds needed, noise in two scopes, the noise budget, and the best of n trials."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestPower

from ablate.errors import UserError
from ablate.stats.effects import (
    detectable_effect_size,
    expected_best,
    image_standard_error,
    minimum_detectable_effect,
    noise_budget,
    seeds_needed,
    two_scopes,
)
from ablate.stats.effects.power import power_of_paired_t


@pytest.mark.parametrize(("n", "alpha"), [(5, 0.05), (5, 0.05 / 7), (10, 0.05 / 7), (20, 0.02), (60, 0.05 / 28)])
def test_detectable_effect_size_agrees_with_statsmodels(n, alpha):
    expected = TTestPower().solve_power(nobs=n, alpha=alpha, power=0.8)
    assert detectable_effect_size(n, alpha) == pytest.approx(float(np.squeeze(expected)), rel=1e-6)


def test_power_agrees_with_simulation():
    draws = np.random.default_rng(0).normal(0.9, 1, (40_000, 6))
    share = np.mean(stats.ttest_1samp(draws, 0, axis=1).pvalue < 0.05)
    assert power_of_paired_t(0.9, 6) == pytest.approx(share, abs=0.01)


def test_not_detectable():
    assert detectable_effect_size(2, 0.05 / 7) == math.inf
    assert detectable_effect_size(3, 0.05 / 28) == math.inf  # beyond 10 SD
    assert detectable_effect_size(3, 0.05 / 7) < 10
    assert minimum_detectable_effect(math.nan, 1) == math.inf
    assert minimum_detectable_effect(0.0, 5) == 0.0


@pytest.mark.parametrize("n", [3, 5, 10, 100, 5000])
@pytest.mark.parametrize("comparisons", [1, 7, 28])
def test_detectable_effect_has_the_power(n, comparisons):
    size = detectable_effect_size(n, 0.05 / comparisons)
    if math.isfinite(size):
        assert power_of_paired_t(size, n, 0.05 / comparisons) == pytest.approx(0.8, abs=1e-6)


@pytest.mark.parametrize(("difference", "sd"), [(0.5, 0.15), (0.5, 0.4), (0.1, 0.4), (0.5, 9.0)])
@pytest.mark.parametrize("comparisons", [1, 7])
def test_seeds_needed_is_the_fewest(difference, sd, comparisons):
    n = seeds_needed(difference, sd, comparisons)
    assert n is not None
    assert power_of_paired_t(difference / sd, n, 0.05 / comparisons) >= 0.8
    assert n == 3 or power_of_paired_t(difference / sd, n - 1, 0.05 / comparisons) < 0.8


def test_seeds_needed_without_an_answer():
    assert seeds_needed(0.5, math.nan) is None
    assert seeds_needed(1e-6, 1.0) is None
    assert seeds_needed(0.5, 0.0) == 3


def test_known_answer_two_scopes():
    table = [[1, 0, 0, -1, 0, 0], [1, 0, 0, 0, 0, -1], [1, 1, 0, 0, 0, 0]]
    found = two_scopes(table, scale=1.0)
    assert found.delta == pytest.approx(1 / 9)
    assert found.se_seed == pytest.approx(1 / 9)
    assert found.se_total == pytest.approx(0.21372649, rel=1e-7)
    assert found.df_total == pytest.approx(4.7850402, rel=1e-7)
    assert (found.total_low, found.total_high) == pytest.approx((-0.44579743, 0.66801966), rel=1e-6)
    assert two_scopes(table).se_total == pytest.approx(21.372649)


@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(2, 40))
def test_two_scopes_laws(seed, seeds, images):
    generator = np.random.default_rng(seed)
    table = generator.integers(-1, 2, (seeds, images)).astype(float)
    found = two_scopes(table, scale=1.0)
    by_seed = table.mean(axis=1)
    assert found.se_seed == pytest.approx(np.std(by_seed, ddof=1) / math.sqrt(seeds), abs=1e-12)
    assert found.se_total >= found.se_seed
    assert found.total_low <= found.delta <= found.total_high
    shuffled = generator.permuted(table, axis=0)[generator.permutation(seeds)][:, generator.permutation(images)]
    assert two_scopes(shuffled, 1.0).delta == pytest.approx(found.delta)


def test_two_scopes_is_calibrated_for_new_seeds_and_images():
    generator = np.random.default_rng(3)
    covered = 0
    for _ in range(1000):
        image, seed = generator.normal(0, 0.4, 60), generator.normal(0, 0.05, 5)
        found = two_scopes(image[None, :] + seed[:, None] + generator.normal(0, 0.2, (5, 60)), 1.0)
        covered += found.total_low <= 0 <= found.total_high
    assert 930 <= covered <= 975  # the interval of new seeds alone covers about 400


def test_two_scopes_floor_and_edges():
    assert two_scopes([[0, 1], [0, 1]], 1.0).se_seed == 0.0
    flat = two_scopes(np.ones((3, 4)), 1.0)
    assert (flat.se_total, flat.total_low, flat.total_high) == (0.0, 1.0, 1.0)
    opposed = two_scopes([[1, -1], [-1, 1]], 1.0)  # all interaction: the sum of the terms would be negative
    assert opposed.se_total == 0.0
    with pytest.raises(UserError, match="2 seeds and 2 images"):
        two_scopes([[1, 0, 0]])


def test_noise_budget():
    budget = noise_budget([93.1, 93.3, 92.9, 93.2], [0.1, 0.3, 0.2, math.nan], comparisons=7, image_se=0.25)
    assert budget.seed_sd == pytest.approx(np.std([93.1, 93.3, 92.9, 93.2], ddof=1))
    assert budget.difference_sd == pytest.approx(0.2)
    assert budget.seeds == {target: seeds_needed(target, 0.2, 7) for target in (0.1, 0.2, 0.5)}
    alone = noise_budget([93.0, 93.2], [])
    assert alone.difference_sd == pytest.approx(math.sqrt(2) * alone.seed_sd)
    assert noise_budget([93.0], []).seeds == {0.1: None, 0.2: None, 0.5: None}


def test_image_standard_error():
    correct = np.random.default_rng(0).random((1, 400)) < 0.9
    share = correct.mean()
    assert image_standard_error(correct) == pytest.approx(100 * math.sqrt(share * (1 - share) / 399))
    assert math.isnan(image_standard_error([[True]]))


def test_known_answer_expected_best():
    assert expected_best([91, 93, 90, 92.5]) == pytest.approx([91.625, 92.5, 92.875, 93.0])
    assert expected_best([-91, -93, -90, -92.5], "min") == pytest.approx([-91.625, -92.5, -92.875, -93.0])
    assert expected_best([]) == []
    with pytest.raises(UserError, match="failed trials"):
        expected_best([1.0, math.nan])


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=6))
def test_expected_best_is_the_mean_over_all_subsets(scores):
    curve = expected_best(scores)
    for n, value in enumerate(curve, start=1):
        assert value == pytest.approx(np.mean([max(some) for some in itertools.combinations(scores, n)]), abs=1e-9)
    assert all(later >= earlier - 1e-9 for earlier, later in itertools.pairwise(curve))

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
    seeds_range,
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


@pytest.mark.parametrize(("difference", "sd"), [(0.5, 0.15), (0.5, 0.4), (0.1, 0.3), (0.5, 1.5)])
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


def test_known_answer_range_of_seeds_needed():
    assert seeds_needed(0.5, 0.68, 7) == 27
    assert seeds_range(0.5, 0.68, 5, 7) == (16, 91)
    assert seeds_range(0.5, 0.68, 10, 7) == (18, 54)
    assert seeds_range(0.5, 0.68, 5, 7).words == "16 to 91 seeds"


def test_the_range_is_that_of_the_80_percent_interval_of_the_sd():
    for n in (5, 20, 500):
        low, high = (0.4 * math.sqrt((n - 1) / stats.chi2.ppf(q, n - 1)) for q in (0.9, 0.1))
        assert seeds_range(0.3, 0.4, n, 3) == (seeds_needed(0.3, low, 3), seeds_needed(0.3, high, 3))
    sds = 0.4 * np.sqrt(np.random.default_rng(0).chisquare(4, 400) / 4)
    ranges = [seeds_range(0.5, sd, 5, 7) for sd in sds]
    covered = sum(one.low <= seeds_needed(0.5, 0.4, 7) <= one.high for one in ranges)
    assert 0.75 <= covered / 400 <= 0.9  # 80 % of the estimates, and a little more by rounding to whole seeds


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4])
def test_no_number_of_seeds_from_fewer_than_five(n):
    assert seeds_range(0.5, 0.4, n, 7) is None


def test_ranges_without_an_end():
    assert seeds_range(0.5, math.nan, 9) is None
    assert seeds_range(0.5, 0.0, 9) is None
    assert seeds_range(1e-6, 1.0, 9) == (None, None)
    assert seeds_range(1e-6, 1.0, 9).words == "more than 200 seeds"
    assert seeds_range(0.5, 1.5, 5, 7) == (62, None)
    assert seeds_range(0.5, 1.5, 5, 7).words == "at least 62 seeds"
    assert seeds_range(9.0, 0.1, 9).words == "3 seeds"


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
    assert found.total_low <= found.seed_low <= found.delta <= found.seed_high <= found.total_high
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


def test_the_wider_scope_is_the_union():
    """Two seeds and many images: the wider scope has many more degrees of freedom, and its own interval is narrower."""
    table = np.random.default_rng(0).integers(-1, 2, (2, 400)) + np.array([[0.06], [-0.06]])
    found = two_scopes(table, 1.0)
    assert stats.t.ppf(0.975, found.df_total) * found.se_total < stats.t.ppf(0.975, found.df_seed) * found.se_seed
    assert (found.total_low, found.total_high) == (found.seed_low, found.seed_high)


def test_two_scopes_floor_and_edges():
    assert two_scopes([[0, 1], [0, 1]], 1.0).se_seed == 0.0
    flat = two_scopes(np.ones((3, 4)), 1.0)
    assert (flat.se_total, flat.total_low, flat.total_high) == (0.0, 1.0, 1.0)
    opposed = two_scopes([[1, -1], [-1, 1]], 1.0)  # all interaction: the sum of the terms would be negative
    assert opposed.se_total == 0.0
    with pytest.raises(UserError, match="2 seeds and 2 images"):
        two_scopes([[1, 0, 0]])


def test_noise_budget():
    sds = [0.1, 0.3, 0.2, math.nan, 0.0, 1e-14]  # the last two: arms that equal the reference
    budget = noise_budget([93.1, 93.3, 92.9, 93.2], sds, comparisons=7, image_se=0.25, n=10)
    assert budget.seed_sd == pytest.approx(np.std([93.1, 93.3, 92.9, 93.2], ddof=1))
    assert budget.difference_sd == pytest.approx(0.2)
    assert budget.seeds == {target: seeds_range(target, 0.2, 10, 7) for target in (0.1, 0.2, 0.5)}
    assert set(noise_budget([93.1, 93.3, 92.9, 93.2], sds, 7).seeds.values()) == {None}  # fewer than 5 seeds
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

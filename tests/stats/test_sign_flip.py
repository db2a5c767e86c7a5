"""The sign-flip test: exact for few seeds, random flips for more, in little memory."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ablate.stats.effects import sign_flip_p
from ablate.stats.effects.sign_flip import MAX_SEEDS_EXACT_FLIPS


def scipys(differences, resamples=np.inf):
    return stats.permutation_test(
        (np.asarray(differences),),
        lambda sample, axis: np.round(sample.mean(axis=axis), 12),
        permutation_type="samples",
        n_resamples=resamples,
        rng=np.random.default_rng(7),
    ).pvalue


@pytest.mark.parametrize("n", [2, 5, 10])
def test_few_seeds_give_the_exact_p_of_scipy(n):
    for shift in (0.0, 0.3, 1.5):  # one decimal, so that some flips tie
        differences = np.round(np.random.default_rng(n).normal(shift, 1, n), 1)
        assert sign_flip_p(differences) == pytest.approx(scipys(differences), abs=1e-12)


@given(st.lists(st.integers(-9, 9), min_size=2, max_size=9))
def test_exact_p_is_twice_the_smaller_tail_of_all_flips(differences):
    sums = [sum(map(int.__mul__, differences, signs)) for signs in itertools.product((-1, 1), repeat=len(differences))]
    tails = sum(one >= sum(differences) for one in sums), sum(one <= sum(differences) for one in sums)
    assert sign_flip_p(differences) == pytest.approx(min(1.0, 2 * min(tails) / len(sums)), abs=1e-12)


@pytest.mark.parametrize("n", [MAX_SEEDS_EXACT_FLIPS + 1, 16, 100, 1_023, 1_024])
def test_random_flips_agree_with_scipys(n):
    differences = np.random.default_rng(n).normal(1.2 / n**0.5, 1, n)
    assert sign_flip_p(differences) == sign_flip_p(differences.tolist())
    reference = scipys(differences, 9_999) if n < 200 else stats.ttest_1samp(differences, 0).pvalue
    assert sign_flip_p(differences) == pytest.approx(reference, abs=0.02)


def test_random_flips_of_many_pairs_agree_with_the_normal_distribution():
    differences = np.random.default_rng(3).normal(0.004, 1, 100_000)
    normal = 2 * stats.norm.sf(abs(differences.sum()) / np.sqrt((differences**2).sum()))
    assert sign_flip_p(differences) == pytest.approx(normal, abs=0.01)


@pytest.mark.parametrize("n", [14, 15, 1_024])
def test_p_does_not_depend_on_unit_or_direction(n):
    differences = np.random.default_rng(n).normal(1 / n**0.5, 1, n)
    assert {sign_flip_p(differences * scale) for scale in (1.0, 2.0**900, 2.0**-900)} == {sign_flip_p(differences)}
    assert sign_flip_p(-differences) == pytest.approx(sign_flip_p(differences), abs=0.01)


def test_a_single_large_difference_is_not_evidence():
    assert sign_flip_p([1e6, *[0.0] * 1_999]) == pytest.approx(1.0, abs=0.02)
    assert sign_flip_p([0.0] * 1_024) == 1.0
    assert np.isnan(sign_flip_p([0.1, float("inf")]))

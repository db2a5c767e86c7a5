"""Holm's correction, Bonferroni over looks, and families: known answers, statsmodels, properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from ablate.stats.effects import Comparison
from ablate.stats.effects.multiple_comparisons import families, holm, sequential_p, sign_flip_can_reach

p_values = st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), min_size=1, max_size=12)


def test_known_answer():
    adjusted = holm([0.0004, 0.031, 0.012, 0.20, 0.0009, 0.62, 0.049])
    assert adjusted.tolist() == pytest.approx([0.0028, 0.124, 0.06, 0.4, 0.0054, 0.62, 0.147])


@given(p_values)
def test_holm_agrees_with_statsmodels(p):
    entered = np.nan_to_num(p, nan=1.0)
    assert holm(p) == pytest.approx(multipletests(entered, method="holm")[1])


@given(p_values)
def test_holm_is_monotone_and_never_below_p(p):
    adjusted, entered = holm(p), np.nan_to_num(p, nan=1.0)
    assert np.all(adjusted >= entered)
    assert np.all(adjusted <= np.minimum(entered * len(p), 1.0) + 1e-15)
    order = np.argsort(entered, kind="stable")
    assert np.all(np.diff(adjusted[order]) >= 0)


@given(p_values, st.integers(0, 11))
def test_lowering_one_p_raises_no_adjusted_p(p, place):
    lower = list(p)
    lower[place % len(p)] = 0.0
    assert np.all(holm(lower) <= holm(p) + 1e-15)


def test_looks_share_alpha():
    first = sequential_p(1.0, [0.01, 0.2], 0.015)
    assert first == pytest.approx([0.01 * 0.05 / 0.015, 0.2 * 0.05 / 0.015])
    second = sequential_p(first, [0.05, 0.004], 0.02)
    assert second == pytest.approx([first[0], 0.004 * 0.05 / 0.02]), "the smallest counts"
    assert sequential_p(second, math.nan, 0.015) == pytest.approx(second), "a look without a p-value changes nothing"


def test_families_are_in_order_of_appearance():
    order = ("main", "pairs", "main", "other", "pairs")
    comparisons = [Comparison(f"no-{i}", family=family) for i, family in enumerate(order)]
    assert families(comparisons) == [[0, 2], [1, 4], [3]]


def test_a_sign_flip_test_needs_enough_seeds():
    assert [sign_flip_can_reach(n, 7) for n in (0, 8, 9)] == [False, False, True]

"""Properties of the split into training and validation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ablate.data import split_indices
from ablate.errors import UsageError, UserError


@st.composite
def problems(draw):
    sizes = draw(st.lists(st.integers(0, 60), min_size=1, max_size=8).filter(lambda sizes: sum(sizes) >= 2))
    labels = np.repeat(np.arange(len(sizes)), sizes)
    labels = np.random.default_rng(draw(st.integers(0, 9))).permutation(labels)
    val_size = draw(st.floats(0, 0.9))
    most = len(labels) - round(val_size * len(labels))
    assume(most)
    train_size = draw(st.one_of(st.none(), st.integers(1, most)))
    return labels, draw(st.integers(0, 99)), val_size, train_size


def split(labels, seed, val_size, train_size):
    return split_indices(labels, np.random.default_rng(seed), val_size, train_size)


def distance_from_share(part, whole, classes):
    """Return the largest distance of a class's count in `part` from its share of `whole`."""
    exact = len(part) * np.bincount(whole, minlength=classes) / len(whole)
    return abs(np.bincount(part, minlength=classes) - exact).max()


@given(problems())
def test_parts_are_disjoint_exact_stratified_and_repeatable(problem):
    labels, _, val_size, train_size = problem
    train, validation = split(*problem)
    assert not set(train) & set(validation)
    assert len(set(validation)) == len(validation) == round(val_size * len(labels))
    assert len(set(train)) == len(train) == (len(labels) - len(validation) if train_size is None else train_size)
    classes = labels.max() + 1
    rest = np.delete(labels, validation)
    assert distance_from_share(labels[validation], labels, classes) < 1
    assert distance_from_share(labels[train], rest, classes) < 1
    for part, again in zip((train, validation), split(*problem), strict=True):
        assert part.dtype == np.int64
        np.testing.assert_array_equal(part, again)
        np.testing.assert_array_equal(part, np.sort(part))


@given(problems(), st.integers(1, 400))
def test_smaller_training_sets_are_nested(problem, size):
    labels, seed, val_size, _ = problem
    everything, validation = split(labels, seed, val_size, None)
    size = min(size, len(everything))
    smaller, validation_again = split(labels, seed, val_size, size)
    np.testing.assert_array_equal(validation, validation_again)
    assert set(smaller) <= set(everything)
    if size > 1:
        assert set(split(labels, seed, val_size, size - 1)[0]) <= set(smaller)


def test_splits_depend_on_the_seed():
    labels = np.repeat(np.arange(10), 5000)
    first, second = split(labels, 0, 0.1, 10_000), split(labels, 1, 0.1, 10_000)
    assert set(first[1]) != set(second[1])
    assert np.bincount(labels[first[0]]).tolist() == [1000] * 10
    assert np.bincount(labels[first[1]]).tolist() == [500] * 10
    # Each of 5000 images is held out again with probability 0.1.
    assert 350 < len(set(first[1]) & set(second[1])) < 650


def test_errors_name_the_largest_training_set():
    with pytest.raises(UserError, match=r"at most 90$"):
        split(np.zeros(100, dtype=np.int64), 0, 0.1, 91)
    with pytest.raises(UserError, match="leaves none"):
        split(np.zeros(3, dtype=np.int64), 0, 0.9, None)


@pytest.mark.parametrize(
    ("val_size", "train_size"), [(1.0, None), (-0.1, None), (float("nan"), None), (0.1, 0), (0.1, -5)]
)
def test_invalid_sizes_are_usage_errors(val_size, train_size):
    with pytest.raises(UsageError, match="must be at least"):
        split(np.zeros(100, dtype=np.int64), 0, val_size, train_size)

"""Fractions of designs with levels: orthogonal arrays by brute force, their size, and what cannot be."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from ablate.errors import UsageError
from ablate.stats.levels.coding import model_of, read_design, shared_variance
from ablate.studies.level_fractions import every_combination, level_fraction

KNOWN = [
    ((3, 3, 3, 3), 3, 9),
    ((2, 3, 3, 3, 3), 3, 18),
    ((4, 2, 2, 2, 2), 3, 8),
    ((3, 2, 2, 2, 2), 3, 12),
    ((4, 4, 2, 2, 2), 3, 16),
    ((5, 5, 5), 3, 25),
    ((3, 4, 2, 2), 3, 24),
    ((3, 3, 3, 3), 4, 27),
    ((3, 2, 2, 2), 4, 24),
    ((3, 2, 2, 2, 2), 4, 24),
    ((4, 2, 2, 2), 4, 16),
    ((3, 3, 2, 2), 4, 36),
    ((3, 3, 3, 3, 3, 3), 4, 81),
    ((2, 2, 2, 2, 2, 2, 2, 2, 3), 4, 48),
]
"""Numbers of levels, resolution, and the runs of a small orthogonal array (Hedayat, Sloane and Stufken, 1999)."""


def strength_of(rows: Sequence[Sequence[int]], sizes: Sequence[int]) -> int:
    """Return the strength of a fraction, by counting the combinations of levels in every set of its components."""
    for strength in range(1, len(sizes) + 1):
        for chosen in itertools.combinations(range(len(sizes)), strength):
            counts = Counter(tuple(row[place] for place in chosen) for row in rows)
            if len(counts) < math.prod(sizes[place] for place in chosen) or len(set(counts.values())) > 1:
                return strength - 1
    return len(sizes)


def levels_of(rows: Sequence[Sequence[int]]) -> pd.DataFrame:
    names = [f"f{place}" for place in range(len(rows[0]))]
    return pd.DataFrame(rows, columns=names, index=[f"arm{place}" for place in range(len(rows))]).astype(object)


@pytest.mark.parametrize(("sizes", "resolution", "runs"), KNOWN)
def test_fractions_are_small_orthogonal_arrays(sizes: tuple[int, ...], resolution: int, runs: int) -> None:
    rows = level_fraction(sizes, resolution)
    assert (len(rows), len(set(rows)), rows[0]) == (runs, runs, (0,) * len(sizes))
    for chosen in itertools.combinations(range(len(sizes)), resolution - 1):
        counts = Counter(tuple(row[place] for place in chosen) for row in rows)
        assert set(counts.values()) == {runs // math.prod(sizes[place] for place in chosen)}
    assert strength_of(rows, sizes) >= resolution - 1
    model = model_of(read_design(levels_of(rows)))
    assert model.is_screening is (resolution == 3 and len(rows) < math.prod(sizes))
    assert len([term for term in model.terms if len(term) == 1]) == len(sizes)


def test_the_same_request_gives_the_same_fraction() -> None:
    assert level_fraction((3, 3, 2, 2), 3) == level_fraction((3, 3, 2, 2), 3)
    assert level_fraction((3, 3, 3), 3) == (
        (0, 0, 0), (0, 1, 1), (0, 2, 2), (1, 0, 1), (1, 1, 2), (1, 2, 0), (2, 0, 2), (2, 1, 0), (2, 2, 1),
    )  # fmt: skip


@pytest.mark.parametrize("sizes", [(3, 4, 2), (3, 3), (2, 3, 5)])
def test_components_without_a_fraction_have_all_combinations(sizes: tuple[int, ...]) -> None:
    assert level_fraction(sizes) == every_combination(sizes)


def test_a_number_of_runs_gives_the_highest_strength() -> None:
    assert [strength_of(level_fraction((3, 2, 2, 2), runs=runs), (3, 2, 2, 2)) for runs in (12, 24)] == [2, 4]
    assert strength_of(level_fraction((4, 2, 2, 2), runs=16), (4, 2, 2, 2)) == 3


@pytest.mark.parametrize(("sizes", "runs"), [((3, 3, 2), 12), ((3, 4, 2), 12), ((5, 3, 2), 10), ((3, 3, 3), 8)])
def test_other_numbers_of_runs_are_nearly_orthogonal(sizes: tuple[int, ...], runs: int) -> None:
    rows = level_fraction(sizes, runs=runs)
    assert (len(set(rows)), rows[0]) == (runs, (0,) * len(sizes))
    design = read_design(levels_of(rows))
    mains = [(name,) for name in design.factors]
    matrix = design.matrix(mains)
    efficiency = np.linalg.det(matrix.T @ matrix / runs) ** (1 / matrix.shape[1])
    generator = np.random.default_rng(0)
    every = read_design(levels_of(every_combination(sizes))).matrix(mains)
    random = [every[[0, *1 + generator.permutation(len(every) - 1)[: runs - 1]]] for _ in range(300)]
    others = [max(0.0, np.linalg.det(one.T @ one / runs)) ** (1 / matrix.shape[1]) for one in random]
    assert efficiency > max(0.85, np.quantile(others, 0.98))


def test_the_aliases_of_a_fraction_are_those_of_its_defining_words() -> None:
    """In nine runs of four components with three levels, each is aliased with the pairs of the other three."""
    model = model_of(read_design(levels_of(level_fraction((3, 3, 3, 3), 3))))
    for name in ("f0", "f1", "f2", "f3"):
        shares = model.aliases[(name,)]
        assert set(shares) == {pair for pair in model.excluded if name not in pair}
        assert sum(shares.values()) == pytest.approx(3.0)  # each is aliased with half of every pair: 2 of 4 columns
    resolution_4 = model_of(read_design(levels_of(level_fraction((3, 3, 3, 3), 4))))
    assert not resolution_4.is_screening
    assert resolution_4.aliases


def test_shared_variance_is_that_of_canonical_correlations() -> None:
    columns = np.random.default_rng(1).normal(size=(20, 2))
    assert shared_variance(columns, np.column_stack([columns @ [[1, 2], [0, 1]], np.ones(20)])) == pytest.approx(1)
    assert shared_variance(columns[:, :1], columns[:, 1:]) == pytest.approx(np.corrcoef(columns.T)[0, 1] ** 2)


def test_impossible_fractions_are_refused() -> None:
    with pytest.raises(UsageError, match="3 x 3 x 3 levels has 7 to 27 runs, not 6"):
        level_fraction((3, 3, 3), runs=6)
    with pytest.raises(UsageError, match="not 28"):
        level_fraction((3, 3, 3), runs=28)
    with pytest.raises(UsageError, match=r"resolution of at most 4, not 5.*all 54 combinations with .* 'factorial'"):
        level_fraction((3, 3, 3, 2), 5)
    with pytest.raises(UsageError, match="at most 50,000 combinations, not 59,049"):
        level_fraction((3,) * 10)

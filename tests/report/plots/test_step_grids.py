"""Curves of runs on common steps: no interpolation, bins only where steps differ, diverged runs stay visible."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from ablate.report.plots.step_grids import MOST_BINS, MOST_RUNS, MOST_STEPS, common_grids
from ablate.report.recorded_curves import RecordedCurve

NAN = math.nan


def run(values: Sequence[float], steps: Sequence[float] | None = None, scored: float = NAN) -> RecordedCurve:
    return RecordedCurve(range(len(values)) if steps is None else steps, values, scored)


def test_equal_steps_are_kept_as_they_are() -> None:
    found = common_grids({"a": [run([1, 2, 3]), run([3, 4, 5], scored=1)]})
    grid = found.by_variant["a"]
    assert grid.steps.tolist() == [0, 1, 2]
    assert grid.values.tolist() == [[1, 2, 3], [3, 4, 5]]
    assert not grid.singles
    assert grid.scored == [(1, 4)]
    assert (found.bins, found.thinned, found.lost) == (0, 0, 0)


def test_a_run_that_ends_early_leaves_the_others_as_single_lines() -> None:
    grid = common_grids({"a": [run([1, 2]), run([3, 4, 5, 6]), run([5, 6, 7, 8])]}).by_variant["a"]
    assert grid.steps.tolist() == [0, 1]
    assert [(steps.tolist(), values.tolist()) for steps, values in grid.singles] == [
        ([1, 2, 3], [4, 5, 6]),
        ([1, 2, 3], [6, 7, 8]),
    ]
    assert grid.stopped == [(1, 2)]


def test_a_run_that_diverges_ends_the_mean_and_is_marked_at_its_last_finite_value() -> None:
    found = common_grids({"a": [run([1, 2, NAN, math.inf]), run([3, 4, 5, 6])], "b": [run([NAN, NAN]), run([NAN, 1])]})
    grid = found.by_variant["a"]
    assert np.isfinite(grid.values).all(axis=0).tolist() == [True, True, False, False]
    assert grid.diverged == [(1, 2)]
    assert [values.tolist() for _, values in grid.singles] == [[4, 5, 6]]
    assert found.lost == 1
    assert [values.tolist() for _, values in found.by_variant["b"].singles] == [[1]]


def test_a_value_that_was_not_finite_once_is_a_gap() -> None:
    grid = common_grids({"a": [run([1, NAN, 3]), run([3, 4, 5])]}).by_variant["a"]
    assert grid.steps.tolist() == [0, 1, 2]
    assert not grid.diverged
    assert not grid.singles


def test_a_run_with_twice_the_interval_is_compared_at_shared_steps() -> None:
    found = common_grids({"a": [run(range(9)), run([0, 2, 4, 6, 8], [0, 2, 4, 6, 8])]})
    assert found.bins == 0
    assert found.by_variant["a"].steps.tolist() == [0, 2, 4, 6, 8]


def test_different_steps_are_binned_with_the_mean_of_each_run() -> None:
    one, other = run([0.0] * 40, np.arange(40) * 2.0), run([4.0, 8.0] * 20, np.arange(40) * 2.0 + 1)
    found = common_grids({"a": [one, other]})
    assert found.bins == 10
    grid = found.by_variant["a"]
    assert grid.values.shape == (2, 10)
    assert grid.values[0].tolist() == [0] * 10
    assert grid.values[1] == pytest.approx([6] * 10)
    assert grid.steps[0] == pytest.approx(79 / 20)


def test_a_bin_with_a_value_that_is_not_finite_is_not_finite() -> None:
    values = [1.0] * 40
    values[20] = math.inf
    one, other = run(values, np.arange(40) * 2.0), run([1.0] * 40, np.arange(40) * 2.0 + 1)
    assert np.isfinite(common_grids({"a": [one, other]}).by_variant["a"].values[0]).sum() == 9


def test_long_histories_and_many_runs_are_thinned_alike_every_time() -> None:
    random = np.random.default_rng(0)
    long = {"a": [run(random.normal(size=5000)) for _ in range(2)]}
    first, again = common_grids(long), common_grids(long)
    steps = first.by_variant["a"].steps
    assert (len(steps), steps[0], steps[-1]) == (MOST_STEPS, 0, 4999)
    assert first.thinned == 5000
    assert steps.tolist() == again.by_variant["a"].steps.tolist()
    irregular = [run(np.ones(900), np.sort(random.choice(10**6, 900, replace=False))) for _ in range(3)]
    assert common_grids({"a": irregular}).bins == MOST_BINS
    many = common_grids({"a": [run([1, 2]), *(run([1, 2, 3]) for _ in range(60))]})
    assert len(many.by_variant["a"].singles) == MOST_RUNS
    assert many.omitted == 60 - MOST_RUNS


@pytest.mark.parametrize("runs", [[[1.0]], [[1.0], [2.0]], [[1e308, -1e308]], [[NAN]], [[5e-324, 0.0]]])
def test_short_and_extreme_runs(runs: list[list[float]]) -> None:
    found = common_grids({"a": [run(values) for values in runs]})
    assert set(found.by_variant) == ({"a"} if math.isfinite(runs[0][0]) else set())


def test_runs_without_a_common_span_are_single_lines() -> None:
    grid = common_grids({"a": [run([1, 2], [0, 1]), run([3, 4], [5, 6])]}).by_variant["a"]
    assert not len(grid.steps)
    assert len(grid.singles) == 2

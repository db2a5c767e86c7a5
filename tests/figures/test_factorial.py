"""Main effects, interactions, half-normal plots, Shapley values and the noise budget."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle
from scipy import stats

from ablate import figures
from tests.samples.figures import MANY, Drawn, arm_names, cell_means, effect_rows, points

pytestmark = pytest.mark.usefixtures("all_pictures")


@MANY
def test_labels_of_attribution_plots_do_not_collide(drawn: Drawn, count: int, long: bool, seeds: int) -> None:
    names = arm_names(count, long)
    shares = [{"factor": name, "loo": -1.0, "shapley": place, "aoi": 1} for place, name in enumerate(names)]
    figures.shapley_bars(shares)
    drawn.check()
    rows, differences = effect_rows(count, long, seeds)
    figures.main_effects([row | {"effect": row["delta"]} for row in rows], seeds=differences)
    drawn.check()
    figures.half_normal([8 + 0.01 * place for place in range(count)], names, 2.0, 3.0)
    drawn.check()
    figures.noise_budget({name: 0.3 + 0.001 * place for place, name in enumerate(names)}, image_se=0.1, margin=0.5)
    drawn.check()


@pytest.mark.parametrize(("count", "long"), [(3, False), (7, True)])
def test_labels_of_interaction_plots_do_not_collide(drawn: Drawn, count: int, long: bool) -> None:
    pairs = list(itertools.combinations(arm_names(count, long), 2))
    figures.interaction_grid(cell_means(pairs), notes={pairs[0]: "synergy -2.0 [-2.6, -1.4]"})
    drawn.check()


def test_interaction_lines_join_the_cell_means(drawn: Drawn) -> None:
    figures.interaction_grid(pd.DataFrame(cell_means([("a", "b")])))
    joined = [[y for _, y in points(line)] for line in drawn.axes().lines]
    assert [80, 83] in joined
    assert [86, 89] in joined


def test_missing_attributions_are_left_out(drawn: Drawn) -> None:
    figures.shapley_bars([{"factor": "a", "loo": 3.0, "aoi": math.nan}, {"factor": "b", "loo": 5.0, "shapley": 1.0}])
    widths = [patch.get_width() for patch in drawn.axes().patches if isinstance(patch, Rectangle)]
    assert [width for width in widths if math.isfinite(width)] == [5.0, 3.0, 1.0]
    assert "add-one-in" not in drawn.words
    assert {"leave-one-out", "Shapley value"} <= set(drawn.words)


def test_half_normal_plots_label_large_contrasts(drawn: Drawn) -> None:
    contrasts = (21.625, 3.125, 0.125, 9.875, -18.125, 2.375, 1.875, 14.625, 16.625, -0.375, 4.125, -1.125)
    names = [f"c{place}" for place in range(12)]
    figures.half_normal(contrasts, names, 6.7477773, 13.6989596)
    assert {"c0", "c3", "c4", "c7", "c8"} == {words for words in drawn.words if words in names}
    drawn.check()
    assert points(drawn.axes().lines[0]) == [
        pytest.approx((quantile, size))
        for quantile, size in zip(
            stats.halfnorm.ppf((np.arange(12) + 0.5) / 12), sorted(map(abs, contrasts)), strict=True
        )
    ]
    figures.half_normal([1.0, math.nan, -2.0], ["a", "b", "c"], math.nan, math.nan)
    assert "c" in drawn.words
    assert "a" not in drawn.words


def test_the_standard_error_falls_with_the_root_of_the_seeds(drawn: Drawn) -> None:
    figures.noise_budget({"no-dropout": 1.0, "no-noise": 0.0, "unknown": math.nan}, margin=0.5)
    assert points(drawn.axes().lines[0]) == [pytest.approx((n, n**-0.5)) for n, _ in points(drawn.axes().lines[0])]
    assert points(drawn.axes().lines[1]) == [(0, 0.5), (1, 0.5)]
    assert "standard error equal to the margin (0.5)" in [words.replace("\n", " ") for words in drawn.words]
    figures.noise_budget({})
    drawn.check()


def test_of_many_noise_lines_three_are_labelled(drawn: Drawn) -> None:
    figures.noise_budget({f"arm{place}": 1.0 + place for place in range(5)})
    assert {"variants with the lowest, median and highest noise", "2 other variants"} <= set(drawn.words)
    figures.noise_budget({f"arm{place}": 1.0 + place for place in range(4)})
    assert not any("variant" in words for words in drawn.words)


@pytest.mark.parametrize(
    "empty",
    [
        lambda: figures.forest([], margin=0.5),
        lambda: figures.slopes({}),
        lambda: figures.main_effects([]),
        lambda: figures.interaction_grid([]),
        lambda: figures.half_normal([], [], 1, 2),
        lambda: figures.shapley_bars([]),
    ],
)
def test_empty_input_is_an_error(empty: Callable[[], bytes]) -> None:
    with pytest.raises(ValueError, match=r"no |at least one"):
        empty()

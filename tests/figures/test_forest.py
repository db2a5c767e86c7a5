"""Forest plots and paired slopes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from ablate import figures
from tests.samples.figures import MANY, Drawn, arm_names, effect_rows, points

pytestmark = pytest.mark.usefixtures("all_pictures")


@MANY
def test_labels_of_a_forest_plot_do_not_collide(drawn: Drawn, count: int, long: bool, seeds: int) -> None:
    rows, differences = effect_rows(count, long, seeds)
    figures.forest(rows, margin=0.5, seeds=differences, title="What each component is worth")
    drawn.check()


@MANY
def test_labels_of_a_forest_plot_for_phones_do_not_collide(drawn: Drawn, count: int, long: bool, seeds: int) -> None:
    rows, differences = effect_rows(count, long, seeds)
    with figures.drawn_for("phone"):
        figures.forest(rows, margin=0.5, seeds=differences)
    assert drawn.figure.get_size_inches()[0] < 4.5
    drawn.check()


@MANY
def test_labels_of_slopes_do_not_collide(drawn: Drawn, count: int, long: bool, seeds: int) -> None:
    random = np.random.default_rng(1)
    figures.slopes({name: random.normal(90, 1, (seeds, 2)).tolist() for name in arm_names(count, long)})
    drawn.check()


def test_forest_shows_every_seed_and_interval_sorted(drawn: Drawn) -> None:
    rows, seeds = effect_rows(3)
    figures.forest(pd.DataFrame(rows), margin=0.5, seeds=seeds)
    axes = drawn.axes()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["no-augment", "no-batch-norm", "no-residual"]
    dots = [x for line in axes.lines if line.get_marker() == "." for x, _ in points(line)]
    assert sorted(dots) == pytest.approx(sorted(value for values in seeds.values() for value in values))
    spans = [tuple(x for x, _ in points(line)) for line in axes.lines]
    for row in rows:
        assert (row["ci_low"], row["ci_high"]) in spans
        assert (row["fw_low"], row["fw_high"]) in spans
    assert any("clear and important" in words for words in drawn.words)


def test_a_variant_with_two_references_has_the_seeds_of_each_comparison(drawn: Drawn) -> None:
    (row, *_), _ = effect_rows(1)
    rows = [row | {"reference": name} for name in ("first", "second")]
    figures.forest(rows, margin=0.5, seeds={("no-augment", "first"): [-12.5], ("no-augment", "second"): [-11.5]})
    drawn_dots = [
        [x for line in axes.lines if line.get_marker() == "." for x, _ in points(line)] for axes in drawn.figure.axes
    ]
    assert drawn_dots == [[-12.5], [-11.5]]


def test_small_effects_are_enlarged_next_to_large_ones(drawn: Drawn) -> None:
    rows, seeds = effect_rows(7)
    figures.forest(rows, margin=0.5, seeds=seeds)
    whole, near = drawn.figure.axes
    assert whole.get_xlim()[0] < -12
    assert -3 < near.get_xlim()[0] < -0.5
    figures.forest(rows[2:5], margin=0.5, seeds=seeds)
    assert len(drawn.figure.axes) == 1


def zoomed(near: float, half: float) -> tuple[list[dict[str, Any]], dict[str, list[float]]]:
    """Four small effects beside a large one and one at `near` whose 95 % interval reaches `half` to each side."""
    rows, seeds = [], {}
    for name, delta, reach in (
        *((f"small{n}", 0.1 * n, 0.5) for n in range(4)),
        ("large", -20, 1),
        ("near", near, half),
    ):
        ends = {"ci_low": delta - reach, "ci_high": delta + reach, "fw_low": delta - 1.5 * reach}
        rows.append({"variant": name, "delta": delta, "verdict": "x", "fw_high": delta + 1.5 * reach} | ends)
        seeds[name] = [delta - 0.6 * reach, delta, delta + 0.6 * reach]
    return rows, seeds


def marks(axes: Axes, marker: str) -> list[float]:
    return [x for line in axes.lines if line.get_marker() == marker for x, _ in points(line)]


@pytest.mark.parametrize(("near", "half"), [(1.1, 0.3), (1.3, 0.3), (1.3, 0.6)])
def test_a_row_near_the_edge_of_the_enlarged_panel_is_complete(drawn: Drawn, near: float, half: float) -> None:
    rows, seeds = zoomed(near, half)
    figures.forest(rows, margin=0.5, seeds=seeds)
    _, axes = drawn.figure.axes
    high = axes.get_xlim()[1]
    assert max(near + half, *seeds["near"]) < high < 3
    assert {value for name, values in seeds.items() if name != "large" for value in values} == set(marks(axes, "."))
    assert len(marks(axes, "o")) == 5
    assert len(marks(axes, "<")) == 1
    assert not marks(axes, ">")


@pytest.mark.parametrize(("near", "half"), [(1.1, 4.0), (2.5, 0.3)])
def test_a_row_without_room_in_the_enlarged_panel_is_an_arrow(drawn: Drawn, near: float, half: float) -> None:
    rows, seeds = zoomed(near, half)
    figures.forest(rows, margin=0.5, seeds=seeds)
    whole, axes = drawn.figure.axes
    assert len(marks(whole, "o")) == 6
    assert len(marks(axes, "o")) == 4
    assert len(marks(axes, ".")) == 12
    assert len(marks(axes, "<")) == len(marks(axes, ">")) == 1


def test_no_second_panel_if_it_would_hardly_enlarge(drawn: Drawn) -> None:
    rows, _ = effect_rows(7)
    for row in rows:
        row |= {f"{kind}_{end}": row["delta"] + way for kind in ("ci", "fw") for end, way in (("low", -3), ("high", 3))}
    wide = {row["variant"]: [row["delta"] - 3, row["delta"], row["delta"] + 3] for row in rows}
    figures.forest(rows, margin=0.5, seeds=wide)  # a range of 19 points, and of 10
    assert len(drawn.figure.axes) == 1


def test_missing_values_and_a_diverged_arm_can_be_drawn(drawn: Drawn) -> None:
    rows, seeds = effect_rows(5)
    rows = rows[2:]
    rows[0] |= {"delta": -75.0, "ci_low": -95, "fw_low": -99, "n_unstable": 3, "verdict": "trains unreliably: 3 of 5"}
    rows[1] |= dict.fromkeys(("delta", "ci_low", "ci_high", "fw_low", "fw_high"), math.nan) | {"verdict": "no seeds"}
    seeds[rows[0]["variant"]] = [-80.0, -79.0, 0.1]
    del seeds[rows[1]["variant"]]
    figures.forest(rows, margin=0.5, seeds=seeds)
    drawn.check()
    assert drawn.figure.axes[0].get_xlim()[0] > -5
    assert "outside the axis" in drawn.words
    assert not any("75" in words for words in drawn.words)  # the verdict gives no difference


def test_decimals_of_estimates_follow_the_margin(drawn: Drawn) -> None:
    rows = [{"variant": "a", "delta": -0.01234, "verdict": "inconclusive"}]
    figures.forest(rows, margin=0.5)
    assert "\N{MINUS SIGN}0.01 · inconclusive" in drawn.words
    figures.forest(rows, margin=0.005, unit="nats")
    assert "\N{MINUS SIGN}0.0123 · inconclusive" in drawn.words


def test_forest_has_a_panel_for_each_reference(drawn: Drawn) -> None:
    rows, _ = effect_rows(3)
    figures.forest(rows + [row | {"reference": "none", "variant": "only"} for row in rows[:1]], margin=5)
    drawn.check()
    assert {"against baseline", "against none"} <= set(drawn.words)


def test_slopes_name_the_correlation(drawn: Drawn) -> None:
    reference = (93.10, 93.32, 92.95, 93.21, 93.08)
    variant = (90.12, 90.35, 89.75, 90.40, 89.93)
    pairs = {
        "no-batch-norm": [*zip(reference, variant, strict=True), (93.0, math.nan)],
        "no-dropout": [(93.0, 93.0)] * 3,
        "no-residual": [],
        "no-augment": [(93.0, 92.0), (93.1, 92.1)],
    }
    figures.slopes(pairs, rho={"no-augment": -0.5})
    assert "no-batch-norm\nrho = 0.92, n = 5" in drawn.words
    assert "no-dropout\nrho undefined, n = 3" in drawn.words
    assert "no-augment\nrho = -0.50, n = 2" in drawn.words
    assert "no shared seeds" in drawn.words

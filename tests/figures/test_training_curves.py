"""Training curves of a study."""

from __future__ import annotations

import numpy as np
import pytest

from ablate import figures
from ablate.errors import UserError
from tests.samples.figures import MANY, Drawn, arm_names, edges, history, points

pytestmark = pytest.mark.usefixtures("all_pictures")


@MANY
def test_labels_of_training_curves_do_not_collide(drawn: Drawn, count: int, long: bool, seeds: int) -> None:
    names = ["baseline", *arm_names(count, long)]
    arms = {name: [history(0.9 - 0.002 * place)] * min(seeds, 3) for place, name in enumerate(names)}
    figures.training_curves(arms, None, "val/accuracy", title="Validation accuracy")
    drawn.check()


def test_training_curves_show_mean_band_and_stops(drawn: Drawn) -> None:
    arms = {"no-dropout": [history(0.7), history(0.8)], "baseline": [history(0.9), history(0.92, epochs=5)]}
    figures.training_curves(arms, None, "val/accuracy", band="range")
    first, cross, second = drawn.axes().lines
    last = [100 * seed[-1]["val/accuracy"] for seed in arms["no-dropout"]]
    assert points(second)[-1] == pytest.approx((8, np.mean(last)))
    assert points(first)[-1] == pytest.approx((8, 100 * arms["baseline"][0][-1]["val/accuracy"]))
    assert cross.get_marker() == "x"
    assert points(cross)[0][0] == 5
    assert np.isclose(edges(drawn.axes(), 1)[:, None], last).any(axis=0).all()
    assert {"a seed stopped here", "lowest to highest seed", "validation accuracy (%)"} <= set(drawn.words)


def test_the_band_is_one_sample_standard_deviation(drawn: Drawn) -> None:
    seeds = [[{"step": 1, "x": value}, {"step": 2, "x": value}] for value in (1, 2, 6)]
    figures.training_curves({"a": seeds}, None, "x")
    deviation = np.std([1, 2, 6], ddof=1)
    assert edges(drawn.axes()).min() == pytest.approx(3 - deviation)
    assert edges(drawn.axes()).max() == pytest.approx(3 + deviation)


def test_the_legend_omits_a_band_that_is_not_drawn(drawn: Drawn) -> None:
    figures.training_curves({"a": [history(), history()], "b": [history(0.8)]}, None, "val/accuracy")
    assert "mean over seeds" in drawn.words
    assert not any("standard deviation" in words for words in drawn.words)


@pytest.mark.parametrize(("start", "cut"), [(10.0, True), (85.0, False), (92.0, False)])
def test_the_axis_cuts_off_early_values_only_if_it_gets_much_shorter(drawn: Drawn, start: float, cut: bool) -> None:
    values = (start, *(90 + epoch for epoch in range(9)))
    rows = [{"step": epoch, "val/accuracy": value / 100} for epoch, value in enumerate(values)]
    figures.training_curves({"a": [rows]}, None, "val/accuracy")
    assert ("early values below the axis are cut off" in drawn.words) == cut
    assert (drawn.axes().get_ylim()[0] > start) == cut
    drawn.check()


def test_equal_arms_are_drawn_once(drawn: Drawn) -> None:
    figures.training_curves({name: [history()] for name in ["baseline", *arm_names(25)]}, None, "lr")
    assert "baseline and 25 identical arms" in [words.replace("\n", " ") for words in drawn.words]
    drawn.check()


def test_many_arms_have_a_panel_each_with_the_reference(drawn: Drawn) -> None:
    arms = {name: [history(0.9 - 0.01 * place)] for place, name in enumerate([*arm_names(7), "baseline"])}
    figures.training_curves(arms, None, "val/accuracy")
    panels = [axes for axes in drawn.figure.axes if axes.get_visible()]
    assert len(panels) == 7
    assert all(len(axes.lines) == 2 for axes in panels)
    assert drawn.words.count("6") == 7  # every panel has its ticks, the lowest of each column the word
    assert drawn.words.count("epoch") == 4


def test_of_very_many_arms_the_reference_and_the_extremes_are_labelled(drawn: Drawn) -> None:
    arms = {f"arm{place}": [history(0.9 - 0.005 * place)] for place in range(60)} | {"baseline": [history(0.95)]}
    figures.training_curves(arms, None, "val/accuracy")
    drawn.check()
    named = {words for words in drawn.words if words.startswith(("arm", "baseline"))}
    assert named == {"baseline", "arm0", "arm1", "arm58", "arm59"}
    assert "56 other arms" in drawn.words
    assert len(drawn.axes().lines) == 61


def test_an_unrecorded_metric_is_an_error() -> None:
    with pytest.raises(UserError, match="val/f1"):
        figures.training_curves({"baseline": [history()]}, None, "val/f1")

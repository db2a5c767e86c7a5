"""Curves of runs of other software."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from ablate import figures
from ablate.figures.media import Medium
from tests.samples.figures import Drawn, edges, points

pytestmark = pytest.mark.usefixtures("all_pictures")


def arm(name: str, values: Any, **more: Any) -> dict[str, Any]:
    rows = np.asarray(values, dtype=float)
    marks = {"singles": [], "diverged": [], "stopped": [], "scored": []}
    return {"name": name, "steps": np.arange(rows.shape[1]) * 10.0, "values": rows, **marks, **more}


ARMS = [
    arm("baseline", [[1, 2, 3], [3, 4, 8]], scored=[(10, 2), (20, 8)]),
    arm("no_x_50%$", [[1, 2, math.nan], [2, 2, 5]], diverged=[(10, 2)], singles=[(np.array([10.0, 20]), [2.0, 5])]),
]


def test_mean_band_single_runs_and_marks(drawn: Drawn) -> None:
    figures.run_curves(ARMS, label="reward", axis="global_step")
    axes = drawn.axes()
    mean, other, single = axes.lines[:3]
    assert points(mean) == [(0, 2), (10, 3), (20, 5.5)]
    assert [y for _, y in points(other)][:2] == [1.5, 2]
    assert math.isnan(points(other)[2][1])
    assert points(single) == [(10, 2), (20, 5)]
    assert edges(axes).max() == pytest.approx(5.5 + np.std([3, 8], ddof=1))
    assert {"reward", "global_step", "a run diverged", "score", "single run", "no_x_50%$"} <= set(drawn.words)
    drawn.check()


@pytest.mark.parametrize("medium", ["screen", pytest.param("page", marks=pytest.mark.slow), "column"])
@pytest.mark.parametrize("count", [1, 5, 7, 45])
def test_labels_do_not_collide_in_any_medium(drawn: Drawn, medium: Medium, count: int) -> None:
    arms = [arm(f"variant-with-a-very-long-name-{place}", np.arange(6).reshape(2, 3) + place) for place in range(count)]
    with figures.drawn_for(medium):
        figures.run_curves(arms, label="validation accuracy (%)", reference=arms[0]["name"], scored_step=20.0)
    drawn.check()
    assert "step of the scores" in drawn.words


@pytest.mark.parametrize("scale", [1e300, -1e300, 1e-300, 1e-9, 0.0])
@pytest.mark.parametrize("band", ["sd", "range"])
def test_huge_tiny_and_equal_values_can_be_drawn(drawn: Drawn, scale: float, band: Any) -> None:
    figures.run_curves([arm("a", np.array([[1, 2, 3], [2, 3, 4]]) * scale)], label="x", band=band)
    assert np.isfinite(drawn.axes().get_ylim()).all()
    assert np.isfinite(edges(drawn.axes())).all()


def test_a_mark_outside_the_axis_is_at_its_edge(drawn: Drawn) -> None:
    calm = arm("a", [np.linspace(0, 1, 40)] * 2)
    lost = arm("b", [np.linspace(0, 1, 40)], diverged=[(390.0, 1e12)], singles=[])
    figures.run_curves([calm, lost], label="x")
    (cross,) = (line for line in drawn.axes().lines if line.get_marker() == "x")
    assert points(cross) == [(390, drawn.axes().get_ylim()[1])]
    assert drawn.axes().get_ylim()[1] < 2
    assert "values above the axis are cut off" in drawn.words


def test_the_reference_is_behind_every_panel(drawn: Drawn) -> None:
    arms = [arm(name, [[1, 2, 3]]) for name in ("baseline", *"abcdef")]
    figures.run_curves(arms, label="x")
    panels = [axes for axes in drawn.figure.axes if axes.get_visible()]
    assert len(panels) == 6
    assert drawn.words.count("step") == 4


def test_names_without_glyphs_cause_no_warning(recwarn: pytest.WarningsRecorder) -> None:
    figures.run_curves([arm("数据", [[1, 2, 3]]), arm("bell\x07", [[1, 2, 4]])], label="x")
    assert not list(recwarn)

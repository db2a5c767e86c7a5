"""Differences by the value of a setting: positions, intervals, scales, and room for the labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
from matplotlib.axes import Axes

from ablate import figures
from ablate.figures.scales import scale_of
from tests.samples.figures import Drawn, points

pytestmark = pytest.mark.usefixtures("all_pictures")


def doses(factor: str, values: Sequence[float], reference: float, name: str = "baseline") -> list[dict[str, Any]]:
    """Return effects that grow with the value, and whose verdicts alternate."""
    verdicts = ("clear and important loss", "inconclusive", "clear and important gain")
    return [
        {
            "factor": factor, "value": value, "reference_value": reference, "variant": f"{factor}={value:g}",
            "reference": name, "delta": 0.2 * place, "level": 0.95, "ci_low": 0.2 * place - 0.3,
            "ci_high": 0.2 * place + 0.3, "fw_low": 0.2 * place - 0.4, "fw_high": 0.2 * place + 0.4,
            "n_unstable": 0, "verdict": verdicts[place % 3],
        }
        for place, value in enumerate(value for value in values if value != reference)
    ]  # fmt: skip


def ticks(axes: Axes) -> list[str]:
    return [label.get_text() for label in axes.get_xticklabels()]


def test_each_value_has_its_intervals_and_seeds(drawn: Drawn) -> None:
    rows = doses("lr", [0.01, 0.02, 0.03, 0.05], 0.02)
    figures.dose_response(rows, margin=0.5, seeds={"lr=0.03": [0.1, 0.2, 0.3]})
    axes = drawn.axes()
    assert ticks(axes) == ["0.01", "0.02", "0.03", "0.05"]
    spans = [points(line) for line in axes.lines]
    for row in rows:
        for low, high in (("ci_low", "ci_high"), ("fw_low", "fw_high")):
            assert [(row["value"], row[low]), (row["value"], row[high])] in spans
    dots = [y for line in axes.lines if line.get_marker() == "." for _, y in points(line)]
    assert dots == [0.1, 0.2, 0.3]
    assert [(0.02, 0)] in [points(line) for line in axes.lines if line.get_marker() == "D"]
    assert axes.get_xlabel() == "lr"
    assert axes.get_ylabel().split() == ["difference", "in", "test", "accuracy", "from", "baseline", "(points)"]
    legend = [text.get_text() for text in drawn.figure.legends[0].get_texts()]
    assert legend[:4] == ["baseline", "clear and important loss", "clear and important gain", legend[3]]
    assert "outside the axis" not in legend


def test_values_over_a_decade_have_a_logarithmic_axis(drawn: Drawn) -> None:
    figures.dose_response(doses("lr", [0.001, 0.01, 0.1], 0.01), margin=0.5)
    assert [x for x, _ in points(drawn.axes().lines[1])] == pytest.approx([-3, -2])
    assert drawn.axes().get_xlabel() == "lr (log scale)"


def test_zero_is_left_of_a_logarithmic_axis(drawn: Drawn) -> None:
    figures.dose_response(doses("weight_decay", [0, 1e-4, 1e-3, 1e-2], 1e-3), margin=0.5)
    assert ticks(drawn.axes()) == ["0", "0.0001", "0.001", "0.01"]
    assert "0 not to scale" in drawn.axes().get_xlabel().replace("\n", " ")
    first = drawn.axes().lines[1]
    assert (first.get_linestyle(), points(first)[0][0]) == (":", pytest.approx(-5))


@pytest.mark.parametrize(
    ("values", "logarithmic"),
    [([0, 0.1, 0.5], False), ([1, 10], True), ([-1, 1, 100], False), ([0, 5], False), ([64, 128], False)],
)
def test_scales(values: list[float], logarithmic: bool) -> None:
    assert scale_of(values).logarithmic is logarithmic


def test_values_outside_the_axis_are_marked(drawn: Drawn) -> None:
    rows = doses("lr", [0.001, 0.003, 0.01, 0.03], 0.01)
    rows[-1] |= {"delta": -70.0, "ci_low": -90.0, "n_unstable": 5, "verdict": "trains unreliably"}
    figures.dose_response(rows, margin=0.5)
    assert drawn.axes().get_ylim()[0] > -5
    legend = [text.get_text() for text in drawn.figure.legends[0].get_texts()]
    assert "outside the axis" in legend
    assert min(y for line in drawn.axes().lines if line.get_linestyle() == "-" for _, y in points(line)[:2]) > -91
    joined = [line for line in drawn.axes().lines if line.get_color() == figures.style.BLUE]
    assert len(joined) == 2  # the line ends at the last value in view


def test_settings_and_references_have_panels_of_their_own(drawn: Drawn) -> None:
    rows = doses("lr", [1, 2, 3], 2) + doses("lr", [1, 2, 3], 2, "none") + doses("p", [0, 0.5], 0)
    figures.dose_response(rows, margin=0.5)
    titles = [axes.get_title(loc="left") for axes in drawn.figure.axes[:3]]
    assert titles == ["lr, against baseline", "lr, against none", "p, against baseline"]
    assert "from the reference" in drawn.axes().get_ylabel().replace("\n", " ")


def test_an_unknown_reference_and_missing_numbers_are_not_drawn(drawn: Drawn) -> None:
    rows = doses("lr", [1, 2, 3], 2)
    del rows[0]["reference_value"], rows[1]["reference_value"]
    rows[1] |= {"delta": math.nan, "ci_low": math.nan, "fw_low": math.nan}
    figures.dose_response(rows, margin=0.5)
    assert ticks(drawn.axes()) == ["1", "3"]
    with pytest.raises(ValueError, match="at least one value"):
        figures.dose_response([], margin=0.5)


@pytest.mark.parametrize("medium", ["screen", "phone", "column"])
@pytest.mark.parametrize("count", [3, 25])
def test_labels_do_not_collide(drawn: Drawn, medium: Any, count: int) -> None:
    rows = doses("a-rather-long.name_of_a_setting", [0, *(1.37 * 1.9**place for place in range(count))], 1.37)
    with figures.drawn_for(medium):
        figures.dose_response(rows + doses("lr", [0.1, 0.2], 0.1), margin=0.5, title="Effect by value")
    drawn.check()

"""The goal, the unit and the values of a table's metric: known, given or asked for."""

from __future__ import annotations

import math
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.errors import UsageError, UserError
from ablate.report.sources.scores import MetricColumn, read_metric, read_number
from ablate.report.sources.units import MetricOptions

GOOD, FRACTIONS = {"floor": 0.0, "margin": 0.01}, ["0.93", "0.91"]


def read(name: str, cells: list[str], statuses: list[str] | None = None, **options: object) -> MetricColumn:
    table = pd.DataFrame({name: cells, "status": statuses or ["finished"] * len(cells)})
    table = table.assign(variant="x", seed=range(len(cells)))
    return read_metric(table, name, name, MetricOptions(**options), "line")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["accuracy_loss", "regret", "score", "neg_log_loss", "sharpe", "loss (lower is better)"]
)
def test_an_unknown_goal_is_asked_for(name: str) -> None:
    with pytest.raises(
        UsageError, match=rf"Unknown goal of '{re.escape(name)}'\. Add --metric-goal max or --metric-goal min"
    ):
        read(name, ["93", "91"], margin=1.0)
    assert read(name, ["93", "91"], margin=1.0, goal="min").metric.goal == "min"
    assert read(name, ["93", "91"], margin=1.0, goal="max").metric.goal == "max"


@pytest.mark.parametrize("name", ["acc", "f1", "auroc", "dice", "val/precision", "recall"])
def test_shares_of_one_value_have_one_unit(name: str) -> None:
    for cells in (FRACTIONS, ["93", "91"]):
        found = read(name, cells)
        assert (found.metric.in_points, found.metric.unit, found.margin) == (True, "points", 0.5)
        assert found.values.tolist() == [0.93, 0.91]
    assert "fractions from 0 to 1, differences in points (by its name)" in read(name, FRACTIONS).statement


@pytest.mark.parametrize("name", ["my_f1", "score", "bleu", "r2", "psnr"])
def test_the_unit_of_values_from_0_to_1_is_asked_for(name: str) -> None:
    goal = "max" if name in ("my_f1", "score") else None
    for margin in (0.5, 0.005, None):
        with pytest.raises(UsageError, match=r"--unit fraction.*--unit own"):
            read(name, FRACTIONS, goal=goal, margin=margin)
    assert read(name, FRACTIONS, goal=goal, unit="fraction").metric.in_points
    own = read(name, FRACTIONS, goal=goal, unit="own", margin=0.005).metric
    assert (own.in_points, own.unit) == (False, "")
    assert not read(name, ["31.2", "30.7"], goal=goal, margin=0.5).metric.in_points


def test_both_questions_are_asked_at_once() -> None:
    with pytest.raises(UsageError, match=r"--metric-goal max or --metric-goal min.*--unit fraction") as error:
        read("score", FRACTIONS, margin=0.5)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["error", "eer", "wer", "regret"])
def test_a_large_margin_of_rates_is_asked_about(name: str) -> None:
    """A margin of 0.5 for error rates of 0.07 means points, as it does for accuracies of 0.93."""
    for margin in (0.5, 0.1, 0.02):
        with pytest.raises(UsageError, match="--unit fraction"):
            read(name, ["0.07", "0.09"], goal="min", margin=margin)
    small = read(name, ["0.07", "0.09"], goal="min", margin=0.005)
    assert not small.metric.in_points
    assert "in its own unit (change it with --unit)" in small.statement
    assert read(name, ["0.07", "0.09"], goal="min", unit="fraction", margin=0.5).metric.in_points


@pytest.mark.parametrize("name", ["loss", "val_loss", "brier_score", "mse"])
def test_losses_are_in_their_own_unit(name: str) -> None:
    found = read(name, ["0.07", "0.09"], margin=0.5)
    assert (found.metric.goal, found.metric.in_points) == ("min", False)


@pytest.mark.parametrize(
    ("word", "points", "unit", "first"),
    [("percent", True, "points", 0.005), ("%", True, "points", 0.005), ("fraction", True, "points", 0.5),
     ("points", True, "points", 0.5), ("own", False, "", 0.5), ("ms", False, "ms", 0.5),
     ("Fractions", True, "points", 0.5)],
)  # fmt: skip
def test_words_of_unit(word: str, points: bool, unit: str, first: float) -> None:
    found = read("score", ["0.5", "1"], goal="max", unit=word, margin=0.1)
    assert (found.metric.in_points, found.metric.unit, found.values[0]) == (points, unit, first)


@pytest.mark.parametrize("word", ["fracton", "percnt", "precent", "point", "owns"])
def test_a_misspelt_unit_is_no_unit(word: str) -> None:
    with pytest.raises(UsageError, match=r"Unknown unit .*Did you mean"):
        read("score", FRACTIONS, goal="max", unit=word, margin=0.1)


def test_a_collapsed_run_among_percentages_has_a_way_out() -> None:
    with pytest.raises(UserError, match=r"mixes fractions and percentages: fractions in line 1 .*--unit percent"):
        read("acc", ["93.1", "1.0", "92.8"])
    assert read("acc", ["93.1", "1.0", "92.8"], unit="percent").values.tolist() == pytest.approx([0.931, 0.01, 0.928])
    with pytest.raises(UserError, match="not a fraction from 0 to 1 in line 0 "):
        read("acc", ["93.1", "1.0", "92.8"], unit="fraction")
    with pytest.raises(UserError, match=r"not a percent from 0 to 100 in line 1 .*--unit own"):
        read("acc", ["93.1", "-1", "92.8"])
    assert read("acc", ["93.1", "-1", "92.8"], unit="own", margin=0.5).values.tolist() == [93.1, -1, 92.8]


def test_fractions_read_as_percentages_are_said() -> None:
    assert "from 0 to 1, and --unit %" in read("acc", ["0.93", "0.91"], unit="%").cautions[0]
    assert not read("acc", ["0.93%", "0.91%"], unit="percent").cautions
    assert not read("wer", ["0.93", "0.91"], unit="percent", goal="min", margin=0.5).cautions


def test_runs_that_failed_do_not_decide_the_unit() -> None:
    found = read("acc", ["93.1", "0.0", "-1", "0.5"], ["finished", "finished", "failed", "running"])
    assert found.values[0] == pytest.approx(0.931)


INFINITE = ["inf", "-inf", "NaN", "nan", "Infinity", "1e400", "1.7976931348623157e+308", "-1.7976931348623157e308"]


@pytest.mark.parametrize("cell", INFINITE)
@pytest.mark.parametrize("name", ["acc", "loss"])
def test_a_finished_run_without_a_finite_score_is_unstable(name: str, cell: str) -> None:
    found = read(name, ["0.93", cell, "0.91", ""], **GOOD)
    assert found.statuses.tolist() == ["finished", "unstable", "finished", "finished"]
    assert not math.isfinite(found.values[1])
    assert math.isnan(found.values[3])


@pytest.mark.parametrize("cell", ["", "none", "NA", "n/a", "null", "<NA>"])
def test_a_run_without_a_score_is_not_unstable(cell: str) -> None:
    found = read("acc", ["0.93", cell])
    assert found.statuses.tolist() == ["finished", "finished"]
    assert math.isnan(found.values[1])


@given(st.floats())
def test_every_number_is_read_as_it_was_written(value: float) -> None:
    found = read_number(repr(value))
    assert found is not None
    if math.isnan(value):
        assert math.isnan(found)
    else:
        assert found == value or math.isinf(found) == (abs(value) >= 1.797e308)


@pytest.mark.parametrize(
    ("cells", "options", "floor"),
    [(["0.93", "0.91"], {"floor": 0.1}, 0.1), (["93", "91"], {"floor": 10}, 0.1),
     (["93", "91"], {"floor": 1, "unit": "percent"}, 0.01), (["93", "91"], {"floor": 0}, 0.0)],
)  # fmt: skip
def test_the_floor_is_in_the_unit_of_the_table(cells: list[str], options: dict[str, object], floor: float) -> None:
    assert read("acc", cells, **options).metric.floor == pytest.approx(floor)


@pytest.mark.parametrize(
    ("cells", "floor", "words"),
    [(["93", "91"], 0.1, "percent"), (["93", "91"], 1, "percent"), (["93", "91"], 200, "200"), (FRACTIONS, 10, "10")],
)  # fmt: skip
def test_a_floor_in_another_unit_is_refused(cells: list[str], floor: float, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read("acc", cells, floor=floor)


@pytest.mark.parametrize("cells", [["93.1%", "92%"], ["93.1 %", "92 %"], ["93.1%", "1%"], ["93.1%", "nan"]])
def test_percent_signs_are_percentages(cells: list[str]) -> None:
    found = read("accuracy", cells)
    assert found.values.tolist()[0] == pytest.approx(0.931)
    assert found.metric.in_points
    assert "percentages, differences in points (by its percent signs)" in found.statement


@pytest.mark.parametrize(
    ("cells", "options", "message"),
    [
        (["93.1%", "0.92"], {}, r"accuracy is a percentage \(93.1%\) in some rows, but not in line 1"),
        (["93.1%", "92%"], {"unit": "fraction"}, "accuracy has percent signs, so it is not a fraction"),
        (["193.1%", "92%"], {}, "accuracy is not a percent from 0 to 100"),
        (["9,310", "9,320"], {}, "Use a decimal point, and nothing between thousands"),
        (["1_0", "9"], {}, "accuracy is not a number in line 0"),
        (["\u0660.\u0669", "0.9"], {}, "accuracy is not a number in line 0"),
    ],
)
def test_numbers_that_are_not_clear_are_an_error(cells: list[str], options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read("accuracy", cells, **options)


def test_a_minus_sign_is_a_minus() -> None:
    assert read_number("\N{MINUS SIGN}0.5") == -0.5


THOUSANDS = [
    ["999", "1.003", "1.001"],
    ["993", "1.000"],
    ["-998", "-1.002"],
    ["\N{MINUS SIGN}998", "\N{MINUS SIGN}1.002"],
    ["50", "20.000", "999", "1.003"],
    ["950", "1.020", "", "nan"],
]
DECIMALS = [
    ["0.931", "1", "0.95"],
    ["1.003", "1", "2"],
    ["1.000", "0", "1", "2.125"],
    ["1.993", "2.003"],
    ["999", "1.003", "1.5"],
    ["999", "1.003", "0.998"],
    ["999.0", "1.003"],
    ["999", "1003", "1.003"],
    ["3", "1.234", "2.118"],
    ["12", "9.875", "10.125"],
]


@pytest.mark.parametrize("cells", THOUSANDS)
def test_points_that_may_be_between_thousands_are_an_error(cells: list[str]) -> None:
    with pytest.raises(UserError, match=r"latency may have a point between thousands in line \d.*Write -?\d{4,5} for"):
        read("latency", cells, margin=1.0)


@pytest.mark.parametrize("cells", DECIMALS)
def test_decimals_next_to_whole_numbers_are_read(cells: list[str]) -> None:
    assert read("latency", cells, margin=1.0).values.tolist() == [float(cell) for cell in cells]

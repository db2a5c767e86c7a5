"""Printed values: the rounding rule, the accepted forms, and the same value at the printed precision."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.report.formats.numbers import interval, plain, probability, signed
from ablate.report.marks.values import Value

DELTA = Value("number", "-0.88", (-0.882,), is_signed=True)
GAIN = Value("number", "+2.27", (2.272,), is_signed=True)
MEAN = Value("number", "74.49", (74.494,))
COUNT = Value("number", "5", (5,), is_exact=True)
MARGIN = Value("number", "0.5", (0.5,), is_exact=True)
INTERVAL = Value("interval", "[-1.73, -0.04]", (-1.7254, -0.0385))
SPREAD = Value("mean and SD", "74.49 ± 0.67", (74.494, 0.6662))
P = Value("p-value", ".176", (0.1759,))
SMALL_P = Value("p-value", "< .001", (0.00044,))
VERDICT = Value("words", "exploratory: inconclusive")
UNKNOWN = Value("number", "\N{EN DASH}", (math.nan,))
INFINITE = Value("interval", "infinite", (-math.inf, math.inf))


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (DELTA, ["-0.88", "-0.9", "-1", "-0.8820", "\N{MINUS SIGN}0.88", "**-0.88**", "`-0.88`", " -0.88\n", "$-0.88$",
                 "-.88", "-8.8e-01", "-0.882"]),
        (GAIN, ["+2.27", "2.27", "2", "2.272"]),
        (COUNT, ["5"]),
        (MARGIN, ["0.5", ".5", "0.50"]),
        (INTERVAL, ["[-1.73, -0.04]", "[-1.7, -0.04]", "-1.73 to -0.04", "(-1.73; -0.04)", r"\[-1.73, -0.04\]",
                    "-1.7, 0.0", "[\N{MINUS SIGN}1.73, \N{MINUS SIGN}0.04]", "-1.73 \N{EN DASH} -0.04"]),
        (SPREAD, ["74.49 ± 0.67", "74.5 ± 0.7", "74.49 (0.67)", r"$74.49 \pm 0.67$", "74.49 +/- 0.67"]),
        (P, [".176", "0.176", "= .176", "p = .18", "0.2", "1.759e-01"]),
        (SMALL_P, ["< .001", "<.001", "p < 0.001", "< .01", "0.0004", ".00044", "4.4e-4", r"\textless{} .001"]),
        (VERDICT, ["exploratory: inconclusive", "Exploratory: inconclusive", "**exploratory:\ninconclusive**"]),
        (UNKNOWN, ["\N{EN DASH}"]),
        (INFINITE, ["infinite"]),
    ],
)  # fmt: skip
def test_the_same_value_at_the_printed_precision_agrees(value: Value, printed: list[str]) -> None:
    assert [text for text in printed if not value.agrees(text)] == []


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (DELTA, ["0.88", "+0.88", "-0.87", "-0.89", "-0.9 points", "-0,88", "0", "", "-", "x", "--0.88", "-0.88 1"]),
        (GAIN, ["-2.27", "2.28", "3"]),
        (COUNT, ["6", "4", "5 of 5", "five", "5.1"]),
        (MARGIN, ["0", "1", "0.4", "0.49"]),
        (INTERVAL, ["[-0.04, -1.73]", "[-1.73, 0.04]", "[1.73, 0.04]", "[-1.73, -0.05]", "[-1.73]", "(-1.73, -0.04]",
                    "-1.73", "infinite"]),
        (SPREAD, ["74.49 ± 0.68", "0.67 ± 74.49", "74.49", "74.49 ± "]),
        (P, [".175", ".177", "< .001", "< .05", "< .2", "0", "n.s.", "1.76e-2"]),
        (SMALL_P, [".000", "0.00", "< .002", "< .005", "= .001", "0.001", "0", "< 1", "< 4.4e-4"]),
        (VERDICT, ["inconclusive", "exploratory: clear and important loss", ""]),
        (UNKNOWN, ["0", "nan", ""]),
        (INFINITE, ["[-1, 1]"]),
    ],
)  # fmt: skip
def test_another_value_or_form_does_not_agree(value: Value, printed: list[str]) -> None:
    assert [text for text in printed if value.agrees(text)] == []


@pytest.mark.parametrize(
    ("value", "printed", "filled"),
    [
        (DELTA, "?", "-0.88"),
        (DELTA, "", "-0.88"),
        (DELTA, "-3.2", "-0.9"),
        (DELTA, "**\N{MINUS SIGN}3.2**", "**\N{MINUS SIGN}0.9**"),
        (DELTA, "3.200", "-0.882"),
        (GAIN, "-3.2", "+2.3"),
        (GAIN, "3.2", "2.3"),
        (GAIN, "x", "+2.27"),
        (MEAN, "70.1", "74.5"),
        (MEAN, "+70.1", "+74.5"),
        (COUNT, "4", "5"),
        (MARGIN, "1", "0.5"),
        (INTERVAL, "0.1 to 3", "-1.7 to 0"),
        (INTERVAL, "0.1", "[-1.73, -0.04]"),
        (SPREAD, "1.0 (0.123)", "74.5 (0.666)"),
        (P, "< .001", ".176"),
        (P, "p < 0.01", "p = 0.18"),
        (SMALL_P, "0.20", "< 0.01"),
        (SMALL_P, "= .020", "< .001"),
        (SMALL_P, "p = .020", "p < .001"),
        (SMALL_P, "1", "< .001"),
        (VERDICT, "good", "exploratory: inconclusive"),
        (INFINITE, "[-1, 2]", "infinite"),
    ],
)
def test_filling_keeps_decimals_brackets_and_markup(value: Value, printed: str, filled: str) -> None:
    assert value.at_precision_of(printed) == filled
    assert value.agrees(filled)


@pytest.mark.parametrize(
    ("value", "filled"), [(DELTA, "$-0.88$"), (SPREAD, r"$74.49 \pm 0.67$"), (P, "$.176$"), (SMALL_P, "$< .001$"),
                          (INTERVAL, "$[-1.73, -0.04]$"), (UNKNOWN, "--"), (VERDICT, VERDICT.text)]
)  # fmt: skip
def test_latex(value: Value, filled: str) -> None:
    assert value.at_precision_of("", is_latex=True) == filled
    assert value.agrees(filled)


numbers = st.floats(-1e6, 1e6) | st.floats(-0.01, 0.01) | st.sampled_from([0.0, -0.0, 0.125, 0.5, 1.0, 2.675, 0.9996])
written_numbers = st.from_regex(r"[-+]?[0-9]{0,3}\.[0-9]{1,6}|[-+]?[0-9]{1,4}", fullmatch=True)


@given(numbers, numbers, written_numbers, written_numbers, st.sampled_from(["[{}, {}]", "{} to {}", "({}; {})"]))
def test_what_is_filled_in_agrees_and_stays(one: float, two: float, first: str, second: str, form: str) -> None:
    p = min(abs(one), 1.0)
    cases = [
        (Value("number", signed(one, 2), (one,), is_signed=True), first),
        (Value("number", plain(one, 2), (one,)), first),
        (Value("interval", interval(one, two, 3), (one, two)), form.format(first, second)),
        (Value("p-value", probability(p), (p,)), first),
        (Value("p-value", probability(p), (p,)), f"< {first}"),
    ]
    for value, printed in cases:
        filled = value.at_precision_of(printed)
        assert value.agrees(filled)
        assert value.at_precision_of(filled) == filled
        for place, char in enumerate(filled):
            if char.isdigit():
                other = "1" if char == "0" else str((int(char) + place % 9 + 1) % 10)
                assert not value.agrees(filled[:place] + other + filled[place + 1 :]), (filled, other)

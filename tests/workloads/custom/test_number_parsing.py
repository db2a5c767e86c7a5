"""Numbers as programs print them: read as they are written, or refused."""

from __future__ import annotations

import math
import re
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ablate.stats.metric import Metric
from ablate.workloads.custom.number_parsing import NUMBER_WORD, number_cut_by, read_number


def same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.93", 0.93), ("1e-05", 1e-05), ("2.5E+3", 2500), ("-0.5", -0.5), ("+.5", 0.5), ("5.", 5), ("-0", 0),
        ("\u22120.5", -0.5), ("1.5D-05", 1.5e-05), ("2e\u22123", 2e-3),
        ("nan", math.nan), ("NaN", math.nan), ("-nan", math.nan), ("nan(ind)", math.nan), ("-1.#IND", math.nan),
        ("inf", math.inf), ("-inf", -math.inf), ("Infinity", math.inf), ("\u2212Infinity", -math.inf),
        ("1.#INF", math.inf), ("0.93,", 0.93), ("[0.93]", 0.93), ("'0.93'", 0.93), ("0.93.", 0.93), ("(-5).", -5),
        ("\x1b[32m0.93\x1b[0m", 0.93), ("**0.93**", 0.93), ("1,234.5", 1234.5), ("-12,345,678", -12345678),
    ],
)  # fmt: skip
def test_numbers_in_every_notation(text: str, value: float) -> None:
    found = read_number(text)
    assert same(found.value, value)
    assert not found.is_percentage


@pytest.mark.parametrize("text", ["0,93", "1,234", "1.234,56", "12,34", "0,123,456", "-0,5", "0,93%", "1,2e3"])
def test_an_ambiguous_comma_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="has a comma that may be a decimal point"):
        read_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "high",
        "-",
        ".",
        "e5",
        "1e",
        "0x1F",
        "1_000",
        "9911/10000",
        "12ms",
        "1.2k",
        "1.2.3",
        "2-3",
        "0.5 0.6",
        "nano",
    ],
)
def test_other_words_are_not_numbers(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        read_number(text)


@pytest.mark.parametrize("text", ["<0.5", "<=0.5", "(<0.5)", "<0.5%", "<-3"])
def test_a_bound_is_not_a_number(text: str) -> None:
    with pytest.raises(ValueError, match="is a bound, not a number"):
        read_number(text)
    assert read_number("<0.5>").value == 0.5


@pytest.mark.parametrize("text", ["[0.5,", "[0.5", "(0.5,", "{0.5,", "[[0.5"])
def test_the_first_of_several_values_is_not_the_value(text: str) -> None:
    with pytest.raises(ValueError, match="it may be one of several values"):
        read_number(text)
    assert [read_number(word).value for word in ("(0.5", "[0.5]", "[0.5],", "{0.5}", "((0.5))")] == [0.5] * 5


@given(value=st.floats())
@example(value=2.5e-05)
@example(value=-math.inf)
@example(value=5e-324)
def test_every_float_is_read_as_python_writes_it(value: float) -> None:
    found = read_number(repr(value)).value
    assert struct.pack("d", found) == struct.pack("d", value) or (math.isnan(found) and math.isnan(value))
    assert re.fullmatch(NUMBER_WORD, repr(value))


@given(value=st.floats(allow_nan=False), notation=st.sampled_from(["%e", "%g", "%.3f", "%+.2E", "%.0f", "%G"]))
def test_every_notation_of_c_is_read(value: float, notation: str) -> None:
    assert read_number(notation % value).value == float(notation % value)


@given(value=st.floats(allow_nan=False, allow_infinity=False), places=st.integers(0, 6), mark=st.sampled_from(",_"))
def test_grouped_digits_are_read_exactly_or_refused(value: float, places: int, mark: str) -> None:
    text = f"{value:{mark}.{places}f}"
    try:
        assert read_number(text).value == float(text.replace(mark, ""))
    except ValueError:
        assert mark in text


@given(value=st.floats(allow_nan=False, allow_infinity=False), space=st.sampled_from(["", " "]))
def test_a_percentage_is_a_fraction_unless_it_is_declared(value: float, space: str) -> None:
    found = read_number(f"{value!r}{space}%")
    assert found.is_percentage
    assert found.of(Metric("accuracy"), 1.0) == value / 100
    assert found.of(Metric("accuracy"), 0.01) == value * 0.01
    assert found.of(Metric("accuracy", unit="%"), 1.0) == value
    for metric in (Metric("latency", goal="min", unit="ms"), Metric("score", unit="")):
        with pytest.raises(ValueError, match=r"is a percentage, but the metric .* Declare times=0\.01"):
            found.of(metric, 1.0)


PARTS = [
    r"([\d.]+)",
    r"([\d.]+?)",
    r"(\d+)",
    r"([0-9.,]+)",
    r"(-?\d+\.\d+)",
    r"(\d\.\d\d)",
    r"([\d.e]+)",
    r"(\d)",
    r"(\S+)",
]


@given(
    value=st.floats(),
    notation=st.sampled_from(["{!r}", "{:e}", "{:g}", "{:.4f}", "{:,.1f}", "{:,.0f}", "{:.0f}", "{:+.2e}"]),
    group=st.sampled_from(PARTS),
    before=st.sampled_from(["score: ", "score=", "loss ", "[", "acc\u00a0"]),
    after=st.sampled_from(["", " ", ".", ", 5", "]", "\n", ")"]),
)
@example(value=2.5e-05, notation="{!r}", group=r"([\d.]+)", before="score: ", after="")
@example(value=-0.5, notation="{!r}", group=r"([\d.]+)", before="score=", after="")
def test_a_group_reads_the_whole_number_or_is_refused(
    value: float, notation: str, group: str, before: str, after: str
) -> None:
    """Whatever part of a number a group matches, the value is that of the number, or it is refused."""
    text = f"{before}{notation.format(value)}{after}"
    for found in re.finditer(group, text[: -len(after)] if after == ", 5" else text):
        if found.start() < len(before) - 1:
            continue  # a word in front of the number
        if number_cut_by(text, *found.span(1), "", "") is None:
            try:
                number = read_number(found[1]).value
            except ValueError:
                continue
            assert same(number, float(notation.format(value).replace(",", "")))


@pytest.mark.parametrize(
    ("text", "part", "word"),
    [
        ("2.5e-05", "2.5", "2.5e-05"), ("-0.5", "0.5", "-0.5"), ("0,93", "0", "0,93"), ("1.5D-05", "1.5", "1.5D-05"),
        ("0.9312", "0.93", "0.9312"), ("0.93", "0", "0.93"), ("0.93", "93", "0.93"), ("1,234", "1", "1,234"),
        ("1,234.5", "1", "1,234.5"), ("1.#INF", "1.", "1.#INF"), ("12ms", "12", "12ms"), ("1m30s", "1", "1m30s"),
        ("1.2k", "1.2", "1.2k"), ("\u22120.5", "0.5", "\u22120.5"), ("1_000", "1", "1_000"), ("3e5", "5", "3e5"),
        ("12\u00a0345", "12", "12"), ("1'234", "1", "1'234"), ("1.234,56", "1.234", "1.234,56"), ("-.5", "5", "-.5"),
    ],
)  # fmt: skip
def test_a_part_of_a_number_is_recognised(text: str, part: str, word: str) -> None:
    text = f"score {text} end"
    start = text.index(part)
    assert number_cut_by(text, start, start + len(part), "", "") == word


@pytest.mark.parametrize(
    ("text", "part", "before", "after"),
    [
        ("loss-0.5", "0.5", "", ""),
        ("2024-01-05", "05", "", ""),
        ("0.91,0.85", "0.91", "", ""),
        ("5,0.85", "5", "", ""),
        ("3,0.93", "0.93", "^\\d,", ""),
        ("12,7", "12", "", ",(\\d)"),
        ("12ms", "12", "", "(?:ms|s)"),
        ("12 ms", "12", "", ""),
        ("0.93%", "0.93", "", ""),
        ("0.93.", "0.93", "", ""),
        ("93/100", "93", "", "/"),
        ("v.5", "5", "", ""),
        ("0.5\u00b10.1", "0.5", "", ""),
        ("0.5+-0.1", "0.5", "", ""),
        ("top5", "5", "", ""),
    ],
)
def test_a_whole_number_is_recognised(text: str, part: str, before: str, after: str) -> None:
    start = text.index(part)
    assert number_cut_by(text, start, start + len(part), before, after) is None

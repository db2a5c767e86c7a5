"""Counts, lists and unknown names in words, and numbers without a negative zero."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import pytest

from ablate.figures import labels
from ablate.report.formats.numbers import interval, plain, signed, spread
from ablate.wording import count, fixed, listed, ranges, unknown
from tests.import_graph import MODULES


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 analyses"), (1, "1 analysis"), (2, "2 analyses"), (1200, "1,200 analyses")]
)
def test_counts_are_singular_or_plural(number: int, words: str) -> None:
    assert count(number, "analysis", "analyses") == words
    assert count(number, "run") == words.replace("analyses", "runs").replace("analysis", "run")


def test_long_lists_are_shortened() -> None:
    assert listed(["a", "b", "c"], most=3) == "a, b, c"
    assert listed(["a", "b", "c"], most=2) == "a, b and 1 more"
    assert listed([]) == ""


@pytest.mark.parametrize(
    ("name", "known", "message"),
    [
        ("agument", ("augment", "ema"), "Unknown factor 'agument'. Did you mean 'augment'? Known: augment, ema"),
        ("xyz", {"augment": 1}, "Unknown factor 'xyz'. Known: augment"),
        ("x", (), "Unknown factor 'x'. No factor exists"),
        ("f12", [f"f{i}" for i in range(12)], None),
    ],
)
def test_an_unknown_name_lists_the_nearest_and_the_known(name: str, known: list[str], message: str) -> None:
    answer = unknown("factor", name, known)
    assert answer == message if message else answer.endswith(" f9 and 2 more")


def test_no_number_is_a_negative_zero() -> None:
    assert [signed(value, 2) for value in (-0.004, -0.0, 0.004, -0.006)] == ["+0.00", "+0.00", "+0.00", "-0.01"]
    assert (plain(-0.004, 2), spread(-0.004, 0.1, 2), interval(-0.004, 0.5, 2)) == (
        "0.00",
        "0.00 \N{PLUS-MINUS SIGN} 0.10",
        "[0.00, 0.50]",
    )
    assert labels.signed(-0.004, 2) == "+0.00"


def test_every_format_with_a_sign_excludes_negative_zero() -> None:
    written = {
        module: re.findall(r":\+(z?),?\.(?:\d+|\{\w+\})f\}", path.read_text()) for module, path in MODULES.items()
    }
    assert any(written.values())
    assert [module for module, found in written.items() if "" in found] == []


@pytest.mark.parametrize(
    ("value", "digits", "sign", "text"),
    [
        (-0.004, 2, "", "0.00"),
        (-0.004, 2, "+", "+0.00"),
        (1234.5, 1, ",", "1,234.5"),
        (-1234.5, 1, "+,", "-1,234.5"),
        (1e300, 2, "", "1e+300"),
        (-1e300, 0, "+,", "-1e+300"),
        (999_999_999.0, 0, "", "999999999"),
        (math.inf, 2, "", "inf"),
        (math.nan, 2, "+", "+nan"),
        (1.5e-20, 20, "", "1.5e-20"),
    ],
)
def test_numbers_have_their_decimals_or_are_short(value: float, digits: int, sign: str, text: str) -> None:
    assert fixed(value, digits, sign) == text


@pytest.mark.parametrize(
    ("numbers", "texts"),
    [
        ([], []),
        ([3, 0, 7], ["0", "3", "7"]),
        (range(5), ["0", "1", "2", "3", "4"]),
        (range(20, 70), ["20-69"]),
        ([9, *range(6), 11, 12], ["0-5", "9", "11", "12"]),
        (["fold b", "fold a", 2], ["2", "fold b", "fold a"]),
    ],
)
def test_six_or_more_consecutive_integers_are_one_range(numbers: Sequence[int | str], texts: list[str]) -> None:
    assert ranges(numbers) == texts

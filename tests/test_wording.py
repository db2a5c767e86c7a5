"""Counts, lists and unknown names in words."""

from __future__ import annotations

import pytest

from ablate.wording import count, listed, unknown


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
        ("x", (), "Unknown factor 'x'. Known: none"),
        ("f12", [f"f{i}" for i in range(12)], None),
    ],
)
def test_an_unknown_name_lists_the_nearest_and_the_known(name: str, known: list[str], message: str) -> None:
    answer = unknown("factor", name, known)
    assert answer == message if message else answer.endswith(" f9 and 2 more")

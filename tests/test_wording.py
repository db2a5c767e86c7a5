"""How many of a thing, in words."""

from __future__ import annotations

import pytest

from ablate.wording import count


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 analyses"), (1, "1 analysis"), (2, "2 analyses"), (1200, "1,200 analyses")]
)
def test_one_is_singular(number: int, words: str) -> None:
    assert count(number, "analysis", "analyses") == words
    assert count(number, "run") == words.replace("analyses", "runs").replace("analysis", "run")

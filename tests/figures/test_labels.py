"""Labels: names fit their space, and labels keep their distance."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.figures import labels

pytestmark = pytest.mark.usefixtures("all_pictures")


@settings(max_examples=50)
@given(st.text(min_size=0, max_size=120), st.floats(0.4, 4), st.integers(1, 3))
def test_a_fitted_name_fits(name: str, inches: float, lines: int) -> None:
    fitted = labels.fit(name, inches, lines=lines).split("\n")
    assert len(fitted) <= lines
    assert all(labels.text_width(line) <= inches for line in fitted)


def test_short_names_stay_and_long_ones_keep_their_ends() -> None:
    assert labels.fit("no-batch-norm", 2) == "no-batch-norm"
    shortened = labels.fit("no-batch-norm+" + "x" * 300 + "+seed-7", 2, lines=1)
    assert shortened.startswith("no-batch")
    assert shortened.endswith("seed-7")
    assert "…" in shortened


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_spread_positions_keep_gap_order_and_range(positions: list[float]) -> None:
    gap = 1 / 25
    moved = labels.spread(positions, gap, 0, 1)
    assert min(moved) >= -1e-9
    assert max(moved) <= 1 + 1e-9
    ordered = [moved[place] for place in sorted(range(len(positions)), key=lambda place: positions[place])]
    assert all(after - before >= gap - 1e-9 for before, after in itertools.pairwise(ordered))


def test_positions_with_enough_room_do_not_move() -> None:
    assert labels.spread([0.9, 0.1, 0.5], 0.2, 0, 1) == pytest.approx([0.9, 0.1, 0.5])


@pytest.mark.parametrize(
    ("margin", "unit", "digits"),
    [(0.5, "points", 2), (20, "points", 2), (100, "bytes", 0), (0.005, "nats", 4), (0, "", 2)],
)
def test_decimals_follow_the_margin(margin: float, unit: str, digits: int) -> None:
    from ablate.figures.labels import decimals

    assert decimals(margin, unit) == digits


def test_lines_break_neither_after_a_sign_nor_at_no_break_spaces() -> None:
    room = labels.text_width("-11.09, 1 of 3") + 0.01
    assert labels.fit("synergy -11.09, 1 of 3", room) == "synergy\n-11.09, 1 of 3"
    assert labels.fit("no-a: SD\N{NO-BREAK SPACE}4.1", 0.6) == "no-a:\nSD 4.1"
    assert labels.fit("no-weight-decay", 0.7).split("\n")[0] in ("no-weight-", "no-")

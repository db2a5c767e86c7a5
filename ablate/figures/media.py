"""The medium of a figure, which sets its width: a report on a screen or a phone, one or two columns of a paper.

Text is 8 points and larger in every medium: a narrow figure has fewer panels per row and shorter names.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

Medium = Literal["screen", "page", "column", "phone"]

WIDTHS: Mapping[Medium, float] = {"screen": 9.0, "page": 6.9, "column": 3.3, "phone": 4.2}
"""Inches: `page` is the text width of a paper with two columns, `column` that of one of them."""

_NARROW = 6.0  # inches, below which names are above rows instead of next to them
_LOWEST: Mapping[Medium, float] = {"screen": 2.6, "page": 2.6, "column": 2.6, "phone": 3.3}  # inches; a phone scrolls

_medium: ContextVar[Medium] = ContextVar("medium", default="screen")


@contextmanager
def drawn_for(medium: Medium) -> Iterator[None]:
    """Draw the figures in the block for a medium."""
    token = _medium.set(medium)
    try:
        yield
    finally:
        _medium.reset(token)


def page_width() -> float:
    """Return the width of a figure in inches."""
    return WIDTHS[_medium.get()]


def is_narrow() -> bool:
    """Return whether a figure has no room for names next to its panels."""
    return page_width() < _NARROW


def chart_height(inches: float) -> float:
    """Return the height of a figure with one panel that is `inches` high on a screen."""
    return max(min(_LOWEST[_medium.get()], inches), inches * page_width() / WIDTHS["screen"])


def panels_across(most: int) -> int:
    """Return the number of panels per row where a screen has `most`; a phone has two at most."""
    across = max(1, math.ceil(most * page_width() / WIDTHS["screen"]))
    return min(across, 2) if _medium.get() == "phone" else across


def name_width(inches: float) -> float:
    """Return the room for names next to a panel that is `inches` on a screen."""
    return inches * 0.55 if is_narrow() else inches

"""Counts and unknown names in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any


def count(number: int, word: str, plural: str = "") -> str:
    """A number of things: 1 run, 3 runs, 0 runs."""
    return f"{number:,} {word if number == 1 else plural or word + 's'}"


def unknown(kind: str, name: str, known: Mapping[str, Any] | Sequence[str]) -> str:
    """Return the line that says that `name` is not known, with the nearest name and all alternatives."""
    near = get_close_matches(name, list(known), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"there is no {kind} {name!r}{hint} (known: {', '.join(known)})"

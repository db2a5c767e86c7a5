"""How many of a thing, in words."""

from __future__ import annotations


def count(number: int, word: str, plural: str = "") -> str:
    """A number of things: 1 run, 3 runs, 0 runs."""
    return f"{number:,} {word if number == 1 else plural or word + 's'}"

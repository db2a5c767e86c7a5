"""Find the JSON objects in the output of a program: on one or several lines, alone or in a list."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from ablate.workloads.custom.result_names import JsonObject, object_of_pairs

STEPS = ("step", "epoch")
"""Names of the step in an object that a program prints while it trains."""

_OBJECT_START = re.compile(r"(?:\A|(?<=[\r\n]))(?P<before>[^\r\n{]*)(?P<brace>\{)?")
_LIST_START = re.compile(r"\[[\[ \t]*")
_BLANK = re.compile(r"[ \t]*(?:[\r\n]|\Z)")
_C_NUMBER = re.compile(r"(?<=[:\[,])(\s*)([+-]?)(nan|inf)(?:inity)?(?=\s*[,\]}])", re.IGNORECASE)
_DECODER = json.JSONDecoder(object_pairs_hook=object_of_pairs)


def json_objects(text: str) -> Iterator[JsonObject | str]:
    """Yield the JSON objects that begin a line, over one or several lines; what only looks like one, as its text.

    The objects of a list are yielded one by one if each of them has a step. Any other list is one object, with the
    position of each item as its name; a list of one object is that object.
    """
    text = _C_NUMBER.sub(_json_number, text)
    starts, end = [*_starts(text), (len(text), "")], 0
    for (start, before), (next_start, _) in pairwise(starts):
        if start < end:
            continue  # within the last object
        decoded = None if before.strip() else _decoded(text, start)
        if decoded is not None:
            value, end = decoded
            yield from _objects_of(value)
        elif "{" in (line := text[start:next_start]):
            yield line


def _starts(text: str) -> Iterator[tuple[int, str]]:
    """Yield where a list begins a line and where the first brace of a line is, with the text before it."""
    for found in _OBJECT_START.finditer(text):
        before = found["before"]
        if _LIST_START.fullmatch(before.strip()):
            yield found.start() + before.index("["), ""
        elif found["brace"]:
            yield found.start("brace"), before


def _decoded(text: str, start: int) -> tuple[Any, int] | None:
    """Return the JSON value that begins at `start`, and its end; None if it does not end its last line."""
    try:
        value, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    return (value, end) if _BLANK.match(text, end) else None


def _objects_of(value: Any) -> Iterator[JsonObject]:
    if isinstance(value, JsonObject):
        yield value
        return
    items = [item for item in value if isinstance(item, JsonObject)]
    if len(items) == len(value) and (len(items) == 1 or all(any(name in item for name in STEPS) for item in items)):
        yield from items
    elif not all(isinstance(item, int | float | str | None) for item in value):
        yield object_of_pairs([(str(number), item) for number, item in enumerate(value)])


def _json_number(found: re.Match[str]) -> str:
    """Return NaN or Infinity for nan or inf, as C prints them."""
    space, sign, name = found.groups()
    return f"{space}NaN" if name.lower() == "nan" else f"{space}{sign.replace('+', '')}Infinity"

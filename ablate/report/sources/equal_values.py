"""Values in one spelling, so that equal numbers, and lists of equal numbers, are one value."""

from __future__ import annotations

import json
import re
from decimal import Decimal

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,4})?", re.IGNORECASE | re.ASCII)
_PIECE = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[\[\](){},:]|[^\s\[\](){},:"']+)\s*""")
_CLOSING = {"[": "]", "{": "}", "(": ")"}
_MARKS = frozenset("[](){},:")
_QUOTED_WORDS = {"true": "true", "false": "false"}
_WORDS = {**_QUOTED_WORDS, "null": "null", "none": "null", "nan": "NaN"}


def is_number(text: str) -> bool:
    """Return whether a text is a finite number in decimal digits."""
    return _NUMBER.fullmatch(text) is not None


def canonical(cell: object) -> str:
    """Return a value in one spelling: `1e-3` and `0.0010` are `0.001`, `True` is `true`, `[1.0,2]` is `[1, 2]`."""
    text = str(cell).strip()
    if is_number(text):
        number = Decimal(text)
        if not number:
            return "0"
        return format(number.normalize(), "f") if abs(number.adjusted()) < 30 else str(number.normalize())
    if _CLOSING.get(text[:1], " ") == text[-1:]:
        return _canonical_list(text)
    return text.lower() if text.lower() in ("true", "false") else text


def _canonical_list(text: str) -> str:
    """Return a list or mapping, in JSON or as Python prints it, in one spelling; other texts unchanged."""
    found = list(_PIECE.finditer(text))
    if "".join(match[0] for match in found) != text:
        return text
    pieces = [match[1] for match in found]
    parts, is_open, was_item = [], list[str](), False
    for piece, following in zip(pieces, [*pieces[1:], ""], strict=True):
        is_item = piece not in _MARKS
        if piece in _CLOSING:
            is_open.append(_CLOSING[piece])
        elif (piece in _CLOSING.values() and (not is_open or is_open.pop() != piece)) or (is_item and was_item):
            return text
        if (piece, following) != (",", "]"):
            parts.append(_item(piece) if is_item else f"{piece} " if piece in (",", ":") else piece)
        was_item = is_item
    return text if is_open else "".join(parts)


def _item(piece: str) -> str:
    """Return an item of a list: a number as it is alone, a text in quotation marks."""
    known = _QUOTED_WORDS
    if piece[0] == "'":
        piece = piece[1:-1].replace("\\'", "'")
    elif piece[0] == '"':
        try:
            piece = json.loads(piece)
        except ValueError:
            piece = piece[1:-1]
    else:
        known = _WORDS
    return canonical(piece) if is_number(piece.strip()) else known.get(piece.lower(), json.dumps(piece))

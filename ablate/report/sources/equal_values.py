"""Values in one spelling, so that equal numbers, and lists of equal numbers, are one value."""

from __future__ import annotations

import json
import re
import struct
from decimal import Decimal

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,4})?", re.IGNORECASE | re.ASCII)
_PIECE = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[\[\](){},:]|[^\s\[\](){},:"']+)\s*""")
_SINGLE = struct.Struct("<f")
_LONG, _LARGEST_EXPONENT = 10, 37
"""A float of 32 bits has at most nine digits, and an exponent of ten up to 38."""

_CLOSING = {"[": "]", "{": "}", "(": ")"}
_MARKS = frozenset("[](){},:")
_QUOTED_WORDS = {"true": "true", "false": "false"}
_WORDS = {**_QUOTED_WORDS, "null": "null", "none": "null", "nan": "NaN"}


def is_number(text: str) -> bool:
    """Return whether a text is a finite number in decimal digits."""
    return _NUMBER.fullmatch(text) is not None


def canonical(cell: object) -> str:
    """Return a value in one spelling: `1e-3` and `0.0010` are `0.001`, `True` is `true`, `[1.0,2]` is `[1, 2]`.

    A float of 32 bits written with the digits of 64 bits is the short number: `0.10000000149011612` is `0.1`.
    """
    text = str(cell).strip()
    if is_number(text):
        number = _short(Decimal(text).normalize())
        if not number:
            return "0"
        return format(number.normalize(), "f") if abs(number.adjusted()) < 30 else str(number.normalize())
    if _CLOSING.get(text[:1], " ") == text[-1:]:
        return _canonical_list(text)
    return text.lower() if text.lower() in ("true", "false") else text


def _short(number: Decimal) -> Decimal:
    """Return the number with the fewest digits that is the same float of 32 bits, if a number has the digits of one."""
    digits = len(number.as_tuple().digits)
    if digits < _LONG or number == number.to_integral_value() or abs(number.adjusted()) > _LARGEST_EXPONENT:
        return number
    single = _as_single(float(number))
    if Decimal(f"{single:.{digits - 1}e}") != number:
        return number
    texts = (f"{single:.{places}e}" for places in range(_LONG))
    return Decimal(next(text for text in texts if _as_single(float(text)) == single))


def _as_single(value: float) -> float:
    found: float = _SINGLE.unpack(_SINGLE.pack(value))[0]
    return found


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

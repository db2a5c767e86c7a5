"""Read numbers as programs print them. An ambiguous number, or a part of a number, is an error and never a value."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ablate.stats.metric import Metric

_SIGN = r"[+\-\u2212]"
_EXPONENT = rf"(?:[eEdD]{_SIGN}?[0-9]+)?"
_PLAIN = re.compile(rf"{_SIGN}?(?:[0-9]+\.?[0-9]*|\.[0-9]+){_EXPONENT}")
_GROUPED = re.compile(rf"{_SIGN}?[1-9][0-9]{{0,2}}(?:(?:,[0-9]{{3}})+\.[0-9]+|(?:,[0-9]{{3}}){{2,}}){_EXPONENT}")
_COMMA = re.compile(rf"{_SIGN}?[0-9][0-9.]*(?:,[0-9]+)+(?:\.[0-9]*)?{_EXPONENT}")
_NAN = re.compile(rf"{_SIGN}?(?:nan(?:\(\w*\))?|1\.#(?:qnan|snan|ind)\w*)", re.IGNORECASE)  # also of C and of Windows
_INFINITE = re.compile(rf"{_SIGN}?(?:inf(?:inity)?|1\.#inf\w*)", re.IGNORECASE)
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_BEFORE, _AFTER = "([{<\"'`=:*", ")]}>\"'`,;:.!*"
"""Punctuation around a number that a pattern such as `(\\S+)` may capture with it."""

NUMBER_WORD = rf"(?<![A-Za-z])(?:{_SIGN}?(?:(?i:nan|inf|infinity)|1\.\#\w+|\.?[0-9][0-9.,]*{_EXPONENT}))(?![A-Za-z])"
"""A regular expression that matches what `read_number` may accept, for use within another expression."""

NO_VALUE_WORD = (
    r"(?i:(?:none|null|n/?a|undefined|diverged)(?![\w.-])"
    r"|(?:overflow|error|failed|-{1,3}|\u2014|\?)(?=[ \t]*(?:$|[,;|)\]])))"
)
"""A regular expression, for several lines, of what programs print in place of a number that they do not have."""

_STARTS_INSIDE = re.compile(
    rf"(?:[0-9][.]?|[0-9]_|(?:\A|[^\w]){_SIGN}?\.|[0-9.][eEdD]{_SIGN}?|(?:\A|[^\w)\]}}%.+\-\u2212])[\-\u2212])\Z"
)
"""Matches a text that ends within a number, if the next character is a digit or a point."""
_ENDS_INSIDE = re.compile(rf"[0-9_#]|\.[0-9#]|\.?[eEdD]{_SIGN}?[0-9]|['\u2019\u00a0\u2009\u202f][0-9]{{3}}")
"""Matches a text that begins within a number, if the character before is a digit or a point."""
_WHOLE = re.compile(r"[+-]?[0-9]+|[+-]?[0-9]{1,3}(?:\.[0-9]{3})+")
"""Digits that a comma may continue: 0,93 or, in many countries, 1.234,56."""
_THREE_DIGITS = re.compile(r"[+-]?[1-9][0-9]{0,2}")
_THOUSANDS = re.compile(r",[0-9]{3}(?![0-9])")
_SPACED_THOUSANDS = re.compile(r"(?: [0-9]{3})+(?![\w%])")
_WORD_START = re.compile(r"[\w.,+\-\u2212%#']*\Z")
_WORD = re.compile(r"[\w.,+\-\u2212%#']*")
_UNIT = re.compile(r"[^\W\d_]+")
_LETTERS_BEFORE = re.compile(r"[^\W\d_]+\Z")


@dataclass(frozen=True)
class WrittenNumber:
    """A number as it was written. 93.1% has the value 93.1 and is a percentage."""

    value: float
    is_percentage: bool = False

    def of(self, metric: Metric, times: float) -> float:
        """Return the value of `metric`, multiplied by `times`.

        A percentage is a fraction if the metric is one and `times` is 1. Raises ValueError for a percentage that is
        neither declared by `times` nor the unit of the metric.
        """
        if self.is_percentage and times == 1 and metric.is_fraction:
            return self.value / 100
        if not self.is_percentage or times != 1 or metric.unit in ("%", "points"):
            return self.value * times
        unit = f"has the unit {metric.unit!r}" if metric.unit else "has no unit"
        raise ValueError(
            f"is a percentage, but the metric {metric.name} {unit}. Declare times=0.01 for a fraction, or "
            f'Metric("{metric.name}", unit="%")'
        )


def read_number(text: str) -> WrittenNumber:
    """Return the number that `text` is: sign, digits, exponent, nan and inf; a percent sign; grouped thousands.

    Punctuation around it is ignored. Raises ValueError, with a message that continues `'0,93' ...`, if it is not a
    number or if a comma makes it ambiguous.
    """
    word = _COLOUR.sub("", text).strip()
    _check_brackets(word)
    word = word.lstrip(_BEFORE)
    for _ in range(2):  # punctuation may be in front of the percent sign and behind it
        value = _value(word)
        if value is not None:
            return WrittenNumber(value)
        word = word.rstrip(_AFTER).rstrip()
    value = _value(word.removesuffix("%").rstrip())
    if value is not None:
        return WrittenNumber(value, word.endswith("%"))
    if _COMMA.fullmatch(word.removesuffix("%").rstrip()):
        raise ValueError(
            "has a comma that may be a decimal point or group thousands. Let the program print a decimal point, for "
            'instance with environment={"LC_ALL": "C"}'
        )
    raise ValueError("is not a number")


def _check_brackets(word: str) -> None:
    """Raise ValueError for the beginning of a list of values, such as `[0.5,`, and for a bound, such as `<0.5`."""
    before = word[: len(word) - len(word.lstrip(_BEFORE))]
    if "<" in before and ">" not in word:
        raise ValueError("is a bound, not a number")
    opened = [pair for pair in ("[]", "{}", "()") if pair[0] in before and pair[1] not in word]
    if opened and (opened != ["()"] or word.endswith(",")):
        raise ValueError(f"begins with {opened[0][0]!r} and has no {opened[0][1]!r}: it may be one of several values")


def _value(word: str) -> float | None:
    if _NAN.fullmatch(word):
        return math.nan
    if _INFINITE.fullmatch(word):
        return -math.inf if word[0] in "-\u2212" else math.inf
    if _GROUPED.fullmatch(word):
        word = word.replace(",", "")
    if not _PLAIN.fullmatch(word):
        return None
    return float(word.replace("\u2212", "-").replace("d", "e").replace("D", "e"))


def number_cut_by(text: str, start: int, end: int, before: str, after: str) -> str | None:
    """Return the word of `text` that the span from `start` to `end` cuts a number out of, or None if it cuts none.

    `before` and `after` are the parts of a regular expression around its group: a comma or a unit behind a number is
    not a part of it if the expression names it.
    """
    part = text[start:end]
    is_cut = (part[:1].isdigit() or part[:1] == ".") and _starts_inside(text[:start], before)
    is_cut = is_cut or ((part[-1:].isdigit() or part[-1:] == ".") and _ends_inside(part, text[end:], after))
    if not is_cut and not _is_cut_word(text, start, end, before, after):
        return None
    head, tail = _WORD_START.search(text[:start]), _SPACED_THOUSANDS.match(text, end) or _WORD.match(text, end)
    return f"{head[0] if head else ''}{part}{tail[0] if tail else ''}"


def _is_cut_word(text: str, start: int, end: int, before: str, after: str) -> bool:
    """Return whether a span is a `nan` or `inf` out of another word, such as `infeasible`."""
    part = text[start:end]
    head, tail = _LETTERS_BEFORE.search(text[:start]), _UNIT.match(text, end)
    if not part[-1:].isalpha() or (value := _value(part)) is None or (tail and _value(part + tail[0]) == value):
        return False
    literals = re.sub(r"\\[A-Za-z]", "", before)
    return bool((head and part[:1].isalpha() and not literals.endswith(head[0])) or (tail and tail[0] not in after))


def _starts_inside(text: str, before: str) -> bool:
    nearby = text[-40:]
    return bool(_STARTS_INSIDE.search(nearby) or (re.search(r"[0-9],\Z", nearby) and not before.endswith(",")))


def _ends_inside(part: str, text: str, after: str) -> bool:
    if _ENDS_INSIDE.match(text):
        return True
    if re.match(r",[0-9]", text):
        is_list = re.match(r",[0-9]+\.[0-9]", text) and not _THOUSANDS.match(text)
        return bool(_WHOLE.fullmatch(part) and not is_list and not after.startswith(","))
    if _THREE_DIGITS.fullmatch(part) and _SPACED_THOUSANDS.match(text):
        return not re.match(r"(?:\\s|[ \[])", after)
    unit = _UNIT.match(text)
    return bool(unit and unit[0] not in re.sub(r"\\[A-Za-z]", "", after))

"""Values as text: whether a printed value agrees with that of the study, and the same value at the printed precision.

The rounding rule: a number agrees if it is what a report would print with as many decimals (Python's rounding, exact
ties to even). A p-value that is smaller than the last decimal is written `< .001`, or `< .01` with two decimals. Counts
and the margin are exact.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from html import unescape
from typing import Literal

from ablate.report.formats.latex import tex
from ablate.report.formats.markdown_text import escape

Form = Literal["number", "interval", "mean and SD", "p-value", "words"]

_MINUS = "\N{MINUS SIGN}"
_MARKUP = r"[\s*_`$\\]*"
_NUMBER = rf"(?:[-+{_MINUS}]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)"
_ONE, _TWO = rf"(?P<one>{_NUMBER})", rf"(?P<two>{_NUMBER})"
_BETWEEN = rf"{_MARKUP}(?:,|;|to|\N{{EN DASH}}){_MARKUP}"
_PLUS_MINUS = rf"{_MARKUP}(?:±|\\pm|\+/-){_MARKUP}"


def _whole(*patterns: str) -> list[re.Pattern[str]]:
    return [re.compile(_MARKUP + pattern + _MARKUP) for pattern in patterns]


_PATTERNS = {
    "number": _whole(_ONE),
    "interval": _whole(
        rf"\[{_MARKUP}{_ONE}{_BETWEEN}{_TWO}{_MARKUP}\]", rf"\({_MARKUP}{_ONE}{_BETWEEN}{_TWO}{_MARKUP}\)",
        _ONE + _BETWEEN + _TWO,
    ),
    "mean and SD": _whole(_ONE + _PLUS_MINUS + _TWO, rf"{_ONE}{_MARKUP}\({_MARKUP}{_TWO}{_MARKUP}\)"),
    "p-value": _whole(rf"(?P<p>p{_MARKUP})?(?:(?P<sign>[<=]|\\textless\{{\}}){_MARKUP})?(?P<one>{_NUMBER})"),
}  # fmt: skip


@dataclass(frozen=True)
class Value:
    """A quantity of a study.

    Attributes:
        form: What is printed: a number, an interval, mean ± SD, a p-value, or words.
        text: The value as a report prints it.
        numbers: The number, or the two numbers; none for words.
        is_signed: Whether a report prints the sign of positive numbers.
        is_exact: Whether the number is not rounded, such as a count.
    """

    form: Form
    text: str
    numbers: tuple[float, ...] = ()
    is_signed: bool = False
    is_exact: bool = False

    def agrees(self, printed: str) -> bool:
        """Return whether a printed value is this one, at the printed precision."""
        found = self._parse(printed)
        if found is None:
            return not self._has_digits and _words(printed) in {_words(make(self.text)) for make in (str, escape, tex)}
        if self.form == "p-value":
            return self._p_agrees(found)
        tokens = [found[name] for name in ("one", "two")[: len(self.numbers)]]
        return all(
            _decimal(token) == Decimal(self._rounded(number, token))
            for number, token in zip(self.numbers, tokens, strict=True)
        )

    def at_precision_of(self, printed: str, *, is_latex: bool = False) -> str:
        """Return the value in the form of `printed`: its decimals, brackets and markup. By default as in a report."""
        found = self._parse(printed)
        if found is None or (self.form == "p-value" and _decimals(found["one"]) == 0):
            return self._as_latex() if is_latex else escape(self.text)
        if self.form == "p-value":
            return self._p_like(found, printed)
        return self._numbers_like(found, printed)

    @property
    def _has_digits(self) -> bool:
        """Whether the value is printed as digits, not as words such as "infinite"."""
        return bool(self.numbers) and all(map(math.isfinite, self.numbers))

    def _parse(self, printed: str) -> re.Match[str] | None:
        if not self._has_digits:
            return None
        return next((found for one in _PATTERNS[self.form] if (found := one.fullmatch(printed))), None)

    def _numbers_like(self, found: re.Match[str], printed: str) -> str:
        names = ("one", "two")[: len(self.numbers)]
        minus = _MINUS if any(_MINUS in found[name] for name in names) else "-"
        parts, place = [], 0
        for number, name in zip(self.numbers, names, strict=True):
            parts += [printed[place : found.start(name)], self._token(number, found[name]).replace("-", minus)]
            place = found.end(name)
        return "".join([*parts, printed[place:]])

    def _token(self, number: float, token: str) -> str:
        """Return a number with the decimals of a printed one, and a plus sign if that, or a report, has one."""
        unsigned = token[0] not in f"+-{_MINUS}"
        plus = token[0] == "+" or (self.is_signed and not unsigned)
        text = self._rounded(number, token)
        text = f"+{text}" if plus and text[0] != "-" else text
        return re.sub(r"^([-+]?)0\.", r"\1.", text) if token.lstrip(f"+-{_MINUS}").startswith(".") else text

    def _rounded(self, number: float, token: str) -> str:
        return self.text if self.is_exact else _at_precision(number, token)

    def _p_agrees(self, found: re.Match[str]) -> bool:
        token, decimals = found["one"], _decimals(found["one"])
        p, is_below = self.numbers[0], found["sign"] not in (None, "=")
        if "e" in token.lower():
            return not is_below and _decimal(token) == Decimal(_at_precision(p, token))
        if decimals == 0:
            return False
        if p < 10**-decimals:
            return is_below and _decimal(token) == Decimal(1).scaleb(-decimals)
        return not is_below and _decimal(token) == Decimal(_at_precision(p, token))

    def _p_like(self, found: re.Match[str], printed: str) -> str:
        token, decimals = found["one"], _decimals(found["one"])
        p = self.numbers[0]
        is_below = p < 10**-decimals and "e" not in token.lower()
        text = f"{Decimal(1).scaleb(-decimals):f}" if is_below else _at_precision(p, token)
        text = text.removeprefix("0") if token.startswith(".") else text
        sign = "< " if is_below else "= " if found["p"] or found["sign"] == "=" else ""
        start = found.start("sign") if found["sign"] else found.start("one")
        return printed[:start] + sign + text + printed[found.end("one") :]

    def _as_latex(self) -> str:
        if not self._has_digits:
            return tex(self.text)
        return f"${self.text.replace('±', chr(92) + 'pm')}$"


def _decimals(token: str) -> int:
    return len(re.split(r"[eE]", token)[0].partition(".")[2])


def _decimal(token: str) -> Decimal:
    return Decimal(token.replace(_MINUS, "-"))


def _at_precision(number: float, token: str) -> str:
    """Return a number with the decimals, or the significant digits, of a printed one."""
    return f"{number:z.{_decimals(token)}{'e' if 'e' in token.lower() else 'f'}}"


def unescaped(text: str) -> str:
    r"""Return Markdown without escapes, which formatters add and remove: `p\_Holm` is `p_Holm`."""
    return unescape(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text))


def _words(text: str) -> str:
    """Return words without escapes, markup around them, line breaks, and a capital at the start."""
    plain = " ".join(unescaped(text).split()).strip("*`$ ")
    return plain[:1].lower() + plain[1:]

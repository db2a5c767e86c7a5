"""Wording that many messages share: counts, lists of names, unknown names."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from itertools import chain

NAMES_LISTED = 10
_MOST_LETTERS = 60
LONGEST_RUN = 5
"""Consecutive integers that are listed one by one."""

LONGEST_NUMBER = 1e9
"""Numbers from here on are written in scientific notation: `1e+300` instead of 301 digits."""

MOST_DECIMALS = 11
"""With more decimals, too."""


def printable(text: str, keep: str = "") -> str:
    r"""Return a text for a terminal: control characters, such as escape sequences and line breaks, become `\x1b`.

    Names and messages of records may come from elsewhere. The characters in `keep` stay.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in keep else char.encode("unicode_escape").decode() for char in text
    )


def count(number: int, word: str, plural: str = "") -> str:
    """Return a number of things: 1 run, 3 runs, 0 runs."""
    return f"{number:,} {word if number == 1 else plural or word + 's'}"


def fixed(value: float, digits: int, sign: str = "") -> str:
    """Return a number with `digits` decimals, or four significant digits if it is too long for that.

    Zero has no minus sign. `sign` is a format specification before the decimals: `+` for a sign, `,` for separators.
    """
    if digits > MOST_DECIMALS or LONGEST_NUMBER <= abs(value) < math.inf:
        return f"{value:{sign.replace(',', '')}.4g}"
    return f"{value:{sign.replace(',', '')}z{',' * (',' in sign)}.{digits}f}"


def listed(names: Iterable[str], most: int = NAMES_LISTED) -> str:
    """Return names separated by commas; of a long list the first `most` and the number of the others."""
    names = list(names)
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def alternatives(names: Sequence[str]) -> str:
    """Return all names as a list in words: `serial, processes or ray`."""
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def ranges(items: Iterable[int | str], to: str = "-") -> list[str]:
    """Return integers in ascending order as texts, six or more consecutive ones as one range (20-69), then strings."""
    items = list(items)
    runs: list[list[int]] = []
    for number in sorted(item for item in items if isinstance(item, int)):
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    texts = [[f"{run[0]}{to}{run[-1]}"] if len(run) > LONGEST_RUN else map(str, run) for run in runs]
    return [*chain.from_iterable(texts), *(item for item in items if isinstance(item, str))]


def nearest(name: str, known: Iterable[str], similarity: float = 0.6) -> str | None:
    """Return the known name most similar to `name`, or None if none reaches `similarity` (0 to 1)."""
    return next(iter(get_close_matches(name, list(known), n=1, cutoff=similarity)), None)


def in_words(term: str) -> str:
    """Return the name of a component, or of a pair of them, as prose; names with dots are kept.

    >>> in_words("batch_norm x lr_schedule.shape")
    'batch norm x lr_schedule.shape'
    """
    return " ".join(word if "." in word else word.replace("_", " ") for word in term.split(" "))


def is_combination(component: str, level: str) -> bool:
    """Return whether a level is the values of several names that change together: `lr=0.03+epochs=8` of `lr+epochs`."""
    return "+" in component and level.startswith(f"{component.partition('+')[0]}=")


def level_name(component: str, level: str) -> str:
    """Return a component at a level as it names a variant: `optimizer=muon`, `lr=0.03+epochs=8`."""
    return level if is_combination(component, level) else f"{component}={level}"


def short_level(component: str, level: str) -> str:
    """Return a level without the names of what changes together, for the axis of a figure: `0.03, 8`."""
    if not is_combination(component, level):
        return level
    values = re.fullmatch(r"\+".join(f"{re.escape(name)}=(.*)" for name in component.split("+")), level)
    return ", ".join(values.groups()) if values else level


def with_level(component: str, level: str) -> str:
    """Return a component with its level, as prose: `optimizer muon`, `lr=0.03+epochs=8`."""
    return level if is_combination(component, level) else f"{in_words(component)} {level}"


def shortened(text: str) -> str:
    """Return a text without its middle if it is long: `'[0.1, 0.2, 0....5, 0.6]'`."""
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS // 2]}...{text[-_MOST_LETTERS // 4 :]}"


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return the error message for an unknown name: `Unknown factor 'x'. Did you mean 'y'? Known: y, z`.

    Without known names it is `Unknown factor 'x'. No factor exists`.
    """
    known = list(dict.fromkeys(known))
    return f"{unknown_name(kind, name, nearest(name, known))} " + (
        f"Known: {listed(known)}" if known else f"No {kind} exists"
    )


def unknown_name(kind: str, name: str, near: str | None) -> str:
    """Return the error message for an unknown name without the known ones: `Unknown factor 'x'. Did you mean 'y'?`."""
    return f"Unknown {kind} {name!r}." + (f" Did you mean {near!r}?" if near else "")


def aligned(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table whose columns are padded to equal widths."""
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    lines = [columns, *rows]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]

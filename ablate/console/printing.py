"""Lines, tables and JSON."""

from __future__ import annotations

import json
import math
import os
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

PIPE_WIDTH = 200
"""How wide tables may be where nobody's terminal limits them."""

MOST_DECIMALS = 7
"""Smaller numbers are shown by their exponents."""

_Column = tuple[str, Sequence[object]]
"""A name and the cells below it."""

OUTPUT = Console(highlight=False, soft_wrap=True)
MESSAGES = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """Tell the user something, on standard error."""
    MESSAGES.print(escape(text))


def warn(text: str) -> None:
    """Say what to be careful about, on standard error."""
    MESSAGES.print(f"[yellow]warning:[/] {escape(text)}")


def complain(text: str) -> None:
    """Say what went wrong, on standard error."""
    MESSAGES.print(f"[bold red]error:[/] {escape(text)}")


def result(text: str) -> None:
    """Print a line that the command was asked for."""
    OUTPUT.print(escape(text))


def emit(facts: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print one JSON document; what is not finite becomes null."""
    sys.stdout.write(json.dumps(_plain(facts), indent=2, allow_nan=False) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def prose(text: str) -> None:
    """Print a line that may be long: between words at a terminal's width, further lines under the first one's text."""
    if not OUTPUT.is_terminal:
        return result(text)
    hang = len(text) - len(text.lstrip(" -"))
    lines = textwrap.wrap(text, _width(), subsequent_indent=" " * hang, break_long_words=False, break_on_hyphens=False)
    return result("\n".join(lines))


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None, spare: Sequence[str] = ()
) -> None:
    """Print a table; columns that hold numbers are set to the right.

    Where it is too wide, columns named in `spare` are left out, in that order, and it is said which.
    """
    lines = [list(row) for row in rows]
    kept, left_out = _fitting([(name, [line[i] for line in lines]) for i, name in enumerate(columns)], spare)
    shown = Table(box=None, header_style="bold", pad_edge=False, show_header=any(columns))
    for position, (name, cells) in enumerate(kept):
        numeric = all(isinstance(cell, int | float | None) for cell in cells)
        whole = position == 0 and _width_of(name, cells) <= _width() // 2
        shown.add_column(escape(name), justify="right" if numeric else "left", overflow="fold", no_wrap=whole)
    for texts in zip(*(_texts(cells) for _, cells in kept), strict=True):
        shown.add_row(*map(escape, texts))
    if title is not None:
        OUTPUT.print(f"\n[bold]{escape(title)}[/]" if title else "")
    Console(highlight=False, width=_width()).print(shown)
    if left_out:
        say(f"too narrow to show: {', '.join(left_out)}")


def _fitting(columns: Sequence[_Column], spare: Sequence[str]) -> tuple[list[_Column], list[str]]:
    """Return the columns that are shown, and the names of those that are left out for want of room."""
    kept, left_out = list(columns), []
    for name in spare:
        if sum(_width_of(*column) + 2 for column in kept) - 2 <= _width():
            break
        kept = [column for column in kept if column[0] != name]
        left_out.append(name)
    return kept, left_out


def _width_of(name: str, cells: Sequence[object]) -> int:
    return max(cell_len(text) for text in (name, *_texts(cells)))


def _width() -> int:
    """Return how many columns there are: those of COLUMNS, of the terminal, or as many as a pipe is given."""
    asked = os.environ.get("COLUMNS", "")
    return int(asked) if asked.isdigit() and int(asked) else OUTPUT.width if OUTPUT.is_terminal else PIPE_WIDTH


def decimals(values: Iterable[float]) -> int:
    """Return how many decimals show four digits of the largest of the numbers: 4 of a fraction, 1 of hundreds."""
    sizes = [abs(value) for value in values if value and math.isfinite(value)]
    return max(0, 4 - math.ceil(math.log10(max(sizes)))) if sizes else 0


def _texts(cells: Sequence[object]) -> list[str]:
    """Return the cells of a column as text; numbers to the same decimals, where that leaves each two digits or more."""
    numbers = [cell for cell in cells if isinstance(cell, float)]
    sizes = [abs(number) for number in numbers if number and math.isfinite(number)]
    digits = decimals(sizes)
    is_alike = digits <= MOST_DECIMALS and min(sizes, default=0) >= 10 ** (1 - digits)
    is_measured = len(numbers) == sum(cell is not None for cell in cells) and not all(map(float.is_integer, sizes))
    if not (is_alike and is_measured):
        return [_cell(cell) for cell in cells]
    return ["" if cell is None else f"{cell:.{digits}f}" for cell in cells]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def duration(seconds: float) -> str:
    """Return a time span as people say it: `8 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"

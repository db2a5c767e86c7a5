"""Print lines, tables and JSON."""

from __future__ import annotations

import json
import math
import os
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Literal

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ablate.redaction import mask_tokens
from ablate.wording import printable

PIPE_WIDTH = 200
"""Width of tables if the output is not a terminal."""

MOST_DECIMALS = 7
"""Numbers that need more decimals are shown with an exponent."""

LONGEST_NUMBER = 1e12
"""Larger numbers are shown with an exponent, too."""

_Column = tuple[str, Sequence[object]]
"""The name and the cells of a column."""

OUTPUT = Console(highlight=False, emoji=False, soft_wrap=True)
MESSAGES = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)


MessageKind = Literal["info", "warning", "error"]

Listener = Callable[[MessageKind, str], None]
"""Receives messages instead of standard error."""

_warned: set[str] = set()
"""The warnings that `warn_once` has printed."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def messages_to(listener: Listener) -> Iterator[None]:
    """Pass messages in the block to a listener instead of printing them. No view is live meanwhile.

    Threads that copy the context of the block are included.
    """
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def is_listened() -> bool:
    """Return whether a listener receives the messages."""
    return _listener.get() is not None


def _message(kind: MessageKind, text: str, markup: str) -> None:
    listener = _listener.get()
    if listener is not None:
        listener(kind, text)
        return
    try:
        MESSAGES.print(markup)
    except OSError:  # a log on a full disk does not stop the command, and gets no further lines
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), MESSAGES.file.fileno())


def is_terminal(console: Console) -> bool:
    """Return whether a terminal shows the lines. With FORCE_COLOR, rich takes every file for one."""
    return console.file.isatty()


def is_live() -> bool:
    """Return whether messages go to a terminal that can draw a line again: not to a pipe, a notebook or TERM=dumb."""
    return not is_listened() and MESSAGES.is_interactive and is_terminal(MESSAGES)


def info(text: str) -> None:
    """Print a message, with masked secrets, to standard error."""
    text = mask_tokens(text)
    _message("info", text, _broken(text))


def warning(text: str) -> None:
    """Print a warning, with masked secrets, to standard error."""
    text = mask_tokens(text)
    _message("warning", text, _broken(f"warning: {text}").replace("warning:", "[yellow]warning:[/]", 1))


def warn_once(text: str) -> None:
    """Print a warning unless this process has printed it already."""
    if text not in _warned:
        _warned.add(text)
        warning(text)


def error(text: str) -> None:
    """Print an error, with masked secrets, to standard error."""
    text = mask_tokens(text)
    _message("error", text, _broken(f"error: {text}").replace("error:", "[bold red]error:[/]", 1))


def _broken(text: str) -> str:
    """Return a message as markup, with its lines broken between words on a terminal. A path stays in one piece."""
    text = printable(text, keep="\n\t")
    if is_terminal(MESSAGES):
        lines = (line for part in text.split("\n") for line in _lines(part, MESSAGES.width) or [""])
        text = "\n".join(lines)
    return escape(text)


def _lines(text: str, width: int, hang: int = 0) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=" " * hang, break_long_words=False, break_on_hyphens=False)


def fitted(parts: Sequence[str], separator: str, width: int) -> str:
    """Return the first parts that fit the width together, and at least the first one."""
    kept = max([1, *(n for n in range(len(parts) + 1) if cell_len(separator.join(parts[:n])) <= width)])
    return separator.join(parts[:kept])


def result(text: str) -> None:
    """Print a line of the command's result to standard output.

    A line that is too long for the terminal is broken between words, and the further lines are indented like the text
    of the first. A path stays in one piece.
    """
    text = printable(text, keep="\n\t")
    if is_terminal(OUTPUT):
        hangs = ((part, len(part) - len(part.lstrip(" -"))) for part in text.split("\n"))
        text = "\n".join(line for part, hang in hangs for line in _lines(part, _width(), hang) or [""])
    OUTPUT.print(escape(text))


def print_json(facts: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print one JSON document to standard output. Numbers that are not finite become null."""
    sys.stdout.write(json.dumps(_plain(facts), indent=2, allow_nan=False) + "\n")
    sys.stdout.flush()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None, optional: Sequence[str] = ()
) -> None:
    """Print a table with numbers aligned to the right.

    If it is too wide, the `optional` columns are hidden, in that order, and a message names them.
    """
    lines = [list(row) for row in rows]
    kept, hidden = _fitting([(name, [line[i] for line in lines]) for i, name in enumerate(columns)], optional)
    shown = Table(box=None, header_style="bold", pad_edge=False, show_header=any(columns))
    for position, (name, cells) in enumerate(kept):
        numeric = all(isinstance(cell, int | float | None) for cell in cells)
        whole = position == 0 and _width_of(name, cells) <= _width() // 2
        shown.add_column(
            escape(printable(name)), justify="right" if numeric else "left", overflow="fold", no_wrap=whole
        )
    for texts in zip(*(_texts(cells) for _, cells in kept), strict=True):
        shown.add_row(*map(escape, texts))
    if title is not None:
        OUTPUT.print(f"\n[bold]{escape(printable(title))}[/]" if title else "")
    Console(highlight=False, emoji=False, width=_width()).print(shown)
    if hidden:
        info(f"Columns hidden for lack of width: {', '.join(hidden)}")


def _fitting(columns: Sequence[_Column], optional: Sequence[str]) -> tuple[list[_Column], list[str]]:
    """Return the columns that fit, and the names of those that are hidden."""
    kept, hidden = list(columns), []
    for name in optional:
        if sum(_width_of(*column) + 2 for column in kept) - 2 <= _width():
            break
        kept = [column for column in kept if column[0] != name]
        hidden.append(name)
    return kept, hidden


def _width_of(name: str, cells: Sequence[object]) -> int:
    return max(cell_len(text) for text in (name, *_texts(cells)))


def _width() -> int:
    """Return the width in characters: that of COLUMNS, of the terminal, or of a pipe."""
    asked = os.environ.get("COLUMNS", "")
    return int(asked) if asked.isdigit() and int(asked) else OUTPUT.width if is_terminal(OUTPUT) else PIPE_WIDTH


def decimals(values: Iterable[float]) -> int:
    """Return the number of decimals that shows four digits of the largest number: 4 for fractions, 1 for hundreds."""
    sizes = [abs(value) for value in values if value and math.isfinite(value)]
    return max(0, 4 - math.ceil(math.log10(max(sizes)))) if sizes else 0


def _texts(cells: Sequence[object]) -> list[str]:
    """Return the cells of a column as text. Numbers have the same decimals if each then keeps two digits or more."""
    numbers = [cell for cell in cells if isinstance(cell, float)]
    sizes = [abs(number) for number in numbers if number and math.isfinite(number)]
    digits = decimals(sizes)
    is_comparable = digits <= MOST_DECIMALS and min(sizes, default=0) >= 10 ** (1 - digits)
    is_comparable = is_comparable and max(sizes, default=0) < LONGEST_NUMBER
    is_measurement = len(numbers) == sum(cell is not None for cell in cells) and not all(map(float.is_integer, sizes))
    if not (is_comparable and is_measurement):
        return [_cell(cell) for cell in cells]
    return ["" if cell is None else f"{cell:z.{digits}f}" for cell in cells]


def _cell(value: object) -> str:
    if value is None:
        return ""
    return number(value) if isinstance(value, float) else printable(str(value))


def number(value: float) -> str:
    """Return a number for display: four digits, or all digits of a large whole number (104,234)."""
    is_whole = float(value).is_integer() and 10_000 <= abs(value) < LONGEST_NUMBER
    return f"{value:,.0f}" if is_whole else f"{value:.4g}"


def duration(seconds: float) -> str:
    """Return a duration for display: `less than 1 s`, `8 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if not whole and seconds:
        return "less than 1 s"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"

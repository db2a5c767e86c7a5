"""Lines, tables and JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

PIPE_WIDTH = 200
"""How wide tables may be where nobody's terminal limits them."""

OUTPUT = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else PIPE_WIDTH)
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


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    """Print a table; columns that hold numbers are set to the right."""
    lines = [list(row) for row in rows]
    shown = Table(title=title, box=None, header_style="bold", title_justify="left", pad_edge=False)
    for index, name in enumerate(columns):
        numeric = all(isinstance(line[index], int | float | None) for line in lines)
        shown.add_column(escape(name), justify="right" if numeric else "left", overflow="fold")
    for line in lines:
        shown.add_row(*(escape(_cell(value)) for value in line))
    OUTPUT.print(shown, soft_wrap=False)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def duration(seconds: float) -> str:
    """Return a time span as people say it: `8 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"

"""Markdown of untrusted text: names from runs neither form markup nor break out of a table.

The output is rendered by GitHub and by markdown-it (for the HTML file).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

MOST_ROWS = 60
"""Largest number of rows of a table; the CSV files contain all rows."""

_PLAIN_CODE = re.compile(r"[\w.+\-/:=,()%@ ]+")
_SPECIAL = re.compile(r"([\\`*{}\[\]#|~$!])")
_EDGE_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_INTERVAL = re.compile(r"\\\[([-+\N{MINUS SIGN}\d., infae]+)\\\](?!\\?[(\[:])")
_LINE_START = re.compile(r"^(\d{1,9})([.)])(?=\s|$)|^([-+=](?=\s|$)|[-=]{2,}|>)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def one_line(text: object) -> str:
    """Return text on one line, without control and direction-changing characters."""
    return " ".join(_CONTROL.sub(" ", str(text)).split())


def escape(text: object) -> str:
    """Return Markdown that renders as exactly this text, on one line, in prose and in tables."""
    safe = _SPECIAL.sub(r"\\\1", one_line(text))
    safe = safe.replace("\\|", "&#124;")  # a bar would end the cell of a table
    safe = _EDGE_UNDERSCORE.sub(r"\\_", safe)  # GitHub ignores underscores inside words
    safe = re.sub(r"&(?=#?\w+;)(?!#124;)", "&amp;", safe)
    safe = re.sub(r"<(?=[A-Za-z/!?])", "&lt;", safe)
    safe = re.sub(r"(?i)\b(https?|ftp):(?=//)", r"\1\\:", safe)
    safe = re.sub(r"(?i)\bwww\.", lambda found: found[0][:-1] + "\\.", safe)
    safe = _LINE_START.sub(lambda found: f"{found[1]}\\{found[2]}" if found[1] else f"\\{found[0]}", safe)
    return _INTERVAL.sub(r"[\1]", safe)  # [2.83, 3.22] cannot be a link


def code(text: object) -> str:
    """Return a name as inline code if that is safe, otherwise escaped."""
    line = one_line(text)
    return f"`{line}`" if _PLAIN_CODE.fullmatch(line) else escape(line)


def bold(text: object) -> str:
    """Return bold text."""
    return f"**{escape(text)}**"


def caution(text: object) -> str:
    """Return a quoted warning."""
    return f"> **Caution:** {escape(text)}"


def bullets(lines: Iterable[str]) -> str:
    """Return a list whose items are Markdown."""
    return "\n".join(f"- {line}" for line in lines)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], numeric: Sequence[int] = ()) -> str:
    """Return a table whose cells are Markdown; the columns with the indices `numeric` are aligned right."""
    rule = ["---:" if place in numeric else "---" for place in range(len(columns))]
    lines = [list(columns), rule, *(list(row) for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def image(path: str, description: str) -> str:
    """Return an image with its alternative text."""
    return f"![{escape(description)}]({path})"


def folded(title: str, about: str, text: str, *, is_open: bool = False) -> str:
    """Return Markdown that GitHub and our page show folded, under a title of plain words with a description."""
    state = " open" if is_open else ""
    return f"<details{state}>\n<summary><b>{title}</b>: {about}</summary>\n\n{text}\n\n</details>"


def link(path: str) -> str:
    """Return a link to a file of the report, by its path relative to the report."""
    return f"[{code(path)}]({path})"


def fenced(text: str, language: str = "") -> str:
    """Return a code block whose fence is longer than any sequence of backticks in it."""
    longest = max((len(found) for found in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"

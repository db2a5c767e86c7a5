"""Read a CSV file of runs as a table of text cells, in the dialects of spreadsheets and other programs.

The separator, comments and decimal commas are recognised only if there is one way to read them.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.errors import UserError
from ablate.report.sources.decimal_commas import with_decimal_points
from ablate.report.sources.readers.text_encoding import read_text
from ablate.wording import count

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_DECLARED = re.compile(r"sep=(.)\s*", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?%?")


@dataclass(frozen=True)
class Row:
    """A row of a file: the number of its first line, and its cells."""

    line: int
    cells: list[str]


def read_csv(path: Path) -> pd.DataFrame:
    """Return a CSV file with every cell as text; the index is the row's line in the file.

    Numbers with a decimal comma get a point. `attrs["dialect"]` describes what differs from plain CSV.

    Raises UserError for a file that is not a table, or that can be read in more than one way.
    """
    import pandas as pd

    if not path.is_file():
        raise UserError(f"File not found: {path}")
    lines = list(io.StringIO(read_text(path), newline=""))  # at \n, \r and \r\n only
    try:
        separator, rows, comments = _rows(lines, str(path))
    except csv.Error as error:
        raise UserError(f"Cannot read {path} as CSV: {error}") from error
    header, *rows = rows
    rows = [row for row in rows if any(row.cells)]
    headers = sum(row.cells == header.cells for row in rows) if len(header.cells) > 1 else 0
    rows = [row for row in rows if row.cells != header.cells] if headers else rows
    _check_header(header, rows, str(path))
    names = _names(header, rows, str(path))
    cells = [_of_length(row, len(header.cells), str(path)) for row in rows]
    table = pd.DataFrame(
        {name: [row[place] for row in cells] for place, name in names.items()},
        index=[row.line for row in rows],
        dtype=str,
    )
    has_commas = any("," in cell for row in cells for cell in row)
    table, commas = with_decimal_points(table, str(path)) if has_commas else (table, False)
    found = [
        *([f"cells separated by {SEPARATORS[separator]}"] if separator != "," else []),
        *(["decimal commas"] if commas else ["decimal points"] if separator == ";" else []),
        *([f"{count(comments, 'comment line')} skipped"] if comments else []),
        *([f"{count(headers, 'repeated header')} skipped"] if headers else []),
    ]
    table.attrs["dialect"] = ", ".join(found)
    return table


def _rows(lines: Sequence[str], path: str) -> tuple[str, list[Row], int]:
    """Return the separator, the rows with the header first, and the number of comments. Raises csv.Error."""
    declared = _DECLARED.fullmatch(lines[0]) if lines else None
    lines, start = _from_header(lines, 1 if declared else 0)
    if start == len(lines):
        raise UserError(f"{path} contains no rows")
    choices = [declared[1]] if declared else [one for one in SEPARATORS if len(_cells(lines, start, one)) > 1]
    if not choices:
        raise UserError(f"{path} has one column. Separate the cells by commas, semicolons or tabs")
    separator = choices[0] if len(choices) == 1 else _separator(choices, lines, start, path)
    rows, comments = _without_comments(list(_records(lines, start, separator)), lines, path)
    return separator, rows, comments + sum(map(_is_comment, lines[:start]))


def _from_header(lines: Sequence[str], start: int) -> tuple[Sequence[str], int]:
    """Return the lines and the place of the header: the first line that is not a comment.

    A comment just above rows is the header, without its sign, if it has as many cells: NumPy writes `# variant,seed`.
    """
    above = None
    while start < len(lines) and (_is_comment(lines[start]) or not lines[start].strip()):
        above = start if _is_comment(lines[start]) else above
        start += 1
    if start == len(lines) or above is None:
        return lines, start
    for separator in SEPARATORS:
        names, cells = _cells(lines, above, separator), _cells(lines, start, separator)
        if len(names) == len(cells) > 1 and any(map(_is_number, cells)):
            return [*lines[:above], lines[above].lstrip().lstrip("#").lstrip(" "), *lines[above + 1 :]], above
    return lines, start


def _separator(choices: Sequence[str], lines: Sequence[str], start: int, path: str) -> str:
    """Return the one of several separators by which every row has as many cells as the header, else most names."""
    fitting = []
    for separator in choices:
        with suppress(csv.Error):
            rows = [row for row in _records(lines, start, separator) if any(row.cells)]
            rows = [row for row in rows if not _is_comment(lines[row.line - 1])]
            fitting += [separator] if {len(row.cells) for row in rows} == {len(rows[0].cells)} else []
    if len(fitting) > 1:
        words = " or ".join(SEPARATORS[one] for one in fitting)
        raise UserError(f"The cells of {path} may be separated by {words}. Quote the cells that contain either of them")
    return next(iter(fitting), max(choices, key=lambda one: len(_cells(lines, start, one))))


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def _cells(lines: Sequence[str], start: int, separator: str) -> list[str]:
    """Return the cells of the row at a line; none if it cannot be split by this separator."""
    try:
        return next(_records(lines, start, separator)).cells
    except csv.Error:
        return []


def _records(lines: Sequence[str], start: int, separator: str) -> Iterator[Row]:
    """Yield the rows from a line on; comments too, whose quotes do not continue on the next line. Raises csv.Error."""
    place = start

    def feed() -> Iterator[str]:
        nonlocal place
        while place < len(lines):
            place += 1
            yield lines[place - 1]

    reader = csv.reader(feed(), delimiter=separator, skipinitialspace=separator != "\t", strict=True)
    while place < len(lines):
        first = place + 1
        if _is_comment(lines[place]):
            cells = next(csv.reader([lines[place]], delimiter=separator))
            place += 1
        else:
            try:
                cells = next(reader)
            except csv.Error as error:
                raise csv.Error(f"{error} in the row of line {first}") from None
        yield Row(first, [cell.strip() for cell in cells])


def _width(row: Row) -> int:
    """Return the number of cells without the empty ones at the end."""
    return next((place for place in range(len(row.cells), 0, -1) if row.cells[place - 1]), 0)


def _without_comments(rows: Sequence[Row], lines: Sequence[str], path: str) -> tuple[list[Row], int]:
    """Return the rows that are not comments, and the number of comments.

    Raises UserError for a row that may be either: one that begins with # and has as many cells as the header.
    """
    header, *rest = rows
    marked = [row for row in rest if _is_comment(lines[row.line - 1])]
    full = [row for row in marked if _width(row) == _width(header)]
    if full and len(full) < len([row for row in rest if any(row.cells)]):
        raise UserError(
            f"Line {full[0].line} of {path} begins with # and has as many cells as a row. Remove it if it is a "
            "comment; if it is a row, quote its first cell"
        )
    comments = {row.line for row in marked} - {row.line for row in full}
    return [header, *(row for row in rest if row.line not in comments)], len(comments)


def _check_header(header: Row, rows: Sequence[Row], path: str) -> None:
    """Raise UserError for a header that is a row: it has a number at the top of every column of numbers."""
    columns = zip_longest(*(row.cells for row in rows[:100]), fillvalue="")
    numeric = [place for place, cells in enumerate(columns) if any(cells) and all(map(_is_number, filter(None, cells)))]
    if numeric and all(place < len(header.cells) and _is_number(header.cells[place]) for place in numeric):
        raise UserError(f"Line {header.line} of {path} looks like a row. The first line must name the columns")


def _is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell) is not None


def _names(header: Row, rows: Sequence[Row], path: str) -> dict[int, str]:
    """Return the names of the columns by place, without empty columns that have no name: trailing separators."""
    used = {place for row in rows for place, cell in enumerate(row.cells) if cell}
    names = {place: name for place, name in enumerate(header.cells) if name or place in used}
    doubled = [name for name in names.values() if name and [*names.values()].count(name) > 1]
    if doubled:
        raise UserError(f"{path} has several columns named {doubled[0]!r}")
    last = len(header.cells) - 1
    if last in names and not names[last] and last:
        row = next(row for row in rows if len(row.cells) > last and row.cells[last])
        raise UserError(f"{_longer(row, last, path)}. Name every column")
    return {place: name or f"Unnamed: {place}" for place, name in names.items()}


def _of_length(row: Row, length: int, path: str) -> list[str]:
    """Return the cells of a row: empty ones at its end are left out or added. Raises UserError for other ones."""
    if _width(row) > length:
        raise UserError(
            f"{_longer(row, length, path)}. Quote the cells that contain the separator, as numbers with a decimal "
            "comma do, and name every column"
        )
    return [*row.cells[:length], *[""] * (length - len(row.cells))]


def _longer(row: Row, names: int, path: str) -> str:
    return f"Line {row.line} of {path} has {count(_width(row), 'cell')}, but the header has {count(names, 'name')}"

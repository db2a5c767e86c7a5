"""Tables of a report in other texts: recognised by their header, compared cell by cell, and written again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ablate.report.analysis import Analysis
from ablate.report.marks.values import unescaped
from ablate.report.sections.document import markdown

FEWEST_COLUMNS = 4
"""Fewest columns of a table that is recognised without a mark: shorter headers are common in other tables, too."""

_CELLS = re.compile(r"(?<!\\)\|")
_RULE = re.compile(r":?-+:?")
_HEADING = re.compile(r"^(?:(?P<level>##|###) (?P<title>.*)|<summary><b>(?P<fold>.*)</b>.*</summary>)$")
_BLOCK = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Table:
    """A table in a text: the number of its first line, from 1, and its lines as cells. `rows` excludes the rule."""

    line: int
    header: tuple[str, ...]
    rule: str
    rows: tuple[tuple[str, ...], ...]

    @property
    def key(self) -> tuple[str, ...]:
        """The header without markup, which recognises a table."""
        return tuple(map(plain_cell, self.header))


@dataclass(frozen=True)
class Cell:
    """A cell of a table in a text, and what it is in the report."""

    line: int
    row: str
    column: str
    printed: str
    known: str

    @property
    def agrees(self) -> bool:
        """Whether the cell is that of the report, apart from markup."""
        return plain_cell(self.printed) == plain_cell(self.known)


class UnknownNameError(Exception):
    """A column or a row of a table that the report does not have."""

    def __init__(self, kind: str, name: str, known: Sequence[str], line: int) -> None:
        self.kind, self.name, self.known, self.line = kind, name, known, line
        super().__init__(name)


def plain_cell(cell: str) -> str:
    """Return a cell without comments, emphasis, code markup and escapes."""
    text = re.sub(r"<!--.*?-->", "", cell).replace("\N{MINUS SIGN}", "-")
    return unescaped(" ".join(text.split()).strip("*` "))


def tables_in(text: str, first_line: int = 1) -> Iterator[Table]:
    """Yield the tables of a Markdown text that begin with a bar in every line."""
    lines = text.split("\n")
    place = 0
    while place + 1 < len(lines):
        header, rule = _cells(lines[place]), _cells(lines[place + 1])
        if not header or len(header) != len(rule) or not all(map(_RULE.fullmatch, rule)):
            place += 1
            continue
        end = place + 2
        while end < len(lines) and _cells(lines[end]):
            end += 1
        rows = tuple(_cells(line) for line in lines[place + 2 : end])
        yield Table(first_line + place, header, lines[place + 1].strip(), rows)
        place = end


def _cells(line: str) -> tuple[str, ...]:
    line = line.strip()
    if not line.startswith("|") or len(line) == 1:
        return ()
    return tuple(cell.strip() for cell in _CELLS.split(line.removeprefix("|").removesuffix("|")))


def report_tables(analysis: Analysis) -> dict[str, Table]:
    """Return the tables of a study's report by section, such as `results` and `main_effects`.

    Tables of one section that have the same header, one for each reference, are joined. Those of artifacts (training
    curves, correctness of single images) are not among them.
    """
    without_artifacts = replace(analysis.study, curves=dict, correct=dict)  # which take long to read, or are gone
    text = _BLOCK.sub("", markdown(replace(analysis, study=without_artifacts), [], []))
    section, subsection = "", ""
    titles = []
    for line in text.split("\n"):
        if heading := _HEADING.match(line):
            title = _slug(heading["title"] or heading["fold"])
            section, subsection = (section, title) if heading["level"] == "###" else (title, "")
        titles.append((section, subsection))
    own: dict[str, list[Table]] = {}
    of_subsections: dict[str, list[Table]] = {}
    for table in tables_in(text):
        section, subsection = titles[table.line - 1]
        if any(table.key):
            own.setdefault(subsection or section, []).append(table)
            of_subsections.setdefault(section, []).append(table)
    found = {**of_subsections, **own}
    return {name: _joined(tables) for name, tables in found.items() if len({one.key for one in tables}) == 1}


def _slug(title: str) -> str:
    return re.sub(r"\W+", "_", title.lower()).strip("_")


def _joined(tables: Sequence[Table]) -> Table:
    first = tables[0]
    return Table(first.line, first.header, first.rule, tuple(row for table in tables for row in table.rows))


def compare(table: Table, report: Table) -> list[Cell]:
    """Return the cells of a table next to those of the report. It may have fewer rows and columns, in any order.

    Raises UnknownNameError for a column or a row that the report does not have.
    """
    columns, cells = _columns(table, report), []
    for line, row in enumerate(table.rows, start=table.line + 2):
        known = _row(report, row, columns, line)
        padded = [*row, *[""] * (len(columns) - len(row))]
        cells += [
            Cell(line, plain_cell(row[0]), plain_cell(table.header[place]), padded[place], known[column])
            for place, column in enumerate(columns)
            if place
        ]
        cells += [Cell(line, plain_cell(row[0]), "", cell, "") for cell in row[len(columns) :]]
    return cells


def written(table: Table, report: Table) -> list[str]:
    """Return the lines of a table with the cells of the report; a table without rows gets all of them."""
    columns = _columns(table, report)
    rows = report.rows
    if table.rows:
        rows = tuple(_row(report, row, columns, line) for line, row in enumerate(table.rows, table.line + 2))
    body = [[row[column] for column in columns] for row in rows]
    return [_line(table.header), table.rule, *map(_line, body)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _columns(table: Table, report: Table) -> list[int]:
    """Return the report's columns of a table. Of several with one name, the next after the column before it."""
    known, places = report.key, [-1]
    for name in table.key:
        having = [place for place, title in enumerate(known) if title == name]
        if not having or (len(places) == 1 and having[0] != 0):
            raise UnknownNameError("column", name, known if len(places) > 1 else known[:1], table.line)
        places.append(next((place for place in having if place > places[-1]), having[0]))
    return places[1:]


def _row(report: Table, row: Sequence[str], columns: Sequence[int], line: int) -> tuple[str, ...]:
    """Return the report's row of the same name; of several, the one that agrees, or else the first."""
    name = plain_cell(row[0])
    named = [known for known in report.rows if plain_cell(known[0]) == name]
    if not named:
        raise UnknownNameError("row", name, [plain_cell(known[0]) for known in report.rows], line)
    printed = [*map(plain_cell, row)]
    return next((known for known in named if [plain_cell(known[column]) for column in columns] == printed), named[0])

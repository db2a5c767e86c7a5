"""Check the marks of a text against its studies, and fill them in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ablate.errors import UserError
from ablate.report.marks.study_values import StudyValues, unknown_in
from ablate.report.marks.syntax import Document, Mark
from ablate.report.marks.tables import FEWEST_COLUMNS, Table, UnknownNameError, compare, tables_in, written

_TABLE = re.compile(r"(?P<before>\s*\n[ \t]*)\|.*\|(?P<after>\s*\n\s*)", re.DOTALL)
"""A table with the line breaks and the indentation around it."""


@dataclass(frozen=True)
class CheckedValue:
    """A marked value, or a cell of a table, next to the study's.

    Attributes:
        line: The line of the text, from 1.
        study: The study.
        variant: The variant, pair or component, or the name of a table's row; empty for the whole study.
        what: The quantity, or the column of a table.
        claimed: The value in the text.
        known: The study's value, at the same precision.
        agrees: Whether they agree.
    """

    line: int
    study: str
    variant: str
    what: str
    claimed: str
    known: str
    agrees: bool

    @property
    def subject(self) -> str:
        """The quantity, its variant and its study."""
        return f"{self.what}{f' of {self.variant}' if self.variant else ''} in {self.study}"


def check_document(document: Document, studies: Mapping[str, StudyValues], study: str = "") -> list[CheckedValue]:
    """Compare all marks, and all tables with the header of a report, with the studies.

    Args:
        document: The text.
        studies: The values of studies. Marks of other studies are not checked.
        study: The study of tables without a mark; empty if there is none.

    Raises UserError for a mark that names a variant, quantity or table that its study does not have.
    """
    marks = [mark for mark in document.marks if mark.study in studies]
    checked = [item for mark in marks for item in _check_mark(document, mark, studies[mark.study])]
    if study and not document.is_latex:
        checked += check_unmarked_tables(document, study, studies[study])
    return sorted(checked, key=lambda item: item.line)


def fill_document(document: Document, studies: Mapping[str, StudyValues]) -> str:
    """Return the text with the study's values in all marks that do not agree. Nothing else changes.

    Raises UserError for a mark that names a variant, quantity or table that its study does not have.
    """
    return document.with_contents(
        [
            _filled(document, mark, studies[mark.study]) if mark.study in studies else document.content(mark)
            for mark in document.marks
        ]
    )


def check_unmarked_tables(document: Document, study: str, values: StudyValues) -> list[CheckedValue]:
    """Compare the tables outside marks that have the header of a report's table with those of `study`."""
    known: dict[tuple[str, ...], Table] = {}
    for table in values.tables.values():
        known.setdefault(table.key, table)
    checked = []
    for table in tables_in(document.unmarked):
        if len(table.header) >= FEWEST_COLUMNS and table.key in known:
            try:
                checked += _cells(table, known[table.key], study)
            except UserError as error:
                raise UserError(f"{error}. Put a table of another study between marks that name it") from None
    return checked


def _check_mark(document: Document, mark: Mark, values: StudyValues) -> Iterator[CheckedValue]:
    printed = document.content(mark)
    report = _report_table(document, mark, values)
    if report is not None:
        yield from _check_table(printed, report, mark)
        return
    value = values.value(mark)
    known = value.at_precision_of(printed, is_latex=document.is_latex)
    variant = f"{mark.variant} vs {mark.reference}" if mark.reference else mark.variant
    agrees = value.agrees(printed)
    yield CheckedValue(mark.line, mark.study, variant, mark.quantity, printed.strip(), known.strip(), agrees)


def _check_table(printed: str, report: Table, mark: Mark) -> Iterator[CheckedValue]:
    table = _only_table(printed, mark)
    if table is not None and table.rows:
        yield from _cells(table, report, mark.study)
        return
    found = "no table alone" if table is None else "no rows"
    yield CheckedValue(mark.line, mark.study, "", mark.quantity, found, f"a table of {len(report.rows)} rows", False)


def _filled(document: Document, mark: Mark, values: StudyValues) -> str:
    printed = document.content(mark)
    if all(item.agrees for item in _check_mark(document, mark, values)):
        return printed
    report = _report_table(document, mark, values)
    if report is None:
        return values.value(mark).at_precision_of(printed, is_latex=document.is_latex)
    table = _only_table(printed, mark) or Table(mark.line, report.header, report.rule, ())
    try:
        lines = written(table, report)
    except UnknownNameError as error:
        raise _unknown(error, mark.study) from None
    newline = "\r\n" if "\r\n" in document.text else "\n"
    around = _TABLE.fullmatch(printed)
    before, after = (around["before"], around["after"]) if around else (newline, newline)
    indent = before.rpartition("\n")[2]
    return before + (newline + indent).join(lines) + after


def _report_table(document: Document, mark: Mark, values: StudyValues) -> Table | None:
    """Return the report's table that a mark names, or None if it names a quantity."""
    if mark.variant:
        return None
    table = values.tables.get(mark.quantity.replace("-", "_"))
    if table is not None and document.is_latex:
        raise UserError(f"Line {mark.line}: Tables are marked in Markdown only. Use \\input{{table.tex}} in LaTeX")
    return table


def _only_table(text: str, mark: Mark) -> Table | None:
    """Return the table that is the whole text; None if there is none, or other text."""
    tables = list(tables_in(text, mark.line))
    others = [line for line in text.split("\n") if line.strip() and not line.strip().startswith("|")]
    return tables[0] if len(tables) == 1 and not others else None


def _cells(table: Table, report: Table, study: str) -> list[CheckedValue]:
    try:
        cells = compare(table, report)
    except UnknownNameError as error:
        raise _unknown(error, study) from None
    return [
        CheckedValue(cell.line, study, cell.row, cell.column, cell.printed, cell.known, cell.agrees) for cell in cells
    ]


def _unknown(error: UnknownNameError, study: str) -> UserError:
    return unknown_in(f"{error.kind} in a table", error.name, error.known, study, error.line)

"""Read runs from a sheet of an Excel workbook (.xlsx)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ablate.errors import UsageError, UserError
from ablate.report.sources.readers.run_table import RunTable, cell, first_doubled, optional_library, table_of_rows
from ablate.wording import count, listed, unknown

MARK = b"PK\x03\x04"


def read_excel(path: Path, sheet: str | None = None) -> RunTable:
    """Return the rows of a sheet; the index is the row in the sheet. The first row that is not empty names the columns.

    Raises:
        UsageError: There are several sheets with cells, or none of this name.
        UserError: The file is not a workbook, a formula has no stored result, or the sheet is not a table.
    """
    openpyxl = optional_library("openpyxl", "excel", path)
    try:
        values = _sheets(openpyxl, path, data_only=True)
        formulas = _sheets(openpyxl, path, data_only=False)
    except (OSError, KeyError, ValueError, openpyxl.utils.exceptions.InvalidFileException, _bad_zip()) as error:
        raise UserError(f"{path} is not an Excel workbook: {error}") from error
    name = _chosen(path, {name: rows for name, rows in values.items() if any(map(any_cell, rows))}, sheet)
    _check_formulas(values[name], formulas[name], f"sheet {name!r} of {path}")
    rows = _table_rows(values[name], f"Sheet {name!r} of {path}")
    statement = f"sheet {name}" if len(values) > 1 else ""
    return RunTable(path.name, table_of_rows(rows), "row", statement=statement)


Rows = Sequence[Sequence[Any]]


def _bad_zip() -> type[Exception]:
    from zipfile import BadZipFile

    return BadZipFile


def _sheets(openpyxl: Any, path: Path, *, data_only: bool) -> dict[str, Rows]:
    """Return the cells of all sheets, with the results of formulas if `data_only`, else with their text."""
    book = openpyxl.load_workbook(path, read_only=True, data_only=data_only)
    try:
        return {sheet.title: [list(row) for row in sheet.iter_rows(values_only=True)] for sheet in book.worksheets}
    finally:
        book.close()


def any_cell(row: Sequence[Any]) -> bool:
    """Return whether a row has a cell that is not empty."""
    return any(cell(value) for value in row)


def _chosen(path: Path, sheets: dict[str, Rows], asked: str | None) -> str:
    if asked is not None:
        if asked not in sheets:
            raise UsageError(unknown(f"sheet with cells in {path}:", asked, sheets))
        return asked
    if not sheets:
        raise UserError(f"{path} contains no rows")
    if len(sheets) > 1:
        raise UsageError(
            f"{path} has {count(len(sheets), 'sheet')} ({listed(sheets, 5)}). Choose one with --sheet NAME"
        )
    return next(iter(sheets))


def _check_formulas(values: Rows, formulas: Rows, where: str) -> None:
    """Raise UserError for a formula without a result, as programs write that do not calculate."""
    for number, (row, written) in enumerate(zip(values, formulas, strict=True), 1):
        for place, (value, text) in enumerate(zip(row, written, strict=True)):
            if value is None and text is not None:
                raise UserError(
                    f"The formula in row {number}, column {place + 1} of {where} has no stored result. Open and save "
                    "the file in a spreadsheet program"
                )


def _table_rows(rows: Rows, where: str) -> dict[int, dict[str, str]]:
    numbered = {number: [cell(value) for value in row] for number, row in enumerate(rows, 1) if any_cell(row)}
    (first, header), *rest = numbered.items()
    names = {place: name for place, name in enumerate(header) if name}
    if not header[0] and rest and all(row[0].isdecimal() for _, row in rest):
        names = {0: "Unnamed: 0", **names}  # the index that pandas writes, with the name that it has in a CSV file
    if doubled := first_doubled(names.values()):
        raise UserError(f"{where} has several columns named {doubled!r}")
    for number, row in rest:
        extra = [place for place, text in enumerate(row) if text and place not in names]
        if extra:
            raise UserError(
                f"{where} has a cell in row {number}, column {extra[0] + 1}, which row {first} does not name. "
                "Name every column, and keep the table alone on its sheet"
            )
    if not rest:
        raise UserError(f"{where} contains no runs")
    return {number: {name: row[place] for place, name in names.items()} for number, row in rest}

"""Read runs from files of tables: CSV, TSV, JSON, JSONL, Parquet and Excel, several files as one table."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.errors import UsageError, UserError
from ablate.report.sources.readers import excel_runs, json_runs, parquet_runs
from ablate.report.sources.readers.csv_runs import read_csv
from ablate.report.sources.readers.run_table import RunTable, check_content
from ablate.report.sources.readers.wandb_export import with_names_of_export
from ablate.wording import count, listed

if TYPE_CHECKING:
    import pandas as pd

FILE = "file"
"""The column with the name of the file without its suffix, where runs are in several files."""

_NO_TEXT_TABLES = (*json_runs.SUFFIXES, ".parquet", ".pq", ".xlsx", ".gz", ".bz2", ".xz")
_NO_SEPARATOR = re.compile(rb"[^,;\t|]")


def read_table_files(paths: Sequence[Path], sheet: str | None = None) -> RunTable:
    """Return the rows of one file, or of several files as one table with a column `file`.

    A column that only some of the files have is empty for the rows of the others, and named in a caution. Raises
    UserError for files that cannot be read, and UsageError for a file that is given twice.
    """
    doubled = [path for place, path in enumerate(paths) if path.resolve() in [one.resolve() for one in paths[:place]]]
    if doubled:
        raise UsageError(f"{doubled[0]} is given twice")
    found = [_readable(path, sheet) for path in paths]
    if sheet is not None and not any(map(_is_excel, paths)):
        raise UsageError("--sheet is for Excel workbooks")
    if len(found) == 1:
        return found[0]
    names = _names(paths)
    own_column = not any(FILE in runs.table.columns for runs in found)
    return joined(names, found, {FILE: [name.partition(".")[0] for name in names]} if own_column else {})


def _readable(path: Path, sheet: str | None) -> RunTable:
    try:
        return _read(path, sheet)
    except RecursionError:
        raise UserError(f"Cannot read {path}: a value is nested too deeply") from None


def _read(path: Path, sheet: str | None) -> RunTable:
    start = _start(path)
    check_content(path, start)
    if start.startswith(parquet_runs.MARK):
        return parquet_runs.read_parquet(path)
    if start.startswith(excel_runs.MARK):
        return excel_runs.read_excel(path, sheet)
    if _kind(path) in json_runs.SUFFIXES or start.lstrip().startswith(b"{"):
        return json_runs.read_json(path)
    table = read_csv(path)
    dialect = table.attrs["dialect"]
    return with_names_of_export(RunTable(path.name, table, "line", statement=f"file: {dialect}" if dialect else ""))


def cut_files(paths: Iterable[Path]) -> tuple[set[Path], bool]:
    """Return the CSV files whose last line is incomplete, and whether all are written without a final line end.

    A line without a line end is complete if no file has one, and each last line has as many separators as the header.
    """
    tables = [path for path in paths if path.suffix.lower() not in _NO_TEXT_TABLES]
    unended = [path for path in tables if not _ends_line(path)]
    are_whole = len(unended) == len(tables) > 1 and all(map(_has_as_many_separators, unended))
    return set() if are_whole else set(unended), are_whole


def _ends_line(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
        return file.read(1) in (b"\n", b"\r", b"")


def _has_as_many_separators(path: Path) -> bool:
    """Return whether the last line has as many separators as the first one."""
    lines = [_NO_SEPARATOR.sub(b"", line) for line in path.read_bytes().splitlines()]
    return lines[0] == lines[-1]


def _start(path: Path) -> bytes:
    """Return the first bytes of a file. Raises UserError if it does not exist or cannot be read."""
    if path.is_dir():
        raise UserError(f"{path} is a folder. Read it with --folder, --tensorboard or --wandb")
    if not path.is_file():
        raise UserError(f"File not found: {path}")
    try:
        with path.open("rb") as file:
            return file.read(64)
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror or error}") from error


def _is_excel(path: Path) -> bool:
    return _start(path).startswith(excel_runs.MARK)


def _kind(path: Path) -> str:
    """Return the suffix of a file in lower case, without that of its compression."""
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in (".gz", ".bz2", ".xz")]
    return suffixes[-1] if suffixes else ""


def joined(names: Sequence[str], found: Sequence[RunTable], labels: Mapping[str, Sequence[str]]) -> RunTable:
    """Return several tables as one, with the columns `labels`, which have one value per table."""
    import pandas as pd

    tables = []
    for number, (name, runs) in enumerate(zip(names, found, strict=True)):
        index = [f"{runs.row_word} {place} of {name}" for place in runs.table.index]
        table = runs.table.set_axis(index, axis=0)
        tables.append(table.assign(**{column: values[number] for column, values in labels.items()}))
    aside: dict[str, list[str]] = {}
    for runs in found:
        for reason, rows in runs.set_aside.items():
            aside.setdefault(reason, []).extend(rows)
    statements = [
        f"{name}: {runs.statement.removeprefix('file: ')}"
        for name, runs in zip(names, found, strict=True)
        if runs.statement
    ]
    return RunTable(
        f"{count(len(names), 'file')} ({listed(names, 5)})",
        pd.concat(tables).fillna(""),
        "",
        aside,
        are_names=all(runs.names for runs in found),
        names=[name for runs in found for name in runs.names] if all(runs.names for runs in found) else [],
        statement="; ".join(statements),
        cautions=_partial_columns(names, [runs.table for runs in found]),
    )


def _names(paths: Sequence[Path]) -> list[str]:
    """Return the names of files, with as many folders as it takes to tell them apart."""
    for depth in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-depth:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    return [str(path.resolve()) for path in paths]


def _partial_columns(names: Sequence[str], tables: Sequence[pd.DataFrame]) -> list[str]:
    """Return a caution for each set of files with columns that the others lack, up to five columns each."""
    everywhere = set.intersection(*(set(table.columns) for table in tables))
    holders: dict[tuple[str, ...], list[str]] = {}
    for column in dict.fromkeys(name for table in tables for name in table.columns):
        if column not in everywhere:
            having = tuple(name for name, table in zip(names, tables, strict=True) if column in table.columns)
            holders.setdefault(having, []).append(str(column))
    return [
        f"Only {listed(having, 3)} {'has' if len(having) == 1 else 'have'} the column{'s' * (len(columns) > 1)} "
        f"{listed(columns, 5)}; empty for the runs of the other files."
        for having, columns in holders.items()
    ]

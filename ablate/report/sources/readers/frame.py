"""Read runs from a table in memory: a data frame of pandas or polars, a table of Arrow, or a list of mappings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ablate.errors import UsageError, UserError
from ablate.report.sources.readers.run_table import RunTable, cell, first_doubled, flat, short_float, table_of_rows
from ablate.report.sources.readers.wandb_export import with_names_of_export

if TYPE_CHECKING:
    import pandas as pd

_SHORT_FLOATS = ("float16", "float32", "halffloat", "float")
"""Names of types of floats with fewer than 64 bits, in pandas, polars (in lower case) and Arrow."""


def is_frame(value: object) -> bool:
    """Return whether a value is a table in memory rather than a path."""
    return _library(value) != "" or (isinstance(value, Sequence) and any(isinstance(one, Mapping) for one in value))


def read_frame(frame: Any) -> RunTable:
    """Return the rows of a table in memory as a table of runs. The frame is not changed.

    Missing values of pandas (NaN, None, NA) are empty cells, as in a CSV file that pandas writes. Named levels of the
    index are columns.

    Raises:
        UsageError: The value is not a table, or is one that is not computed yet.
        UserError: The table has no rows, or several columns of one name.
    """
    library = _library(frame)
    if library == "pandas":
        table, source = _of_pandas(frame), "a pandas DataFrame"
    elif library == "polars":
        if hasattr(frame, "collect"):
            raise UsageError("A polars LazyFrame has no rows yet. Pass frame.collect()")
        columns = [(str(name), str(frame[name].dtype), frame[name].to_list()) for name in frame.columns]
        table, source = _of_columns(columns), "a polars DataFrame"
    elif library == "pyarrow":
        names = zip(frame.column_names, frame.columns, strict=True)
        table, source = _of_columns([(name, str(one.type), one.to_pylist()) for name, one in names]), "an Arrow table"
    elif is_frame(frame):
        table, source = _of_mappings(frame), "a list of runs"
    else:
        raise UsageError(f"Runs must be a data frame or paths of files, not {type(frame).__name__}")
    if table.empty:
        raise UserError(f"No runs in {source}")
    return with_names_of_export(RunTable(source, table, "row"))


def _library(value: object) -> str:
    """Return the library whose frame a value is; empty for other values."""
    for kind in type(value).__mro__:
        library = kind.__module__.partition(".")[0]
        if (library, kind.__name__) in _FRAMES:
            return library
    return ""


_FRAMES = (("pandas", "DataFrame"), ("polars", "DataFrame"), ("polars", "LazyFrame"), ("pyarrow", "Table"))


def _of_pandas(frame: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    if any(name is not None for name in frame.index.names):
        kept = [name for name in frame.index.names if name is not None and name not in frame.columns]
        frame = frame.reset_index(level=kept)
    if isinstance(frame.columns, pd.MultiIndex):
        raise UserError("The columns of the frame have several levels. Give each column one name")
    names = _unique_names(frame.columns)
    cells = {name: _pandas_cells(frame.iloc[:, place]) for place, name in enumerate(names)}
    index = frame.index if frame.index.is_unique and frame.index.nlevels == 1 else range(len(frame))
    return pd.DataFrame(cells, index=list(index), columns=names, dtype=str)


def _pandas_cells(column: pd.Series) -> list[str]:
    values = list(column.to_numpy()) if str(column.dtype) in _SHORT_FLOATS else column.tolist()
    return ["" if lost else value_as_text(value) for value, lost in zip(values, column.isna().tolist(), strict=True)]


def value_as_text(value: Any) -> str:
    """Return a value as the text of a cell; a scalar of NumPy as the value of Python."""
    if type(value).__module__ == "numpy" and str(getattr(value, "dtype", "")) not in _SHORT_FLOATS:
        value = value.tolist()
    return cell(value)


def _of_columns(columns: Sequence[tuple[str, str, list[Any]]]) -> pd.DataFrame:
    """Return columns, each with its name, its type and its values."""
    import pandas as pd

    names = _unique_names([name for name, _, _ in columns])
    cells = {
        name: ["" if value is None else short_float(value) for value in values]
        if kind.lower() in _SHORT_FLOATS
        else [value_as_text(value) for value in values]
        for name, (_, kind, values) in zip(names, columns, strict=True)
    }
    return pd.DataFrame(cells, columns=names, dtype=str)


def _of_mappings(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    if not all(isinstance(row, Mapping) for row in rows):
        raise UsageError("Every item of a list of runs must be a mapping of names to values")
    return table_of_rows(
        {place: {name: value_as_text(value) for name, value in flat(row)} for place, row in enumerate(rows)}
    )


def _unique_names(columns: Any) -> list[str]:
    names = [str(name).strip() for name in columns]
    if doubled := first_doubled(names):
        raise UserError(f"The frame has several columns named {doubled!r}")
    return names

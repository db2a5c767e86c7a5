"""Read runs from a Parquet file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ablate.errors import UserError
from ablate.report.sources.readers.run_table import RunTable, cell, first_doubled, optional_library

MARK = b"PAR1"
_SHORT_FLOATS = ("halffloat", "float")


def read_parquet(path: Path) -> RunTable:
    """Return the rows of a Parquet file; the index counts them from 1. Raises UserError for a file that is damaged."""
    import pandas as pd

    pyarrow = optional_library("pyarrow", "parquet", path)
    parquet = optional_library("pyarrow.parquet", "parquet", path)
    try:
        found = parquet.read_table(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise UserError(f"Cannot read {path} as Parquet: {str(error).splitlines()[0]}") from error
    while any(pyarrow.types.is_struct(column.type) for column in found.columns):
        found = found.flatten()
    names = [str(name) for name in found.column_names]
    if doubled := first_doubled(names):
        raise UserError(f"{path} has several columns named {doubled!r}")
    if not found.num_rows:
        raise UserError(f"{path} contains no runs")
    index = range(1, found.num_rows + 1)
    cells = {name: _cells(column) for name, column in zip(names, found.columns, strict=True)}
    return RunTable(path.name, pd.DataFrame(cells, index=index, columns=names, dtype=str), "row")


def _cells(column: Any) -> list[str]:
    """Return the values of a column as text, of short floats the fewest digits: 0.1 instead of 0.10000000149."""
    values = column.to_pylist()
    if str(column.type) in _SHORT_FLOATS:
        import numpy as np

        kind = np.float16 if str(column.type) == "halffloat" else np.float32
        return ["" if value is None else str(kind(value)) for value in values]
    return [cell(value) for value in values]

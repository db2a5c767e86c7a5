"""Read a CSV file of runs as a table of text cells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

_AS_TEXT: dict[str, Any] = {
    "dtype": str, "keep_default_na": False, "skip_blank_lines": False, "encoding": "utf-8-sig",
}  # fmt: skip


def read_csv(path: Path) -> pd.DataFrame:
    """Return a CSV file with every cell as text; the index counts the lines of the file, so the first row is line 2.

    Raises UserError for a file that is not a table.
    """
    import pandas as pd

    if not path.is_file():
        raise UserError(f"File not found: {path}")
    try:
        table = pd.read_csv(path, **_AS_TEXT)
        header = pd.read_csv(path, header=None, nrows=1, **_AS_TEXT)  # `table` has new names for repeated ones
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, OSError) as error:
        raise UserError(f"Cannot read {path} as CSV: {str(error).strip().splitlines()[0]}") from error
    if not isinstance(table.index, pd.RangeIndex):  # what pandas makes of rows that are longer than the header
        raise UserError(f"{path} has rows with more cells than the header. Name every column")
    names = [name for name in header.iloc[0].str.strip() if name]
    doubled = [name for name in names if names.count(name) > 1]
    if doubled:
        raise UserError(f"{path} has several columns named {doubled[0]!r}")
    table.index = table.index + 2
    table.columns = [str(name).strip() for name in table.columns]
    cells: pd.DataFrame = table.map(str.strip)
    return cells[~(cells == "").all(axis=1)]

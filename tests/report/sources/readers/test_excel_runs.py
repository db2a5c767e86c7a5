"""Excel workbooks of runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ablate.errors import UsageError, UserError
from ablate.report.sources.readers.csv_runs import read_csv
from ablate.report.sources.readers.excel_runs import read_excel

ROWS = [["variant", "seed", None, "acc"], ["a", 1, None, 0.25], [], ["b", 2.0, None, True]]


def write(folder: Path, **sheets: list[list[Any]]) -> Path:
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl, the extra `excel`, is not installed")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(folder / "runs.xlsx")
    return folder / "runs.xlsx"


def test_cells_are_text_and_the_index_is_the_row(tmp_path: Path) -> None:
    found = read_excel(write(tmp_path, Runs=[[], *ROWS])).table
    assert found.to_dict("index") == {
        3: {"variant": "a", "seed": "1", "acc": "0.25"},
        5: {"variant": "b", "seed": "2", "acc": "true"},
    }


def test_the_index_of_a_table_of_pandas_is_a_column_as_in_a_csv_file(tmp_path: Path) -> None:
    """`frame.to_excel(path)` writes the index without a name, also of selected rows."""
    pytest.importorskip("openpyxl", reason="openpyxl, the extra `excel`, is not installed")
    frame = pd.DataFrame({"variant": ["a", "a", "b"], "seed": [1, 2, 1], "acc": [0.5, 0.25, 0.75]})
    for selected in (frame, frame[frame["seed"] == 1]):
        selected.to_excel(tmp_path / "runs.xlsx")
        selected.to_csv(tmp_path / "runs.csv")
        found = read_excel(tmp_path / "runs.xlsx").table
        assert found.to_dict("records") == read_csv(tmp_path / "runs.csv").to_dict("records")
        assert list(found.columns) == ["Unnamed: 0", "variant", "seed", "acc"]
    with pytest.raises(UserError, match="has a cell in row 2, column 1, which row 1 does not name"):
        read_excel(write(tmp_path, Runs=[[None, "seed"], ["note", 1]]))


def test_one_of_several_sheets_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, Notes=[["about"]], Runs=ROWS, Empty=[])
    with pytest.raises(UsageError, match=r"has 2 sheets \(Notes, Runs\). Choose one with --sheet NAME"):
        read_excel(path)
    with pytest.raises(UsageError, match="Did you mean 'Runs'"):
        read_excel(path, "Run")
    runs = read_excel(path, "Runs")
    assert (len(runs.table), runs.statement) == (2, "sheet Runs")
    assert read_excel(write(tmp_path, Runs=ROWS, Empty=[])).statement == "sheet Runs"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "contains no rows"),
        ([["variant", "seed"]], "Sheet 'Runs' of .* contains no runs"),
        ([["variant", "variant"], ["a", 1]], "several columns named 'variant'"),
        ([*ROWS, ["a", 3, "note", 0.5]], "has a cell in row 5, column 3, which row 1 does not name"),
        ([*ROWS, ["a", 3, None, "=1/3"]], "The formula in row 5, column 4 of sheet 'Runs' of .* has no stored result"),
    ],
)
def test_other_sheets_are_refused_in_one_line(tmp_path: Path, rows: list[list[Any]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_excel(write(tmp_path, Runs=rows))


def test_other_zip_archives_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl", reason="openpyxl, the extra `excel`, is not installed")
    (tmp_path / "runs.xlsx").write_bytes(b"PK\x03\x04 and more")
    with pytest.raises(UserError, match=r"runs\.xlsx is not an Excel workbook"):
        read_excel(tmp_path / "runs.xlsx")


def test_without_the_library_its_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(UserError, match=r"needs openpyxl: pip install 'ablate-study\[excel\]'"):
        read_excel(tmp_path / "runs.xlsx")

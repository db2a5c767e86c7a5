"""CSV files of a report: every cell is safe in a spreadsheet."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

from ablate.report.formats.csv_writer import write_csv, write_rows

CELLS = ["=1+1", "@x", "-0.5", "plain, with a comma", "+7", "-rm"]
SAFE = ["'=1+1", "'@x", "-0.5", "plain, with a comma", "+7", "'-rm"]


def test_formulas_are_written_as_text(tmp_path: Path) -> None:
    write_csv(pd.DataFrame({"=name": CELLS}), tmp_path / "table.csv")
    write_rows(["=name"], [[cell] for cell in CELLS], tmp_path / "rows.csv")
    for name in ("table.csv", "rows.csv"):
        with (tmp_path / name).open(newline="", encoding="utf-8") as file:
            assert list(csv.reader(file)) == [["'=name"], *([cell] for cell in SAFE)]


def test_values_that_are_not_text_stay(tmp_path: Path) -> None:
    write_rows(["trial", "saved", "value"], [(0, True, -0.25), (1, None, "")], tmp_path / "rows.csv")
    assert (tmp_path / "rows.csv").read_text().splitlines() == ["trial,saved,value", "0,True,-0.25", "1,,"]

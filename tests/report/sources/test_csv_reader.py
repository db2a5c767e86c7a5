"""CSV files of runs that other programs wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablate.errors import UserError
from ablate.report.sources.csv_reader import read_csv


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"a,b\n1,2\n3,4,5,6\n", b"a,b,c\n1,2,3,4\n", b"a, a\n1,2\n"])
def test_a_file_that_is_not_a_table_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "runs.csv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"runs\.csv"):
        read_csv(path)


def test_two_columns_of_one_name_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("variant,seed,seed\nbaseline,0,1\n")
    with pytest.raises(UserError, match="several columns named 'seed'"):
        read_csv(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="File not found"):
        read_csv(tmp_path / "none.csv")


def test_cells_are_text_and_the_index_counts_lines(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("\ufeffvariant, seed\n\nNA, 007\n")
    table = read_csv(path)
    assert table.to_dict("index") == {3: {"variant": "NA", "seed": "007"}}

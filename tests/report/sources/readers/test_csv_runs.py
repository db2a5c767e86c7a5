"""CSV files of runs that other programs wrote."""

from __future__ import annotations

import csv
import gzip
import lzma
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.errors import UserError
from ablate.report.sources.readers.csv_runs import read_csv


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


PLAIN = "variant,seed,accuracy\nbase,0,0.931\nbase,1,0.95\nno-x,0,0.9\nno-x,1,0.875\n"
SEMICOLONS = PLAIN.replace(",", ";").replace("0.", "0,")


def with_lines(*lines: str) -> str:
    return PLAIN + "".join(f"{line}\n" for line in lines)


def cells(folder: Path, content: str | bytes) -> list[tuple[str, ...]]:
    path = folder / "runs.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    table = read_csv(path)
    return [tuple(table.columns), *table.itertuples(index=False, name=None)]


@pytest.mark.parametrize(
    "content",
    [
        SEMICOLONS,
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", "|"),
        SEMICOLONS.replace(";", "\t"),
        "sep=;\n" + SEMICOLONS,
        "".join(f'"{line}"\n' for line in PLAIN.replace(",", '","').split()),
        'variant,seed,accuracy\nbase,0,"0,931"\nbase,1,"0,95"\nno-x,0,"0,9"\nno-x,1,"0,875"\n',
        PLAIN.replace("\n", ",\n"),
        PLAIN.replace("\n", ",,,\n"),
        PLAIN.replace("accuracy\n", "accuracy,\n"),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        "# made by make_table.py\n#\n# a,b\n\n" + PLAIN,
        PLAIN + '# mean: 0.9\n#\n # done, with a comma and an odd quote "\n',
        "# " + PLAIN,
        "#" + PLAIN,
        "\ufeff" + PLAIN,
        PLAIN.encode("utf-16"),
        SEMICOLONS.replace(";", "\t").encode("utf-16"),
        b"\xfe\xff" + PLAIN.encode("utf-16-be"),
        PLAIN.encode("utf-16-le"),
        PLAIN.encode("utf-16-be"),
        PLAIN.encode("utf-32"),
        gzip.compress(PLAIN.encode(), mtime=0),  # the name of the test contains it
        lzma.compress(PLAIN.encode()),
        PLAIN.rstrip("\n"),
        PLAIN.replace(",", " , "),
    ],
)
def test_dialects_of_spreadsheets_and_programs_give_the_same_table(tmp_path: Path, content: str | bytes) -> None:
    header, *rows = [tuple(line.split(",")) for line in PLAIN.split()]
    assert cells(tmp_path, content) == [header, *rows]


def test_the_index_is_the_line_of_the_file_and_the_dialect_is_described(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text('# one\nvariant;seed;accuracy;note\n\na;0;0,5;"two\nlines"\n# two\nb;0;0,75;\n')
    table = read_csv(path)
    assert table.index.tolist() == [4, 7]
    assert table.attrs["dialect"] == "cells separated by semicolons, decimal commas, 2 comment lines skipped"
    path.write_text(PLAIN)
    assert read_csv(path).attrs["dialect"] == ""
    path.write_text("variant;seed;ms\na;0;1.234\nb;0;2.500\n")  # may be thousands: the reader is told
    assert read_csv(path).attrs["dialect"] == "cells separated by semicolons, decimal points"


@pytest.mark.parametrize(
    ("column", "read"),
    [
        (["0,931", "0,95"], ["0.931", "0.95"]),
        (["93,125", "93,5"], ["93.125", "93.5"]),  # the second cannot be thousands
        (["1,5e-3", "nan", "", "2"], ["1.5e-3", "nan", "", "2"]),
        (["93,1%", "92,5 %"], ["93.1%", "92.5 %"]),
        (["-0,25", "+,5"], ["-0.25", "+.5"]),
        (["93,125", "91,250"], ["93,125", "91,250"]),  # may be thousands
        (["1,234,567", "2,5"], ["1,234,567", "2,5"]),
        (["0.5", "0,5"], ["0.5", "0,5"]),
        (["1.234,5", "2,5"], ["1.234,5", "2,5"]),
        (["a,b", "0,5"], ["a,b", "0,5"]),
    ],
)
def test_a_comma_is_decimal_only_where_it_can_be_nothing_else(
    tmp_path: Path, column: list[str], read: list[str]
) -> None:
    text = "variant;score\n" + "".join(f"v{place};{cell}\n" for place, cell in enumerate(column))
    assert [row[1] for row in cells(tmp_path, text)[1:]] == read


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "variant;seed;ms;lr\na;0;1.234;0,1\nb;0;2.500;0,1\n",
            "ms in line 2 .* 1.234, may have a decimal point or one",
        ),
        (with_lines("no-x,2,0,93"), "Line 6 .* has 4 cells, but the header has 3 names. Quote the cells"),
        (PLAIN.replace("accuracy\n", "accuracy,\n") + "no-x,2,0,93\n", "Line 6 .* has 4 cells, but the header has 3"),
        (with_lines("#no-x,2,0.5"), "Line 6 .* begins with # and has as many cells as a row"),
        (with_lines('no-x,2,"0.5'), "unexpected end of data in the row of line 6"),
        (PLAIN.replace(",", " "), "has one column. Separate the cells by commas, semicolons or tabs"),
        ("variant;a,b\nx;y,0\n", "separated by commas or semicolons. Quote the cells"),
        ("# only\n#comments\n", "contains no rows"),
        ("", "contains no rows"),
        (PLAIN.partition("\n")[2], "Line 1 of .* looks like a row. The first line must name the columns"),
        (b"variant,seed\nBl\xf6d,1\n", "not UTF-8 .byte 0xf6 in line 2.. Save it as UTF-8"),
        (b"PK\x03\x04", "an Excel workbook or a zip archive. Export the sheet as CSV"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"a,b\n1,\0\0\n2,3\n", "contains NUL bytes"),
        (b"\x1f\x8bnothing", "Cannot read"),
    ],
)
def test_what_can_be_read_in_two_ways_is_an_error_that_says_what_to_do(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        cells(tmp_path, content)
    assert "\n" not in str(caught.value)


def test_rows_that_all_begin_with_a_hash_are_rows(tmp_path: Path) -> None:
    assert cells(tmp_path, "run,variant,score\n#1,a,1\n#2,b,2\n")[1:] == [("#1", "a", "1"), ("#2", "b", "2")]
    assert cells(tmp_path, 'run,score\n"#1",1\na,2\n')[1:] == [("#1", "1"), ("a", "2")]
    assert cells(tmp_path, "#,variant,score\n1,a,2\n") == [("Unnamed: 0", "variant", "score"), ("1", "a", "2")]


@given(
    st.lists(st.tuples(st.text("ab#;, \"'|\t", max_size=5), st.integers(-9, 9)), min_size=1, max_size=5),
    st.sampled_from(",;\t|"),
)
def test_quoted_cells_come_back_in_every_dialect(rows: list[tuple[str, int]], separator: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file, delimiter=separator, quoting=csv.QUOTE_ALL)
            writer.writerows([("variant", "score"), *rows])
        assert read_csv(path).to_numpy().tolist() == [[name.strip(), str(score)] for name, score in rows]

"""Runs in several files, and the formats of files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ablate.errors import UsageError, UserError
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.external_study import study_of
from ablate.report.sources.readers.table_files import read_table_files


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def scores(base: float, variant: str = "") -> str:
    lines = [f"{seed},{base + 0.01 * seed}{',' * bool(variant)}{variant}\n" for seed in range(4)]
    return f"seed,acc{',variant' if variant else ''}\n" + "".join(lines)


def test_the_files_can_be_the_variants(tmp_path: Path) -> None:
    paths = [write(tmp_path, "full.csv", scores(0.8)), write(tmp_path, "no-ema.csv", scores(0.7))]
    runs = read_table_files(paths)
    assert runs.source == "2 files (full.csv, no-ema.csv)"
    study = study_of("mine", runs, TableOptions(metric="acc", variant="file", baseline="full"))
    assert study.runs["variant"].value_counts().to_dict() == {"full": 4, "no-ema": 4}


def test_messages_name_the_file(tmp_path: Path) -> None:
    paths = [write(tmp_path, "a/runs.csv", scores(0.8, "baseline")), write(tmp_path, "b/runs.csv", "seed,acc\n7,0.5\n")]
    runs = read_table_files(paths)
    assert runs.cautions == ["Only a/runs.csv has the column variant; empty for the runs of the other files."]
    with pytest.raises(UserError, match=r"^No variant in line 2 of b/runs\.csv"):
        study_of("mine", runs, TableOptions(metric="acc"))


@pytest.mark.parametrize("value", ["[" * 600 + "]" * 600, '{"a":' * 10**5])
def test_values_that_are_nested_too_deeply_are_an_error(tmp_path: Path, value: str) -> None:
    path = write(tmp_path, "runs.jsonl", f'{{"seed": 1, "x": {value}}}\n')
    with pytest.raises(UserError, match=r"Cannot read .*runs\.jsonl: a value is nested too deeply"):
        read_table_files([path])


def test_a_run_in_two_files_is_an_error_that_names_them(tmp_path: Path) -> None:
    text = scores(0.8, "baseline") + "0,0.7,no-x\n"
    paths = [write(tmp_path, name, text) for name in ("a.csv", "b.csv")]
    with pytest.raises(UserError, match=r"line 2 of a\.csv .*line 2 of b\.csv .*They differ in file \('a', 'b'\)"):
        study_of("mine", read_table_files(paths), TableOptions(metric="acc"))


def test_dialects_and_half_written_lines_are_named_by_file(tmp_path: Path) -> None:
    rows = [json.dumps({"variant": variant, "seed": seed, "acc": 0.8}) for variant in "ab" for seed in range(3)]
    paths = [
        write(tmp_path, "runs.jsonl", "\n".join(rows) + '\n{"variant": "b", "se'),
        write(tmp_path, "more.csv", "variant;seed;acc\na;4;0,8\nb;4;0,7\n"),
    ]
    study = study_of("mine", read_table_files(paths), TableOptions(metric="acc", baseline="a"))
    assert study.statement.endswith("; more.csv: cells separated by semicolons, decimal commas.")
    assert study.counts.set_aside == {"with a half-written line": 1}
    assert "1 run with a half-written line excluded: line 7 of runs.jsonl." in study.cautions


def test_a_file_is_given_once(tmp_path: Path) -> None:
    path = write(tmp_path, "runs.csv", scores(0.8, "a"))
    with pytest.raises(UsageError, match=r"runs\.csv is given twice"):
        read_table_files([path, tmp_path / "." / "runs.csv"])
    with pytest.raises(UsageError, match="--sheet is for Excel workbooks"):
        read_table_files([path], sheet="Runs")
    with pytest.raises(UserError, match=r"File not found: .*none\.csv"):
        read_table_files([path, tmp_path / "none.csv"])


def test_the_format_is_that_of_the_content(tmp_path: Path) -> None:
    path = write(tmp_path, "log.txt", '{"variant": "a", "seed": 1}\n')
    assert read_table_files([path]).table.to_dict("records") == [{"variant": "a", "seed": "1"}]

"""JSON and JSONL files of runs."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from ablate.errors import UserError
from ablate.report.sources.readers.json_runs import HALF_WRITTEN, read_json

LINE = '{"variant": "a", "seed": 1, "config": {"lr": 1e-3, "layers": [1, 2]}, "flag": true, "none": null, "acc": NaN}\n'


def read(folder: Path, text: str, name: str = "runs.jsonl") -> dict[int, dict[str, str]]:
    (folder / name).write_text(text)
    return read_json(folder / name).table.to_dict("index")  # type: ignore[return-value]


def test_values_are_as_written_and_names_are_joined(tmp_path: Path) -> None:
    row = {"variant": "a", "seed": "1", "config.lr": "1e-3", "config.layers": "[1, 2]"}
    assert read(tmp_path, "\n" + LINE) == {2: {**row, "flag": "true", "none": "", "acc": "NaN"}}


def test_a_list_of_objects_is_read_by_number(tmp_path: Path) -> None:
    found = read(tmp_path, '[{"a": 0.10, "b": {}}, {"c": " x "}]', "runs.json")
    assert found == {1: {"a": "0.10", "b": "{}", "c": ""}, 2: {"a": "", "b": "", "c": "x"}}


def test_a_compressed_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "runs.jsonl.gz").write_bytes(gzip.compress(LINE.encode()))
    assert len(read_json(tmp_path / "runs.jsonl.gz").table) == 1


def test_a_half_written_last_line_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    path.write_text(LINE + LINE[:30])
    runs = read_json(path)
    assert len(runs.table) == 1
    assert runs.set_aside == {HALF_WRITTEN: ["line 2 of runs.jsonl"]}
    path.write_text(LINE + LINE.strip())
    assert (len(read_json(path).table), read_json(path).set_aside) == (2, {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LINE + LINE[:30] + "\n" + LINE, "Not a JSON object in line 2 of"),
        (LINE[:30], "Not a JSON object in line 1 of"),
        ("3\n", "Not a JSON object in line 1 of"),
        ('{"a": 1, "a": 2}\n', "Two values of 'a' in line 1 of"),
        ('{"a.b": 1, "a": {"b": 2}}\n', "Two values of 'a.b' in line 1 of"),
        ('{\n "a": 1\n}\n', "contains one JSON object. Write one object per run and line"),
        ("\n\n", "contains no runs"),
        ("[]", "contains no runs"),
        ("[1, 2]", "Not a JSON object in item 1 of"),
        ('[{"a": 1, "a": 2}]', "Two values of 'a' in one object of"),
        ('[{"a": 1},', "Cannot read .* as JSON"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as raised:
        read(tmp_path, text)
    assert "runs.jsonl" in str(raised.value)


def test_a_list_of_runs_within_an_object_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has its list of runs under 'runs'\. Write the list itself"):
        read(tmp_path, '{"runs": [{"variant": "a"}, {"variant": "b"}]}', "runs.json")

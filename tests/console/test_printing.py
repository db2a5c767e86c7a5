"""Lines, tables and JSON: which stream they go to, their width, their numbers."""

from __future__ import annotations

import json

import pytest

from ablate import console
from ablate.console import printing


def test_results_go_to_standard_output_and_messages_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    console.result("a [result]")
    console.info("a [message]")
    console.warning("careful [1]")
    console.error("wrong [2]")
    output, messages = capsys.readouterr()
    assert output == "a [result]\n"
    assert messages == "a [message]\nwarning: careful [1]\nerror: wrong [2]\n"


def test_names_between_colons_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    console.result("/data/:fire:/mlruns")
    console.info("/data/:fire:/mlruns")
    console.table(["run"], [["a:bug:b"]])
    output, messages = capsys.readouterr()
    assert output.startswith("/data/:fire:/mlruns\n")
    assert "a:bug:b" in output
    assert messages == "/data/:fire:/mlruns\n"


def test_json_has_no_number_that_is_not_finite(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_json({"score": float("nan"), 1: [float("inf"), 2.5, None, True, "x"]})
    assert json.loads(capsys.readouterr().out) == {"score": None, "1": [None, 2.5, None, True, "x"]}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.2, "less than 1 s"), (8.4, "8 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert console.duration(seconds) == text


ROWS = [["no-augment+no-residual/s3", "finished", 0.9123, "2026-11-24 03:24", "0123456789ab"]]
COLUMNS = ["run", "status", "test accuracy", "started", "key"]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_table_hides_optional_columns(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    console.table(COLUMNS, ROWS, optional=("key", "started"))
    shown, message = capsys.readouterr()
    assert all(len(line) <= width for line in shown.splitlines())
    for text in ("no-augment+no-residual/s3", "finished", "0.9123"):
        assert text in shown
    assert ("0123456789ab" in shown) == (width == 120)
    assert ("Columns hidden for lack of width: key" in message) == (width < 120)


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [
        ([0.961, 0.9109, None, 0.5], ["0.9610", "0.9109", "", "0.5000"]),
        ([1.0, 0.96], ["1.0000", "0.9600"]),
        ([133.42, 99.0, float("nan")], ["133.4", "99.0", "nan"]),
        ([0.01, 0.000004], ["0.01", "4e-06"]),
        ([4e-08, 3e-08], ["4e-08", "3e-08"]),
        ([1.0, 20.0], ["1", "20"]),
        ([1, 0.961], ["1", "0.961"]),
    ],
)
def test_the_numbers_of_a_column_have_the_same_decimals(
    numbers: list[float | None], shown: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    console.table(["score"], [[number] for number in numbers])
    assert [line.strip() for line in capsys.readouterr().out.splitlines()[1:]] == shown


def test_a_table_in_a_pipe_may_be_wide(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    console.table(["text"], [["x" * 150]])
    assert "x" * 150 in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "text"),
    [(104234.0, "104,234"), (0.123456, "0.1235"), (12345.678, "1.235e+04"), (7, "7"), (-1e15, "-1e+15")],
)
def test_a_large_whole_number_keeps_its_digits(value: float, text: str) -> None:
    assert console.number(value) == text


def test_prose_breaks_between_words_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (
        "  - Removing batch norm changed accuracy by -3.02 points [-3.22, -2.83], which is a clear and important loss."
    )
    console.result(text)
    assert capsys.readouterr().out == text + "\n"
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(printing, "is_terminal", lambda _console: True)
    console.result(text)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 1
    assert all(len(line) <= 60 for line in lines)
    assert all(line.startswith("    ") for line in lines[1:])
    assert " ".join(" ".join(lines).split()) == text.strip()
    console.result("\n/a/path/that/is/longer/than/the/terminal/is/wide/and/stays/in/one/piece.md\n  b   c")
    assert capsys.readouterr().out.splitlines()[0::2] == ["", "  b   c"], "lines and columns are kept"


@pytest.mark.parametrize("width", [-1, 0, 1])
def test_the_first_part_is_kept_on_any_width(width: int) -> None:
    assert printing.fitted(["first", "second"], ", ", width).startswith("first")

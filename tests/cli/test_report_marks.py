"""`ablate report --check` and `--fill`: whole files, several studies, JSON, and exit codes."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ablate.cli.app import app
from ablate.tracking import open_tracker
from tests.samples.effects import BASELINE, NO_BATCH_NORM, NO_CLIP, run_table
from tests.samples.report import record_of, small_study, write_runs
from tests.samples.tracking import mlflow_project

ARMS = {"baseline": BASELINE, "no-batch-norm": NO_BATCH_NORM, "no-grad-clip": NO_CLIP}
DELTA = "<!-- ablate: runs no-batch-norm delta -->{}<!-- /ablate -->"
OTHER = "<!-- ablate: small no-augment delta -->{}<!-- /ablate -->"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    run_table(ARMS).to_csv("runs.csv", index=False)
    return tmp_path


@pytest.fixture
def project(folder: Path) -> Path:
    """A project with the study `small` as well."""
    project = mlflow_project(folder)
    study = small_study(seeds=3)
    tracker = open_tracker(project)
    tracker.open_study(record_of(study))
    for journal in write_runs(study, project.journals):
        tracker.deliver(journal)
    return folder


def call(*arguments: str, code: int = 0) -> Any:
    result = CliRunner().invoke(app, ["report", *arguments])
    assert result.exit_code == code, result.output
    assert len(result.stderr.strip().splitlines()) <= 1 + result.stderr.count("warning")
    return result


def test_a_wrong_number_is_exit_code_1_with_line_and_right_value(folder: Path) -> None:
    Path("page.md").write_text(f"# A\n\nIt cost {DELTA.format('-3.0')} or {DELTA.format('-3.1')} points.\n")
    result = call("--runs", "runs.csv", "--check", "page.md", code=1)
    assert "2 marked values checked in page.md, 1 wrong" in result.stdout
    assert "1 of 2 marked values wrong in page.md. The first, in line 3" in result.stderr
    assert "Values of runs: 15 runs, scale unknown" in result.stdout
    assert "delta of no-batch-norm in runs is '-3.0', not '-3.1'" in result.stderr
    assert not Path("reports").exists()


def test_json(folder: Path) -> None:
    Path("page.md").write_text(DELTA.format("-3.1"))
    facts = json.loads(call("--runs", "runs.csv", "--check", "page.md", "--json", code=1).stdout)
    found = {"line": 1, "study": "runs", "variant": "no-batch-norm", "what": "delta", "claimed": "-3.1",
             "known": "-3.0", "agrees": False}  # fmt: skip
    assert facts == {
        "study": "runs", "file": "page.md", "claims": 1, "wrong": 1, "found": [found], "not_checked": []
    }  # fmt: skip
    facts = json.loads(call("--runs", "runs.csv", "--fill", "page.md", "--json").stdout)
    assert (facts["marked"], facts["changed"], facts["found"]) == (1, 1, [found])
    facts = json.loads(call("--runs", "runs.csv", "--check", "page.md", "--json").stdout)
    assert (facts["claims"], facts["wrong"]) == (1, 0)


@pytest.mark.parametrize(("before", "after"), [("", ""), ("\ufeff", "\r\n"), ("a\r\nb\n\n c\td ", "\u2028\x0c end")])
def test_filling_in_replaces_the_file_once(folder: Path, before: str, after: str) -> None:
    target, page = folder / "target.md", folder / "page.md"
    target.write_bytes(f"{before}{DELTA.format('x')}{after}".encode())
    target.chmod(0o640)
    page.symlink_to("target.md")
    call("--runs", "runs.csv", "--fill", "page.md")
    assert page.is_symlink()
    assert target.read_bytes() == f"{before}{DELTA.format('-3.02')}{after}".encode()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    os.utime(target, (1, 1))
    assert ", 0 changed" in call("--runs", "runs.csv", "--fill", "page.md").stdout
    assert target.stat().st_mtime == 1
    assert sorted(path.name for path in folder.iterdir()) == ["page.md", "runs.csv", "target.md"]


def test_an_unknown_name_changes_nothing(folder: Path) -> None:
    text = DELTA.format("x") + DELTA.replace("delta", "dleta").format("x")
    Path("page.md").write_text(text)
    assert "Did you mean delta?" in call("--runs", "runs.csv", "--fill", "page.md", code=1).stderr
    assert Path("page.md").read_text() == text


def test_a_file_that_is_not_text(folder: Path) -> None:
    Path("page.md").write_bytes(b"\xff\xfe\x00")
    for option in ("--check", "--fill"):
        assert "page.md is not a UTF-8 text file" in call("--runs", "runs.csv", option, "page.md", code=1).stderr


def test_a_file_names_its_studies(project: Path) -> None:
    Path("page.md").write_text(OTHER.format("") + DELTA.format(""))
    assert "Line 1: Unknown study 'runs'. Known: small" in call("--fill", "page.md", code=1).stderr
    assert "Line 1: Unknown study 'runs'. Known: small" in call("small", "--check", "page.md", code=1).stderr
    assert "2 marked values in page.md, 2 changed" in call("--runs", "runs.csv", "--fill", "page.md").stdout
    Path("page.md").write_text(Path("page.md").read_text().replace(" small ", " smal "))
    stderr = call("--runs", "runs.csv", "--check", "page.md", code=1).stderr
    assert "Unknown study 'smal'. Did you mean 'small'? Known: runs, small" in stderr
    Path("page.md").write_text(OTHER.format("-4.00"))
    assert "1 marked value in page.md, 1 changed" in call("--fill", "page.md").stdout
    assert "1 marked value checked in page.md, 0 wrong" in call("small", "--check", "page.md").stdout
    assert "Nothing of runs is marked" in call("--runs", "runs.csv", "--check", "page.md", code=1).stderr


def test_marks_of_a_report_on_other_runs_are_skipped_with_a_warning(project: Path) -> None:
    call("--runs", "runs.csv")
    text = OTHER.format("?") + DELTA.format("?")
    Path("page.md").write_text(text)
    result = call("small", "--fill", "page.md")
    assert "Marks of runs were not checked. Give its runs with --runs or --experiment" in result.stderr
    assert DELTA.format("?") in Path("page.md").read_text()
    assert json.loads(call("small", "--check", "page.md", "--json").stdout)["not_checked"] == ["runs"]
    Path("page.md").write_text(DELTA.format("?"))
    assert "Nothing can be checked in page.md" in call("--check", "page.md", code=1).stderr


def test_a_table_without_a_mark_is_checked_and_not_filled_in(folder: Path) -> None:
    call("--runs", "runs.csv")
    report = Path("reports/runs/report.md").read_text()
    Path("page.md").write_text(DELTA.format("?") + "\n\n" + report.replace("| -3.02 |", "| -3.03 |"))
    stderr = call("--runs", "runs.csv", "--fill", "page.md").stderr
    assert "a table without a mark disagrees with runs" in stderr
    assert "| -3.03 |" in Path("page.md").read_text()
    assert "difference of no-batch-norm in runs is '-3.02', not '-3.03'" in (
        call("--runs", "runs.csv", "--check", "page.md", code=1).stderr
    )

"""What another project brings along is data: nothing of it is executed, and its paths stay where they belong."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ablate import console
from ablate.journal.run_journal import Journals
from ablate.report.sources.study import from_study
from ablate.tracking import JournalTracker, Project, StudyJournals, SyncResult, foreign_files, sync_journals
from tests.samples.report import record_of, small_study, write_runs
from tests.samples.tracking import write_run


def sync(there: Project, here: Project) -> SyncResult:
    return sync_journals(there.root, here, JournalTracker(here))


def twice(content: bytes) -> bytes:
    return content + content


def with_carriage_returns(content: bytes) -> bytes:
    return content.replace(b"\n", b"\r\n")


def out_of_order(content: bytes) -> bytes:
    start, *others, end = content.splitlines(keepends=True)
    return b"".join([start, *reversed(others), end])


@pytest.mark.parametrize("change", [twice, with_carriage_returns, out_of_order])
def test_another_form_of_the_same_journal_is_the_same_run(
    there: Project, here: Project, change: Callable[[bytes], bytes]
) -> None:
    path = write_run(there)
    sync(there, here)
    path.write_bytes(change(path.read_bytes()))
    result = sync(there, here)
    assert (result.new, result.known, result.damaged) == ([], [path.stem], {})
    assert len(Journals(here.journals).paths()) == 1


def test_the_same_run_with_other_values_is_named_and_not_imported(there: Project, here: Project) -> None:
    path = write_run(there)
    sync(there, here)
    path.write_bytes(path.read_bytes().replace(b'"test/accuracy": 0.9', b'"test/accuracy": 0.99'))
    result = sync(there, here)
    assert result.damaged == {path.name: f"its lines differ from those of {path.name}, which is the same run"}
    assert [run.metrics["test/accuracy"] for run in JournalTracker(here).runs()] == [0.9]


def test_links_are_not_followed(there: Project, here: Project, tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "id").write_text("secret")
    inside, as_a_whole = write_run(there), write_run(there, "ba9876543210-feed-0")
    files = inside.with_suffix(".files")
    (files / "id").symlink_to(tmp_path / "private" / "id")
    (files / "folder").symlink_to(tmp_path / "private")
    files = as_a_whole.with_suffix(".files")
    files.rename(tmp_path / "moved")
    files.symlink_to(tmp_path / "private")
    result = sync(there, here)
    assert result.damaged == {f"{inside.stem}.files": "2 links in the artifacts"}
    copied = [path.name for path in here.mlruns.rglob("*") if path.is_symlink() or path.suffix in ("", ".json")]
    assert sorted(copied) == ["journal", "recipe.json"]


def test_large_artifacts_are_not_copied(there: Project, here: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_files, "LARGEST", 2**30)
    path = write_run(there)
    with (path.with_suffix(".files") / "large").open("wb") as file:
        file.truncate(2**30 + 1)
    result = sync(there, here)
    assert list(result.damaged) == [f"{path.stem}.files"]
    assert result.new == [path.stem]
    assert not list(here.mlruns.rglob("*.files*"))


def test_a_workload_in_a_record_is_not_imported(
    there: Project, here: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "boom.py").write_text("raise AssertionError")
    monkeypatch.syspath_prepend(str(tmp_path))
    study = small_study()
    write_runs(study, there.journals)
    record = record_of(study).as_dict()
    record["declared"]["workload"] = "boom:WORKLOAD"
    record["layout"]["file"] = str(tmp_path / "boom.py")
    line = json.dumps({"record": "study", "time": 1.0, **record})
    there.studies.mkdir()
    (there.studies / "small.study.jsonl").write_text(line + "\n")
    assert sync(there, here).studies == ["small"]
    found = from_study("small", JournalTracker(here))
    assert "boom:WORKLOAD" in found.scale
    assert "boom" not in sys.modules


@pytest.mark.parametrize(
    ("folder", "is_kept"),
    [("../../reports/small", True), ("../..", False), ("../../reports", False), ("../../../x", False), ("/etc", False)],
)
def test_a_report_outside_the_reports_is_not_attached(
    there: Project, here: Project, folder: str, is_kept: bool
) -> None:
    there.studies.mkdir()
    lines = [
        {"record": "study", "time": 1.0, **record_of(small_study()).as_dict()},
        {"record": "report", "time": 2.0, "folder": folder, "note": "x", "metrics": {}},
    ]
    (there.studies / "small.study.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (here.reports / "small").mkdir(parents=True)
    sync(there, here)
    assert bool(StudyJournals(here.studies).reports("small")) is is_kept


@pytest.mark.parametrize(
    "changes", [{"plan": 3}, {"declared": None}, {"name": "../x"}, {"plan": [{"key": 1}]}, {"layout": {"metric": "x"}}]
)
def test_an_invalid_study_record_is_named(there: Project, here: Project, changes: dict[str, object]) -> None:
    there.studies.mkdir()
    line = {"record": "study", "time": 1.0, **record_of(small_study()).as_dict(), **changes}
    (there.studies / "small.study.jsonl").write_text(json.dumps(line) + "\n")
    assert sync(there, here).damaged == {"small.study.jsonl": f"field {next(iter(changes))!r} is missing or invalid"}
    assert JournalTracker(here).studies() == []


def test_control_characters_are_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "a\x1b]0;title\x07\x1b[2Jb"
    console.result(hostile)
    console.warning(hostile)
    console.table([hostile], [[hostile + "\nwarning: forged"]])
    printed = capsys.readouterr()
    assert not {"\x1b", "\x07"} & {*printed.out, *printed.err}
    assert r"\x1b[2Jb\nwarning: forged" in printed.out

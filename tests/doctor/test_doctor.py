"""Doctor: faults are found and repaired, and nothing valuable is removed."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock
from typer.testing import CliRunner

from ablate.cli.app import app
from ablate.doctor import CHECKS, DoctorContext, Finding, repair, run_checks
from ablate.doctor.leftovers import MINIMUM_AGE
from ablate.doctor.store import integrity, is_locked
from ablate.errors import UnreachableError, UserError
from ablate.journal.run_journal import Journals, load
from ablate.tracking import Project, StudyJournals, StudyRecord, deliver_study, open_tracker
from tests.samples.tracking import (
    DEAD,
    ELSEWHERE,
    copied_schema,
    end,
    epoch,
    mlflow_project,
    new_project,
    start,
    write_run,
)


@pytest.fixture
def healthy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with one finished run, delivered, and an empty data cache."""
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    project = mlflow_project(tmp_path / "project")
    open_tracker(project).deliver(write_run(project))
    monkeypatch.chdir(project.root)
    return project


def found(project: Project, check: str) -> list[Finding]:
    return [finding for finding in run_checks(DoctorContext(project)) if finding.check == check]


def repaired(project: Project, *, others: bool = False) -> str:
    return "\n".join(repair(DoctorContext(project), others=others))


def old(path: Path) -> Path:
    """Make a file or folder older than any unfinished one."""
    then = time.time() - 2 * MINIMUM_AGE
    os.utime(path, (then, then))
    return path


def test_a_healthy_project_has_no_problems_and_needs_no_repair(healthy: Project) -> None:
    findings = run_checks(DoctorContext(healthy))
    assert {finding.check for finding in findings} == set(CHECKS)
    assert [finding for finding in findings if finding.state == "problem"] == []
    before = {path: path.read_bytes() for path in healthy.mlruns.rglob("*") if path.is_file()}
    assert repaired(healthy) == ""
    assert {path: path.read_bytes() for path in healthy.mlruns.rglob("*") if path.is_file()} == before


def test_a_new_project_is_healthy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))
    here = DoctorContext(Project(tmp_path))
    assert [finding for finding in run_checks(here) if finding.state == "problem"] == []
    assert list(repair(here)) == []
    assert list(tmp_path.iterdir()) == [], "checks create no files"


def _dead_run(project: Project) -> None:
    tracker = open_tracker(project)
    with Journals(project.journals).create("aaaaaaaaaaaa", "feed") as journal:
        start(journal, key="aaaaaaaaaaaa", process=DEAD)
        epoch(journal, 0)
    tracker._store.create(tracker._store.experiment("ablate"), "baseline/s0", 1, _tags(DEAD))  # without a journal


def _tags(process: dict[str, object]) -> dict[str, str]:
    from ablate.tracking.mlflow_backend.records import process_tags

    return {"ablate.kind": "run", "ablate.run": "bbbbbbbbbbbb-feed-0", **process_tags(process)}


def _undelivered(project: Project) -> None:
    with Journals(project.journals).create("cccccccccccc", "feed") as journal:
        start(journal, key="cccccccccccc")
        epoch(journal, 0)
        end(journal)


def _receipt_without_journal(project: Project) -> None:
    (project.journals / "dddddddddddd-feed-0.delivered").write_text("{}")


def _files_without_journal(project: Project) -> None:
    folder = project.journals / "eeeeeeeeeeee-feed-0.files"
    folder.mkdir()
    (folder / "weights.pth").write_text("precious")


def _checkpoint_of_a_finished_run(project: Project) -> None:
    (Journals(project.journals).paths()[0].with_suffix(".checkpoint")).mkdir()


def _empty_journal(project: Project) -> None:
    path = project.journals / "ffffffffffff-feed-0.jsonl"
    path.touch()
    old(path)


def _half_made_database(project: Project) -> None:
    path = project.mlruns / "mlflow.db.new"
    path.write_bytes(b"half")
    old(path)


def _half_made_report(project: Project) -> None:
    folder = project.reports / ".demo-abcd1234"
    folder.mkdir(parents=True)
    (folder / "report.md").write_text("half")
    old(folder)


def _broken_cache(project: Project) -> None:
    (project.root.parent / "cache" / "decoded" / "feed-8px").mkdir(parents=True)


def _unfinished_cache(project: Project) -> None:
    (project.root.parent / "cache" / "decoded" / "feed-8px.0123abcd.tmp").mkdir(parents=True)


FAULTS: dict[Callable[[Project], None], tuple[str, str]] = {
    _dead_run: ("orphans", "closed as killed"),
    _undelivered: ("delivery", "1 journal delivered: cccccccccccc-feed-0"),
    _receipt_without_journal: ("leftovers", "dddddddddddd-feed-0.delivered removed"),
    _files_without_journal: ("leftovers", "belongs to no journal"),
    _checkpoint_of_a_finished_run: ("leftovers", ".checkpoint removed"),
    _empty_journal: ("leftovers", "ffffffffffff-feed-0.jsonl removed"),
    _half_made_database: ("leftovers", "mlflow.db.new removed"),
    _half_made_report: ("leftovers", ".demo-abcd1234 removed"),
    _broken_cache: ("data cache", "feed-8px removed"),
    _unfinished_cache: ("data cache", "1 unfinished folder removed"),
}


@pytest.mark.parametrize("spoil", FAULTS, ids=lambda spoil: spoil.__name__[1:])
def test_a_fault_is_found_and_repaired(healthy: Project, spoil: Callable[[Project], None]) -> None:
    check, line = FAULTS[spoil]
    spoil(healthy)
    assert [finding.state for finding in found(healthy, check)] == ["note"]
    assert line in repaired(healthy)
    assert [finding.state for finding in found(healthy, check)] == ["ok"]
    assert repaired(healthy) == "", "one repair is enough"


def test_files_without_a_journal_are_moved_aside(healthy: Project) -> None:
    _files_without_journal(healthy)
    repaired(healthy)
    assert (healthy.mlruns / "aside" / "eeeeeeeeeeee-feed-0.files" / "weights.pth").read_text() == "precious"


def test_files_in_use_are_not_changed(healthy: Project) -> None:
    """A run of this process, one of another machine, a new journal, a data set that is being decoded."""
    with Journals(healthy.journals).create("aaaaaaaaaaaa", "feed") as mine:
        start(mine, key="aaaaaaaaaaaa")
        mine.checkpoint.mkdir()
        mine.files.mkdir()
    with Journals(healthy.journals).create("bbbbbbbbbbbb", "feed") as theirs:
        start(theirs, key="bbbbbbbbbbbb", process=ELSEWHERE)
        theirs.checkpoint.mkdir()
    tracker = open_tracker(healthy)
    tracker.deliver(mine.path)
    tracker.deliver(theirs.path)
    Journals(healthy.journals).create("cccccccccccc", "feed")
    decoded = healthy.root.parent / "cache" / "decoded"
    (decoded / "feed-8px.0123abcd.tmp").mkdir(parents=True)
    before = {path for path in healthy.journals.iterdir() if path.suffix != ".lock"}
    with FileLock(decoded / "feed-8px.lock"):
        assert repaired(healthy, others=True) == "0 unfinished folders removed from the data cache"
    assert {path for path in healthy.journals.iterdir() if path.suffix != ".lock"} == before
    assert sorted(run.status for run in tracker.runs()) == ["finished", "running", "running"]


def test_a_silent_run_of_another_machine_is_closed_only_on_request(healthy: Project) -> None:
    tracker = open_tracker(healthy)
    tracker._store.create(tracker._store.experiment("ablate"), "baseline/s0", 1000, _tags(ELSEWHERE))
    assert "--others" in found(healthy, "orphans")[0].remedy
    assert repaired(healthy) == ""
    assert "closed as killed" in repaired(healthy, others=True)
    assert found(healthy, "orphans")[0].state == "ok"


def test_an_attempt_that_was_lost_on_another_machine_is_ended_only_on_request(healthy: Project) -> None:
    """A run that starts again after the loss of a node leaves it."""
    with Journals(healthy.journals).create("bbbbbbbbbbbb", "feed") as lost:
        start(lost, key="bbbbbbbbbbbb", process=ELSEWHERE)
        lost.checkpoint.mkdir()
    write_run(healthy, "bbbbbbbbbbbb-feed-1")
    assert found(healthy, "journals")[0].state == "ok"
    os.utime(lost.path, (0, 0))
    assert "no record for 15 minutes" in found(healthy, "journals")[0].text
    assert "ended" not in repaired(healthy)
    text = repaired(healthy, others=True)
    assert "ended as killed" in text
    assert f"{lost.name}.checkpoint removed" in text
    assert load(lost.path).status == "killed"  # type: ignore[union-attr]
    assert found(healthy, "journals")[0].state == "ok"


def test_a_damaged_journal_keeps_its_complete_lines_and_its_run(healthy: Project) -> None:
    path = Journals(healthy.journals).paths()[0]
    lines = path.read_bytes().split(b"\n")
    damaged = b"\n".join([lines[0], b'{"record": "metr\x00\xff', *lines[2:]])
    path.write_bytes(damaged)
    assert found(healthy, "journals")[0].state == "problem"
    text = repaired(healthy)
    assert f"{len(lines) - 2} complete lines kept" in text
    assert (healthy.mlruns / "aside" / path.name).read_bytes() == damaged
    run = load(path)
    assert run is not None
    assert run.status == "finished"
    assert [finding.state for finding in found(healthy, "journals") + found(healthy, "delivery")] == ["ok", "ok"]
    assert len(open_tracker(healthy).runs()) == 1


def test_an_invalid_journal_is_moved_aside(healthy: Project) -> None:
    path = healthy.journals / "aaaaaaaaaaaa-feed-0.jsonl"
    path.write_bytes(b"\x00\x01\n[]\n")
    assert "held no readable run" in repaired(healthy)
    assert not path.exists()
    assert (healthy.mlruns / "aside" / path.name).read_bytes() == b"\x00\x01\n[]\n"


@pytest.mark.parametrize("kind", ["lines", "link", "pipe", "folder", "of another study"])
def test_a_damaged_record_of_a_study_is_moved_aside_and_keeps_its_valid_lines(healthy: Project, kind: str) -> None:
    studies, other = StudyJournals(healthy.studies), healthy.root / "other"
    studies.open(StudyRecord("small", "?", {}, ()))
    path, valid = studies.path("small"), studies.path("small").read_bytes()
    other.write_text("theirs", encoding="utf-8")
    if kind == "lines":
        path.write_bytes(b"\x00\n" + valid)
    elif kind == "of another study":
        path = path.rename(studies.path("copy"))
    else:
        path.unlink()
        {"link": lambda: path.symlink_to(other), "pipe": lambda: os.mkfifo(path), "folder": path.mkdir}[kind]()
        with pytest.raises(UserError, match=r"small\.study\.jsonl is not a valid journal"):
            studies.close("small", "finished")
    assert path.name in found(healthy, "journals")[0].text
    assert path.name in repaired(healthy)
    assert [finding.state for finding in found(healthy, "journals")] == ["ok"]
    assert os.path.lexists(healthy.mlruns / "aside" / path.name)
    assert path.exists() == (kind == "lines")
    assert kind != "lines" or path.read_bytes() == valid
    assert other.read_text(encoding="utf-8") == "theirs"


def test_a_damaged_database_is_moved_aside_and_filled_from_the_journals(
    healthy: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied_schema(monkeypatch)
    before, study = open_tracker(healthy).runs()[0], StudyRecord("widths", "How wide?", {"margin": 0.5}, ())
    StudyJournals(healthy.studies).open(study)
    deliver_study(open_tracker(healthy), StudyJournals(healthy.studies), "widths")
    content = bytearray(healthy.database.read_bytes())
    for ending in ("-wal", "-shm"):
        healthy.database.with_name(healthy.database.name + ending).unlink(missing_ok=True)
    content[4096 * 3 : 4096 * 40] = os.urandom(4096 * 37)
    healthy.database.write_bytes(content)
    assert found(healthy, "store")[0].state == "problem"
    text = repaired(healthy)
    assert "a new one is filled from the journals" in text
    assert (healthy.mlruns / "aside" / "mlflow.db").read_bytes() == bytes(content)
    tracker = open_tracker(healthy)
    after = tracker.runs()[0]
    assert (after.name, after.status, after.metrics) == (before.name, before.status, before.metrics)
    assert tracker.artifact(after, "recipe.json").is_file(), "artifacts follow their run"
    assert tracker.study("widths") == study == StudyJournals(healthy.studies).read("widths")
    assert found(healthy, "store")[0].state == "ok"


def test_damaged_text_that_sqlite_quotes_is_reported(tmp_path: Path) -> None:
    """Python cannot decode the message, and raises no error of SQLite."""
    project = mlflow_project(tmp_path / "project")
    with closing(sqlite3.connect(project.database)) as connection:
        connection.execute("pragma writable_schema = on")
        connection.execute("update sqlite_master set sql = 'x', name = cast(x'c528' as text) where name = 'metrics'")
        connection.commit()
    with pytest.raises(UnreachableError, match="not a complete MLflow database"):
        open_tracker(project).runs()
    assert found(project, "store")[0].state == "problem"
    assert integrity(project.database)
    assert is_locked(project.database) is False


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_in_the_place_of_the_database_is_named_and_kept(tmp_path: Path, kind: str) -> None:
    project = new_project(tmp_path / "project")
    path = project.database
    {"link": lambda: path.symlink_to(tmp_path / "disk"), "pipe": lambda: os.mkfifo(path), "folder": path.mkdir}[kind]()
    with pytest.raises(UnreachableError, match="is not a file or a link to one"):
        open_tracker(project).runs()
    assert os.path.lexists(path)
    assert not path.is_file()
    assert "is not a file" in found(project, "store")[0].text


def test_a_database_without_a_table_is_not_changed_by_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied_schema(monkeypatch)
    project = mlflow_project(tmp_path / "project")
    path = write_run(project)
    with closing(sqlite3.connect(project.database)) as connection:
        connection.execute("drop table runs")
    before = project.database.read_bytes()
    with pytest.raises(UnreachableError, match="not a complete MLflow database"):
        open_tracker(project).deliver(path)
    assert project.database.read_bytes() == before
    assert "a new one is filled" in repaired(project)
    assert [run.name for run in open_tracker(project).runs()] == [path.stem]


@pytest.mark.parametrize(("version", "word"), [("451aebb31d03", "older"), ("ffffffffffff", "newer")])
def test_a_database_with_another_schema_is_explained_and_not_changed(healthy: Project, version: str, word: str) -> None:
    with closing(sqlite3.connect(healthy.database)) as connection:
        connection.execute("update alembic_version set version_num = ?", [version])
        connection.commit()
    before = healthy.database.read_bytes()
    assert word in found(healthy, "store")[0].text
    assert "failed" in repaired(healthy)
    assert healthy.database.read_bytes() == before
    result = CliRunner().invoke(app, ["doctor", "--repair"])
    assert result.exit_code == 1
    assert result.stderr.count(f"the schema of an {word}" if word == "older" else f"the schema of a {word}") == 1


def test_a_locked_database_is_reported(healthy: Project) -> None:
    with closing(sqlite3.connect(healthy.database, isolation_level=None)) as holder:
        holder.execute("begin exclusive")
        assert "locked" in found(healthy, "store")[0].text


def test_the_other_checks_run_without_mlflow(healthy: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    _undelivered(healthy)
    monkeypatch.setattr("ablate.doctor.types.find_spec", lambda name: None)
    findings = {finding.check: finding for finding in run_checks(DoctorContext(healthy))}
    assert "MLflow is not installed" in findings["store"].text
    assert "2 journals not delivered" in findings["delivery"].text
    assert not [finding for finding in findings.values() if finding.state == "problem"]
    assert repaired(healthy) == ""


def test_an_invalid_uri_is_one_problem(healthy: Project) -> None:
    findings = run_checks(DoctorContext(healthy, "./mlruns"))
    assert [finding.check for finding in findings if finding.state == "problem"] == ["store"]


def test_low_disk_space_is_a_problem(healthy: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage._replace(free=10**8))
    assert found(healthy, "disk")[0].state == "problem"


def test_the_command_prints_one_line_per_check_and_exits_1_for_a_problem(healthy: Project) -> None:
    (healthy.journals / "aaaaaaaaaaaa-feed-0.jsonl").write_text("[]\n")
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert [line.split()[0] for line in result.stdout.splitlines()].count("problem") == 1
    assert len(result.stdout.splitlines()) == len(CHECKS)
    assert len(result.stderr.splitlines()) == 1
    second = CliRunner().invoke(app, ["doctor", "--repair", "--json"])
    assert second.exit_code == 0
    answer = json.loads(second.stdout)
    assert answer["problems"] == 0
    assert "held no readable run" in answer["repaired"][0]
    assert set(answer["findings"][0]) == {"check", "state", "text", "remedy"}
    assert CliRunner().invoke(app, ["doctor", "--others"]).exit_code == 2


def test_a_repair_creates_a_missing_store_for_undelivered_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied_schema(monkeypatch)
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))
    project = new_project(tmp_path / "project")
    path = write_run(project)
    assert "not delivered" in found(project, "delivery")[0].text
    assert "1 journal delivered" in repaired(project)
    assert [run.name for run in open_tracker(project).runs()] == [path.stem]


def test_a_file_in_the_place_of_a_folder_is_a_problem(tmp_path: Path) -> None:
    context = DoctorContext(Project(tmp_path))
    context.project.mlruns.mkdir()
    context.project.studies.touch()
    (finding,) = CHECKS["folder"](context)
    assert (finding.state, finding.text) == ("problem", f"{context.project.studies} is not a folder")

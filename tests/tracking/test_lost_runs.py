"""Runs that an MLflow database has lost, as after a backup is restored, are delivered again from the journals."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from ablate.doctor.repair import repair
from ablate.doctor.store import check_delivery
from ablate.doctor.types import DoctorContext
from ablate.journal.run_journal import Journal
from ablate.journal.study_journal import StudyJournals
from ablate.tracking import (
    PlanEntry,
    Project,
    StudyRecord,
    attach_report,
    catch_up,
    deliver_study,
    lost_records,
    open_tracker,
)
from ablate.tracking.sync import sync_journals
from tests.samples.tracking import KEY, end, epoch, mlflow_project, start, write_run

WAYS: dict[str, Callable[[Project], object]] = {
    "next command": lambda project: catch_up(open_tracker(project), project),
    "sync": lambda project: sync_journals(None, project, open_tracker(project)),
    "doctor": lambda project: [*repair(DoctorContext(project)), catch_up(open_tracker(project), project)],
}


def copy_database(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


@pytest.mark.parametrize("way", WAYS)
def test_runs_and_studies_that_a_restored_database_lacks_are_delivered_again(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    project = mlflow_project(tmp_path / "project")
    first = write_run(project, f"{KEY}-feed-0")
    kept = open_tracker(project).deliver(first)
    copy_database(project.database, tmp_path / "backup.db")
    StudyJournals(project.studies).open(StudyRecord("later", "Why?", {"margin": 1.0}, []))
    second = write_run(project, f"{KEY}-feed-1", study="later")
    catch_up(open_tracker(project), project)
    copy_database(tmp_path / "backup.db", project.database)
    assert [run.name for run in open_tracker(project).runs()] == [first.stem]
    (finding,) = check_delivery(DoctorContext(project))
    assert finding.state == "note"
    assert second.stem in finding.text
    capsys.readouterr()

    WAYS[way](project)

    assert "1 run and 1 study record missing or incomplete in the store" in " ".join(capsys.readouterr().err.split())
    tracker = open_tracker(project)
    assert [run.name for run in tracker.runs()] == [first.stem, second.stem]
    assert tracker.deliver(first) == kept, "the store had it all the time"
    assert tracker.artifact(tracker.find(second.stem), "recipe.json").read_text() == "{}\n"
    assert tracker.study("later").question == "Why?"
    assert tracker.find(second.stem).parent, "the study is its parent again"
    assert [finding.state for finding in check_delivery(DoctorContext(project))] == ["ok"]
    catch_up(tracker, project)
    assert "missing" not in capsys.readouterr().err


_VALUES = (
    "select run_uuid, '', 'status', status, '' from runs",
    "select run_uuid, '', key, value, '' from params",
    "select run_uuid, step, key, value, timestamp from metrics",
    "select run_uuid, '', key, value, '' from tags where key not in ('ablate.heartbeat', 'ablate.delivered')",
)


def stored_values(project: Project) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(project.database)) as connection:
        return sorted(tuple(map(str, row)) for query in _VALUES for row in connection.execute(query))


def test_a_run_and_a_study_are_complete_again_if_only_their_start_is_in_the_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    project = mlflow_project(tmp_path / "project")
    studies, tracker = StudyJournals(project.studies), open_tracker(project)
    studies.open(StudyRecord("small", "Why?", {"margin": 1.0}, []))
    studies.close("small", "finished")
    with Journal(project.journals / f"{KEY}-feed-0.jsonl") as journal:
        start(journal, study="small")
        epoch(journal, 0)
        deliver_study(tracker, studies, "small")
        run = tracker.deliver(journal.path)
        copy_database(project.database, tmp_path / "backup.db")
        epoch(journal, 1)
        tracker.deliver(journal.path)
        epoch(journal, 2)
        end(journal)
    project.reports.mkdir()
    (project.reports / "report.md").write_text("Clear.\n")
    studies.open(StudyRecord("small", "Why?", {"margin": 1.0}, [PlanEntry(KEY, "feed", "baseline", 0, journal.name)]))
    studies.close("small", "finished")
    studies.attach_report("small", project.reports, "Clear.", {"delta/no-x": -1.0})
    catch_up(tracker, project)
    complete = stored_values(project)
    for lost in (journal.path, studies.path("small")):
        copy_database(tmp_path / "backup.db", project.database)
        assert lost in lost_records(open_tracker(project), project)
        catch_up(open_tracker(project), project)
        assert open_tracker(project).deliver(journal.path) == run
        assert stored_values(project) == complete
        assert not lost_records(open_tracker(project), project)


def test_a_database_that_is_restored_during_a_run_receives_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    project = mlflow_project(tmp_path / "project")
    tracker = open_tracker(project)
    with Journal(project.journals / f"{KEY}-feed-0.jsonl") as journal:
        start(journal)
        epoch(journal, 0)
        tracker.deliver(journal.path)
        copy_database(project.database, tmp_path / "backup.db")
        epoch(journal, 1)
        tracker.deliver(journal.path)
        copy_database(tmp_path / "backup.db", project.database)
        epoch(journal, 2)
        tracker.deliver(journal.path)
    (run,) = tracker.runs()
    assert [row["step"] for row in tracker.history(run)] == [0, 1, 2]


def test_a_report_returns_with_its_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    project = mlflow_project(tmp_path / "project")
    tracker, studies = open_tracker(project), StudyJournals(project.studies)
    studies.open(StudyRecord("small", "Why?", {"margin": 1.0}, []))
    catch_up(tracker, project)
    copy_database(project.database, tmp_path / "backup.db")
    project.reports.mkdir()
    (project.reports / "report.md").write_text("Clear.\n")
    attach_report(tracker, project, "small", project.reports, "Clear.", {"delta/no-x": -1.0})
    complete = stored_values(project)
    assert any(row[2] == "delta/no-x" for row in complete)
    copy_database(tmp_path / "backup.db", project.database)
    catch_up(open_tracker(project), project)
    assert stored_values(project) == complete


def test_a_study_that_is_lost_without_a_run_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    project = mlflow_project(tmp_path / "project")
    copy_database(project.database, tmp_path / "backup.db")
    StudyJournals(project.studies).open(StudyRecord("later", "Why?", {"margin": 1.0}, []))
    catch_up(open_tracker(project), project)
    copy_database(tmp_path / "backup.db", project.database)
    (finding,) = check_delivery(DoctorContext(project))
    assert finding.text == "1 journal not delivered to the store: later.study"
    catch_up(open_tracker(project), project)
    assert open_tracker(project).study("later").question == "Why?"


def test_what_a_user_deleted_or_an_earlier_version_delivered_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    project = mlflow_project(tmp_path / "project")
    tracker = open_tracker(project)
    StudyJournals(project.studies).open(StudyRecord("small", "Why?", {"margin": 1.0}, []))
    paths = [write_run(project, f"{KEY}-feed-{number}", study="small") for number in range(2)]
    catch_up(tracker, project)
    tracker.delete(tracker.find(paths[0].stem))
    assert lost_records(tracker, project) == []
    with closing(sqlite3.connect(project.database)) as connection:
        connection.execute("delete from tags where key = 'ablate.delivered'")
        connection.commit()
    assert lost_records(tracker, project) == []


def test_values_that_a_program_logged_itself_are_not_doubled_after_a_restore(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    project = mlflow_project(tmp_path / "project")
    tracker = open_tracker(project)
    with Journal(project.journals / f"{KEY}-feed-0.jsonl") as journal:
        start(journal)
        journal.write("wanted")
        run = tracker.deliver(journal.path)
        client = MlflowClient(f"sqlite:///{project.database}")
        client.log_metric(run, "test/accuracy", 0.9, step=7)
        copy_database(project.database, tmp_path / "backup.db")
        end(journal)
    catch_up(tracker, project)
    complete = stored_values(project)
    copy_database(tmp_path / "backup.db", project.database)
    catch_up(open_tracker(project), project)
    assert stored_values(project) == complete
    assert [row[1] for row in complete if row[2] == "test/accuracy"] == ["7"]


def test_artifacts_survive_a_deleted_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    project = mlflow_project(tmp_path / "project")
    path = write_run(project)
    before = open_tracker(project).deliver(path)
    with closing(sqlite3.connect(project.database)) as connection:  # as MLflow, which keeps the file open, would see it
        for table in ("latest_metrics", "metrics", "params", "tags", "inputs", "input_tags", "runs"):
            connection.execute(f"delete from {table}")
        connection.execute("update experiments set creation_time = creation_time + 1")
        connection.commit()
    sync_journals(None, project, open_tracker(project))
    tracker = open_tracker(project)
    assert tracker.deliver(path) != before
    assert tracker.artifact(tracker.find(path.stem), "recipe.json").read_text() == "{}\n"


def test_a_copied_study_record_is_named_and_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    project = mlflow_project(tmp_path / "project")
    studies = StudyJournals(project.studies)
    studies.open(StudyRecord("two", "Why?", {"margin": 1.0}, []))
    shutil.copy(studies.path("two"), studies.path("four"))
    (refused,) = catch_up(open_tracker(project), project)
    assert "four.study.jsonl is ignored: it is a record of the study 'two'" in str(refused)
    assert open_tracker(project).study("two").question == "Why?"
    assert studies.read("four") is None
    studies.open(StudyRecord("four", "How?", {"margin": 1.0}, []))
    assert catch_up(open_tracker(project), project) == []
    assert open_tracker(project).study("four").question == "How?"

"""Runs that an MLflow database has lost, as after a backup is restored, are delivered again from the journals."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from ablate.doctor.repair import repair
from ablate.doctor.store import check_delivery
from ablate.doctor.types import DoctorContext
from ablate.journal.study_journal import StudyJournals
from ablate.tracking import Project, StudyRecord, catch_up, open_tracker
from ablate.tracking.sync import sync_journals
from tests.samples.tracking import KEY, mlflow_project, write_run

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

    assert "1 run missing in the store" in " ".join(capsys.readouterr().err.split())
    tracker = open_tracker(project)
    assert [run.name for run in tracker.runs()] == [first.stem, second.stem]
    assert tracker.deliver(first) == kept, "the store had it all the time"
    assert tracker.artifact(tracker.find(second.stem), "recipe.json").read_text() == "{}\n"
    assert tracker.study("later").question == "Why?"
    assert tracker.find(second.stem).parent, "the study is its parent again"
    assert [finding.state for finding in check_delivery(DoctorContext(project))] == ["ok"]
    catch_up(tracker, project)
    assert "missing" not in capsys.readouterr().err


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

"""Databases restored from backups that were taken at any moment, and what users changed in them."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from ablate.journal.process_identity import this_process
from ablate.journal.receipt import receipt_path
from ablate.journal.run_journal import Journal
from ablate.journal.study_journal import StudyJournals
from ablate.tracking import (
    BackgroundDelivery,
    PlanEntry,
    Project,
    StudyRecord,
    attach_report,
    catch_up,
    lost_records,
    open_tracker,
)
from ablate.tracking.mlflow_backend.store import Store
from ablate.tracking.sync import sync_journals
from tests.samples.tracking import KEY, NoFailure, end, epoch, mlflow_project, start, write_run
from tests.tracking.test_lost_runs import copy_database, stored_values

CHANGES = ("create", "log", "log_dataset", "close", "reopen", "upload", "write_json", "tag_experiment")
STUDY = StudyRecord("small", "Why?", {"margin": 1.0}, [PlanEntry(KEY, "feed", "baseline", 0, f"{KEY}-feed-0")])


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return mlflow_project(tmp_path / "project")


@pytest.fixture
def backups(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return the growing list of backups, one before each change of the database."""
    taken: list[Path] = []

    def backing_up(change: Any) -> Any:
        def changed(*arguments: Any, **named: Any) -> Any:
            taken.append(tmp_path / f"backup-{len(taken)}.db")
            copy_database(project.database, taken[-1])
            return change(*arguments, **named)

        return changed

    for name in CHANGES:
        monkeypatch.setattr(Store, name, backing_up(getattr(Store, name)))
    return taken


def report(project: Project, text: str) -> None:
    """Write a report on the study and attach it."""
    folder = project.reports / "small"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text(text)
    attach_report(open_tracker(project), project, "small", folder, text, {"delta/no-x": float(len(text))})


def sweep(project: Project) -> None:
    """Record a study and its run, with a delivery in the middle, and two reports."""
    studies, tracker = StudyJournals(project.studies), open_tracker(project)
    studies.open(STUDY)
    catch_up(tracker, project)
    with Journal(project.journals / f"{KEY}-feed-0.jsonl") as journal:
        start(journal, study="small")
        epoch(journal, 0)
        tracker.deliver(journal.path)
        epoch(journal, 1)
        end(journal)
    studies.close("small", "finished")
    catch_up(tracker, project)
    report(project, "Clear.")
    report(project, "Clearer.")


def restored(project: Project, backup: Path) -> None:
    copy_database(backup, project.database)


def test_a_backup_may_be_taken_at_any_moment(project: Project, backups: list[Path]) -> None:
    sweep(project)
    complete = without_identifiers(project)
    for backup in list(backups):
        restored(project, backup)
        catch_up(open_tracker(project), project)
        assert without_identifiers(project) == complete, backup.name
        assert not lost_records(open_tracker(project), project)
    assert len(complete) > 50


@pytest.mark.parametrize("moment", [1, 2])
def test_a_backup_may_be_restored_before_any_change(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    tracker = open_tracker(project)
    with Journal(project.journals / f"{KEY}-feed-0.jsonl") as journal:
        start(journal)
        epoch(journal, 0)
        tracker.deliver(journal.path)
        copy_database(project.database, tmp_path / "backup.db")
        epoch(journal, 1)
        tracker.deliver(journal.path)
        epoch(journal, 2)
        end(journal)
    calls: list[str] = []

    def restoring(name: str, change: Any) -> Any:
        def changed(*arguments: Any, **named: Any) -> Any:
            calls.append(name)
            if len(calls) == moment:
                restored(project, tmp_path / "backup.db")
            return change(*arguments, **named)

        return changed

    for name in CHANGES:
        monkeypatch.setattr(Store, name, restoring(name, getattr(Store, name)))
    tracker.deliver(journal.path)
    assert calls[:2] == ["log", "close"]
    catch_up(open_tracker(project), project)
    (run,) = open_tracker(project).runs()
    assert run.status == "finished"
    assert [row["step"] for row in open_tracker(project).history(run)] == [0, 1, 2]


def test_a_changed_journal_doubles_no_value_in_a_copied_project(project: Project, tmp_path: Path) -> None:
    path = write_run(project)
    catch_up(open_tracker(project), project)
    shutil.copytree(project.root, tmp_path / "copy")
    copy = Project(tmp_path / "copy")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    changed = [{**line, "time": line["time"] + (number > 0)} for number, line in enumerate(lines)]
    (copy.journals / path.name).write_text("".join(json.dumps(line) + "\n" for line in changed))
    before = stored_values(copy)
    sync_journals(None, copy, open_tracker(copy))
    assert [row for row in stored_values(copy) if row[1]] == [row for row in before if row[1]]


def test_a_run_that_lost_its_end_after_its_delivery_has_no_step_twice(project: Project) -> None:
    path = write_run(project)
    tracker = open_tracker(project)
    tracker.deliver(path)
    before = stored_values(project)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:4]))
    with Journal(path) as journal:
        journal.write("resume", process=this_process())
        for number in range(1, 4):
            epoch(journal, number)
        end(journal)
    tracker.deliver(path)
    assert [row for row in stored_values(project) if row[1]] == [row for row in before if row[1]]


def without_identifiers(project: Project) -> list[tuple[str, ...]]:
    """Return the values with the names of runs in place of their identifiers, and the number of data sets."""
    with closing(sqlite3.connect(project.database)) as connection:
        names = dict(connection.execute("select run_uuid, name from runs"))
        inputs = connection.execute("select count(*) from inputs").fetchone()
        notes = connection.execute("select value from experiment_tags where key = 'mlflow.note.content'").fetchall()
    rows = [tuple(names.get(text, text) for text in row) for row in stored_values(project)]
    return sorted([*rows, tuple(map(str, inputs)), *notes])


def test_a_report_counts_without_its_folder(project: Project, tmp_path: Path) -> None:
    copy_database(project.database, tmp_path / "backup.db")
    sweep(project)
    complete = without_identifiers(project)
    (project.reports / "small" / "report.md").unlink()
    (project.reports / "small").rmdir()
    restored(project, tmp_path / "backup.db")
    catch_up(open_tracker(project), project)
    assert without_identifiers(project) == complete


def notes(project: Project) -> list[str]:
    client = MlflowClient(f"sqlite:///{project.database}")
    experiment = client.get_experiment_by_name("small")
    (study,) = client.search_runs([experiment.experiment_id], "tags.`ablate.kind` = 'study'")
    return [experiment.tags["mlflow.note.content"], study.data.tags["mlflow.note.content"]]


def test_notes_of_users_stay_until_the_next_report(project: Project) -> None:
    sweep(project)
    client = MlflowClient(f"sqlite:///{project.database}")
    experiment = client.get_experiment_by_name("small").experiment_id
    (study,) = client.search_runs([experiment], "tags.`ablate.kind` = 'study'")
    client.set_experiment_tag(experiment, "mlflow.note.content", "Mine.")
    client.set_tag(study.info.run_id, "mlflow.note.content", "Mine.")
    studies = StudyJournals(project.studies)
    studies.open(STUDY)
    catch_up(open_tracker(project), project)
    studies.close("small", "finished")
    catch_up(open_tracker(project), project)
    assert notes(project) == ["Mine.", "Mine."]
    report(project, "Clearest.")
    assert notes(project) == ["Clearest.", "Clearest."]


def test_a_run_in_a_renamed_experiment_is_not_doubled(project: Project, tmp_path: Path) -> None:
    tracker = open_tracker(project)
    with Journal(project.journals / f"{KEY}-feed-0.jsonl") as journal:
        start(journal)
        epoch(journal, 0)
        run = tracker.deliver(journal.path)
        client = MlflowClient(f"sqlite:///{project.database}")
        client.rename_experiment(client.get_experiment_by_name("ablate").experiment_id, "renamed")
        copy_database(project.database, tmp_path / "backup.db")
        epoch(journal, 1)
        end(journal)
    tracker.deliver(journal.path)
    complete = stored_values(project)
    restored(project, tmp_path / "backup.db")
    catch_up(open_tracker(project), project)
    assert stored_values(project) == complete
    assert open_tracker(project).deliver(journal.path) == run


def test_a_run_that_was_deleted_while_it_ran_is_completed_if_it_is_restored(project: Project) -> None:
    tracker, client = open_tracker(project), MlflowClient(f"sqlite:///{project.database}")
    with Journal(project.journals / f"{KEY}-feed-0.jsonl") as journal:
        start(journal)
        epoch(journal, 0)
        run = tracker.deliver(journal.path) or ""
        client.delete_run(run)
        epoch(journal, 1)
        end(journal)
    catch_up(tracker, project)
    assert not tracker.undelivered([journal.path])
    assert not lost_records(tracker, project)
    client.restore_run(run)
    catch_up(tracker, project)
    assert client.get_run(run).info.status == "FINISHED"


def test_a_size_that_is_no_number_is_replaced(project: Project) -> None:
    tracker, client = open_tracker(project), MlflowClient(f"sqlite:///{project.database}")
    with Journal(project.journals / f"{KEY}-feed-0.jsonl") as journal:
        start(journal)
        epoch(journal, 0)
        run = tracker.deliver(journal.path) or ""
        client.set_tag(run, "ablate.delivered", "much")
        end(journal)
    tracker.deliver(journal.path)
    assert client.get_run(run).data.tags["ablate.delivered"] == str(journal.path.stat().st_size)


def test_a_study_that_an_earlier_version_delivered_returns(project: Project, tmp_path: Path) -> None:
    copy_database(project.database, tmp_path / "backup.db")
    sweep(project)
    place = receipt_path(StudyJournals(project.studies).path("small"))
    found = json.loads(place.read_text())
    place.write_text(json.dumps({"store": found["store"], "size": found["size"]}))
    complete = without_identifiers(project)
    restored(project, tmp_path / "backup.db")
    catch_up(open_tracker(project), project)
    assert without_identifiers(project) == complete


def test_an_older_report_does_not_replace_one_that_an_earlier_version_attached(project: Project) -> None:
    sweep(project)
    tracker, studies = open_tracker(project), StudyJournals(project.studies)
    tracker.attach_report("small", project.reports / "small", "Clearest.", {})  # not in the journal
    place = receipt_path(studies.path("small"))
    place.write_text(json.dumps({"store": tracker.identity, "size": studies.size("small")}))
    catch_up(tracker, project)
    assert notes(project) == ["Clearest.", "Clearest."]
    assert studies.is_delivered("small", tracker.identity)
    assert json.loads(place.read_text())["run_id"]


def test_the_runs_of_a_continued_study_have_their_parent_again(project: Project, tmp_path: Path) -> None:
    copy_database(project.database, tmp_path / "backup.db")
    StudyJournals(project.studies).open(STUDY)
    catch_up(open_tracker(project), project)
    restored(project, tmp_path / "backup.db")
    path = write_run(project, f"{KEY}-feed-0", study="small")
    with BackgroundDelivery(open_tracker(project), project, NoFailure(), study="small") as delivery:
        delivery.follow(path)
    tracker = open_tracker(project)
    (run,) = tracker.runs()
    assert (
        run.parent
        == MlflowClient(f"sqlite:///{project.database}")
        .search_runs(["1"], "tags.`ablate.kind` = 'study'")[0]
        .info.run_id
    )


def test_runs_that_were_delivered_before_their_study_returned_have_a_parent(project: Project, tmp_path: Path) -> None:
    copy_database(project.database, tmp_path / "backup.db")
    StudyJournals(project.studies).open(STUDY)
    catch_up(open_tracker(project), project)
    restored(project, tmp_path / "backup.db")
    path = write_run(project, f"{KEY}-feed-0", study="small")
    assert open_tracker(project).deliver(path), "as in a running sweep"
    catch_up(open_tracker(project), project)
    (run,) = open_tracker(project).runs()
    assert run.parent

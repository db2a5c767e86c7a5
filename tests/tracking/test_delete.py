"""Deleting runs: everywhere, after a confirmation, never a running one."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ablate.cli.app import app
from ablate.errors import StoreError, UserError
from ablate.journal.run_journal import Journals, Run
from ablate.tracking import (
    JournalTracker,
    PlanEntry,
    Project,
    StudyRecord,
    delete_run,
    open_tracker,
    plan_deletion,
)
from tests.samples.tracking import DEAD, ELSEWHERE, KEY, epoch, mlflow_project, start, write_run


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    project = mlflow_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return project


def delete(*arguments: str, code: int = 0, answer: str | None = None) -> Result:
    result = CliRunner().invoke(app, ["delete", *arguments], input=answer)
    assert result.exit_code == code, result.output
    return result


def test_a_run_is_deleted_everywhere_and_other_runs_stay(project: Project) -> None:
    tracker = open_tracker(project)
    deleted, kept = write_run(project), write_run(project, "aaaaaaaaaaaa-feed-0", variant="baseline")
    for path in (deleted, kept):
        tracker.deliver(path)
    run = tracker.find("no-augment/s3")
    artifacts = tracker.artifact(run, "recipe.json").parent
    deleted.with_suffix(".checkpoint").mkdir()
    assert "Deleted no-augment/s3" in delete("no-augment/s3", "--yes").stdout
    assert [run.variant for run in open_tracker(project).runs()] == ["baseline"]
    assert not artifacts.exists()
    assert {path.suffix for path in project.journals.glob(f"{deleted.stem}*")} == set()
    assert kept.exists()
    assert "Unknown run" in delete("no-augment/s3", "--yes", code=1).stderr


def test_an_undelivered_run_is_named_by_its_journal(project: Project) -> None:
    path = write_run(project)
    delete(KEY, "--yes")
    assert not path.exists()


def test_a_deletion_needs_a_confirmation(project: Project) -> None:
    path = write_run(project)
    open_tracker(project).deliver(path)
    assert "--yes" in delete("no-augment/s3", code=2).stderr
    assert path.exists()


@pytest.mark.parametrize("process", [None, ELSEWHERE])
def test_a_running_run_is_refused(project: Project, process: dict[str, object] | None) -> None:
    with Journals(project.journals).create(KEY, "feed") as journal:
        start(journal, **({"process": process} if process else {}))
        epoch(journal, 0)
    open_tracker(project).deliver(journal.path)
    message = delete("no-augment/s3", "--yes", code=1).stderr
    assert "is running (process" in message
    assert len(message.splitlines()) == 1
    assert journal.path.exists()


def test_a_locked_recipe_is_refused(project: Project) -> None:
    path = write_run(project)
    open_tracker(project).deliver(path)
    journals = Journals(project.journals)
    with journals.lock(KEY, path.stem.split("-")[1]), pytest.raises(UserError, match="is running"):
        plan_deletion("no-augment/s3", open_tracker(project), journals)


def test_a_run_whose_process_is_gone_can_be_deleted(project: Project) -> None:
    with Journals(project.journals).create(KEY, "feed") as journal:
        start(journal, process=DEAD)
        epoch(journal, 0)
    delete("no-augment/s3", "--yes")
    assert not journal.path.exists()


def test_an_interrupted_deletion_can_be_repeated(project: Project) -> None:
    tracker = open_tracker(project)
    path = write_run(project)
    tracker.deliver(path)
    tracker.delete(tracker.find("no-augment/s3"))  # then the power failed
    delete("no-augment/s3", "--yes")
    assert not path.exists()


def test_the_losses_of_studies_are_listed(project: Project) -> None:
    path = write_run(project)
    tracker = open_tracker(project)
    tracker.deliver(path)
    key, data, _ = path.stem.split("-")
    listed = PlanEntry(key, data, "no-augment", 3, path.stem)
    tracker.open_study(StudyRecord("crumbs", "Why?", {}, [listed]))
    assert "Study crumbs loses no-augment/s3" in delete("no-augment/s3", "--yes").stderr


def test_a_run_named_twice_is_deleted_once(project: Project) -> None:
    path = write_run(project)
    open_tracker(project).deliver(path)
    assert delete("no-augment/s3", KEY, "--yes").stdout.count("Deleted") == 1


def test_runs_of_other_programs_can_be_deleted(project: Project) -> None:
    tracker = open_tracker(project)
    store = tracker._store
    identifier = store.create(store.experiment("theirs"), "something", 1000, {})
    store.close(identifier, "FINISHED", 2000)
    journals = Journals(project.journals)
    delete_run(plan_deletion(identifier[:12], tracker, journals), tracker, journals)
    assert open_tracker(project).runs("theirs") == []


def test_a_store_that_fails_is_not_a_store_without_the_run(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_tracker: JournalTracker, text: str) -> Run:
        raise StoreError(f"no answer about {text}")

    monkeypatch.setattr(JournalTracker, "find", fail)
    write_run(project)
    with pytest.raises(StoreError, match="no answer"):
        plan_deletion("no-augment/s3", JournalTracker(project), Journals(project.journals))

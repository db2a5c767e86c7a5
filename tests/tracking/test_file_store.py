"""File stores of older MLflow: advice that can be followed, and commands that read and leave them unchanged."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, suppress
from dataclasses import asdict
from pathlib import Path

import pytest
import typer

from ablate.cli.app import app
from ablate.errors import UsageError
from ablate.journal.receipt import Receipt, receipt_path
from ablate.tracking import Project, file_store_advice
from tests.samples.tracking import mlflow_project, write_run

RUNS = ("aa11", "bb22", "cc33")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The `mlruns/` of an older MLflow, in the current folder."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    for place in ("0", "343151521095114427", *(f"343151521095114427/{run}" for run in RUNS)):
        folder = tmp_path / "mlruns" / place
        folder.mkdir(parents=True)
        (folder / "meta.yaml").write_text("name: theirs\n")
    return tmp_path / "mlruns"


def migrate(database: Path, runs: tuple[str, ...] = RUNS) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("create table runs (run_uuid)")
        connection.executemany("insert into runs values (?)", [(run,) for run in runs])
        connection.commit()


def test_after_the_migration_the_advice_names_the_database_that_has_the_runs(store: Path) -> None:
    assert f"--target sqlite:///{store.parent}/migrated.db`, then `ablate list" in file_store_advice(store)
    migrate(store.parent / "migrated.db")
    found = f"migrated.db has them: `ablate list --tracking-uri sqlite:///{store.parent}/migrated.db`"
    assert file_store_advice(store).endswith(found)
    with pytest.raises(UsageError, match=r"use its copy in migrated\.db: `ablate list"):
        Project(store.parent).tracking_uri("mlruns")


@pytest.mark.parametrize("place", ["theirs.db", "mlruns/mlflow.db"])
def test_the_user_may_choose_the_database(store: Path, place: str) -> None:
    migrate(store.parent / place)
    assert f"ablate list --tracking-uri sqlite:///{store.parent}/{place}" in file_store_advice(store)


@pytest.mark.parametrize("runs", [(), RUNS[:2], ("another",)])
def test_a_database_without_all_runs_is_no_copy(store: Path, runs: tuple[str, ...]) -> None:
    migrate(store.parent / "migrated.db", runs)
    (store.parent / "notes.db").write_text("no database at all")
    assert f"--target sqlite:///{store.parent}/migrated-2.db`" in file_store_advice(store)


def test_a_link_to_nothing_is_not_replaced(store: Path) -> None:
    (store.parent / "migrated.db").symlink_to(store.parent / "missing" / "theirs.db")
    assert f"--target sqlite:///{store.parent}/migrated-2.db`" in file_store_advice(store)


@pytest.mark.parametrize("name", ["what?", "a%20b"])
def test_a_folder_that_mlflow_would_misread_is_to_be_renamed(store: Path, name: str) -> None:
    store = store.parent.rename(store.parent.with_name(name)) / "mlruns"
    advice = file_store_advice(store)
    assert f"rename {store.parent} first, whose path contains" in advice
    assert "mlflow migrate-filestore" not in advice


def test_a_file_store_in_a_folder_of_the_project_is_mentioned_once(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sub").mkdir()
    store.rename(tmp_path / "sub" / "mlruns")
    mlflow_project(tmp_path)
    monkeypatch.chdir(tmp_path / "sub")
    with suppress(SystemExit, typer.Exit):
        typer.main.get_command(app)(["list"], standalone_mode=False)
    assert capsys.readouterr().err.count("mlflow migrate-filestore --source") == 1


READING = ["list", "list --json", "show x", "compare a b", "report x", "report --experiment theirs", "delete x --yes"]


@pytest.mark.parametrize("command", READING)
def test_a_command_that_reads_changes_nothing_in_a_file_store(
    store: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    before = sorted(store.rglob("*"))
    with suppress(SystemExit, typer.Exit):
        typer.main.get_command(app)(command.split(), standalone_mode=False)
    assert sorted(store.rglob("*")) == before
    assert capsys.readouterr().err.count("mlflow migrate-filestore --source") == (not command.startswith("delete"))


def test_a_command_that_reads_creates_nothing_in_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    with suppress(SystemExit, typer.Exit):
        typer.main.get_command(app)(["list"], standalone_mode=False)
    assert "No runs yet" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_runs_of_journals_are_mentioned_where_the_store_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    project = mlflow_project(tmp_path)
    receipt = Receipt("another store", "0", 1, 0, 0, closed=True)
    receipt_path(write_run(project)).write_text(json.dumps(asdict(receipt)))
    with suppress(SystemExit, typer.Exit):
        typer.main.get_command(app)(["list"], standalone_mode=False)
    assert "The journals have 1 run: `ablate sync` delivers them" in capsys.readouterr().err

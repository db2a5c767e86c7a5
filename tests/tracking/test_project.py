"""Folders of a project; stores that are accepted, and stores that are refused without a change."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from ablate.cli.app import app
from ablate.errors import UsageError
from ablate.redaction import mask_secrets_of, mask_uri
from ablate.tracking import Project, StoreError, open_tracker
from ablate.tracking.project import sqlite_path
from tests.samples.tracking import copied_schema, empty_database, mlflow_project, new_project, write_run


@pytest.fixture(autouse=True)
def _no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_the_project_is_the_nearest_parent_with_mlruns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "project" / "notes" / "deep"
    inner.mkdir(parents=True)
    assert Project.find(inner).root == inner
    (tmp_path / "project" / "mlruns").mkdir()
    assert Project.find(inner).root == tmp_path / "project"
    monkeypatch.chdir(inner)
    assert Project.find() == Project(tmp_path / "project")


def test_the_mlruns_of_a_program_is_not_a_project(tmp_path: Path) -> None:
    study = tmp_path / "project" / "study"
    for name in ("0/meta.yaml", ".trash/x", "models/m"):
        (study / "mlruns" / name).parent.mkdir(parents=True, exist_ok=True)
        (study / "mlruns" / name).write_text("")
    assert Project.find(study / "deep") == Project(study / "deep")
    (tmp_path / "project" / "mlruns" / "journal").mkdir(parents=True)
    assert Project.find(study) == Project(tmp_path / "project")
    (study / "deep" / "mlruns").mkdir(parents=True)
    assert Project.find(study / "deep") == Project(tmp_path / "project"), "an empty one counts if there is no other"
    (study / "mlruns" / "studies").mkdir()
    assert Project.find(study / "deep") == Project(study)


def test_the_folders_of_a_project(tmp_path: Path) -> None:
    project = Project(tmp_path)
    assert project.journals == tmp_path / "mlruns" / "journal"
    assert project.artifacts == tmp_path / "mlruns" / "artifacts"
    assert project.reports == tmp_path / "reports"
    assert project.tracking_uri() == f"sqlite:///{tmp_path}/mlruns/mlflow.db"


def test_a_requested_uri_takes_precedence_over_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert Project(tmp_path).tracking_uri() == "http://127.0.0.1:5000"
    assert Project(tmp_path).tracking_uri("sqlite:////data/runs.db") == "sqlite:////data/runs.db"


def test_a_relative_database_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Project(tmp_path).tracking_uri("sqlite:///runs.db") == f"sqlite:///{tmp_path}/runs.db"
    assert sqlite_path("sqlite+pysqlite:////data/runs.db?timeout=5") == Path("/data/runs.db")


@pytest.mark.parametrize("address", ["mlruns", "./mlruns", "/data/mlruns", "file:///data/mlruns", "file:mlruns"])
def test_a_file_store_is_refused_with_the_remedy(tmp_path: Path, address: str) -> None:
    with pytest.raises(UsageError, match=r"mlflow migrate-filestore --source .*sqlite:///"):
        Project(tmp_path).tracking_uri(address)


@pytest.mark.parametrize("address", ["mlruns", "./mlruns/", "file:mlruns", "{}/mlruns", "file://{}/mlruns"])
def test_the_advice_for_a_file_store_never_names_an_existing_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    project = mlflow_project(tmp_path)
    open_tracker(project)
    (tmp_path / "migrated.db").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        project.tracking_uri(address.format(tmp_path))
    (target,) = re.findall(r"--target sqlite:///(\S+)`", str(caught.value))
    assert not Path(target).exists()
    assert Path(target) == tmp_path / "migrated-2.db"


@pytest.mark.parametrize("address", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(UsageError, match="in memory"):
        Project(tmp_path).tracking_uri(address)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://anna:secret@db.example/runs", "postgresql://anna:***@db.example/runs"),
        ("postgresql://anna:se@cr/et@db.example/runs", "postgresql://anna:***@db.example/runs"),
        ("https://token@mlflow.example", "https://***@mlflow.example"),
        ("https://mlflow.example:8443/path", "https://mlflow.example:8443/path"),
        ("mysql://db.example/runs?user=a&password=b&x=c", "mysql://db.example/runs?user=a&password=***&x=c"),
        ("sqlite:////home/a@b/mlflow.db", "sqlite:////home/a@b/mlflow.db"),
        ("https://3f9a0b:@tracking.example/path", "https://***@tracking.example/path"),
    ],
)
def test_passwords_are_masked(address: str, shown: str) -> None:
    assert mask_uri(address) == shown


@given(st.text(alphabet=st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=8))
def test_no_password_survives(password: str) -> None:
    address = f"postgresql://anna:{password}@db.example:5432/runs"
    hidden = mask_uri(address)
    assert hidden == "postgresql://anna:***@db.example:5432/runs"
    message = mask_secrets_of(address, f"could not connect to {address}: {password} is wrong")
    assert password not in message


def test_an_old_file_store_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = mlflow_project(tmp_path)
    (project.mlruns / "0").mkdir()
    old = project.mlruns / "0" / "meta.yaml"
    assert project.old_file_store is None
    old.write_text("artifact_location: file:///elsewhere\nexperiment_id: '0'\nname: Default\n")
    assert project.old_file_store == project.mlruns
    monkeypatch.chdir(tmp_path)
    path = write_run(project)
    open_tracker(project).deliver(path)
    assert [run.name for run in open_tracker(project).runs()] == [path.stem]
    assert old.read_text().startswith("artifact_location: file:///elsewhere")


@pytest.mark.parametrize(
    ("version", "message"),
    [("451aebb31d03", "older MLflow.*mlflow db upgrade"), ("ffffffffffff", "newer MLflow.*Install a newer")],
)
def test_another_schema_is_explained_and_not_changed(tmp_path: Path, version: str, message: str) -> None:
    project = mlflow_project(tmp_path)
    with closing(sqlite3.connect(project.database)) as connection:
        connection.execute("update alembic_version set version_num = ?", [version])
        connection.execute("drop table metrics")
        connection.commit()
    before = project.database.read_bytes()
    with pytest.raises(StoreError, match=message):
        open_tracker(project).runs()
    assert project.database.read_bytes() == before


@pytest.mark.parametrize("content", [b"no database at all", b"SQLite format 3\0" + bytes(100)])
def test_an_invalid_database_is_explained_and_not_changed(tmp_path: Path, content: bytes) -> None:
    project = new_project(tmp_path)
    project.database.write_bytes(content)
    with pytest.raises(StoreError, match="not a complete MLflow database"):
        open_tracker(project).runs()
    assert project.database.read_bytes() == content


def test_a_database_is_rolled_back_after_a_crash_in_a_transaction(tmp_path: Path) -> None:
    """MLflow's own databases have a rollback journal, which a killed process leaves."""
    project = mlflow_project(tmp_path)
    script = """if True:
        import os, sqlite3, sys
        database = sqlite3.connect(sys.argv[1], isolation_level=None)
        database.execute("pragma journal_mode = delete")
        database.execute("pragma cache_size = 1")
        database.execute("begin")
        database.execute("update alembic_version set version_num = 'other'")
        database.execute("create table filler as select randomblob(1000000) as content")
        os.kill(os.getpid(), 9)
    """
    subprocess.run([sys.executable, "-c", script, project.database], check=False)
    assert project.database.with_name("mlflow.db-journal").stat().st_size > 0
    assert b"other" in project.database.read_bytes()
    assert open_tracker(project).runs() == []


def test_an_incomplete_database_is_explained(tmp_path: Path) -> None:
    project = mlflow_project(tmp_path)
    with closing(sqlite3.connect(project.database)) as connection:
        connection.execute("drop table alembic_version")
        connection.commit()
    with pytest.raises(StoreError, match="not a complete MLflow database"):
        open_tracker(project).runs()


def test_an_empty_file_is_a_new_store_and_leftovers_of_an_old_one_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied_schema(monkeypatch)
    project = new_project(tmp_path)
    project.database.touch()
    (project.mlruns / "mlflow.db-wal").write_bytes(b"left over")
    (project.mlruns / "mlflow.db.new").write_bytes(b"left over")
    tracker = open_tracker(project)
    assert tracker.runs() == []
    assert tracker.deliver(write_run(project))


def test_a_project_with_odd_names_works(tmp_path: Path) -> None:
    project = mlflow_project(tmp_path / "a project, 100% odd #1")
    tracker = open_tracker(project)
    tracker.deliver(write_run(project))
    run = tracker.find("no-augment/s3")
    assert tracker.artifact(run, "recipe.json").is_relative_to(project.artifacts)


def test_a_database_elsewhere_has_its_artifacts_in_its_folder(tmp_path: Path) -> None:
    project = new_project(tmp_path / "project")
    (tmp_path / "team").mkdir()
    shutil.copyfile(empty_database(), tmp_path / "team" / "runs.db")
    tracker = open_tracker(project, f"sqlite:///{tmp_path}/team/runs.db")
    tracker.deliver(write_run(project))
    assert tracker.artifact_uri(tracker.find("no-augment/s3")).startswith((tmp_path / "team" / "artifacts").as_uri())
    assert not project.database.exists()


def test_an_unwritable_folder_is_explained(tmp_path: Path) -> None:
    (tmp_path / "mlruns").write_text("a file in the way")
    with pytest.raises(StoreError, match="Cannot create"):
        open_tracker(Project(tmp_path)).runs()


READING = ["list", "show x", "compare a b", "report x", "report --experiment x", "delete x --yes", "ui", "predict x"]


@pytest.mark.parametrize("command", READING)
@pytest.mark.parametrize("named_by", ["--tracking-uri", "MLFLOW_TRACKING_URI"])
def test_a_command_that_reads_creates_no_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, named_by: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").touch()
    (tmp_path / "mlflow.db").touch()
    words, uri = command.split(), "sqlite:///mlfow.db"
    if named_by == "MLFLOW_TRACKING_URI":
        monkeypatch.setenv(named_by, uri)
    else:
        words += [named_by, uri]
    with suppress(SystemExit, typer.Exit):
        typer.main.get_command(app)(words, standalone_mode=False)
    assert capsys.readouterr().err.endswith(
        f"error: Database not found: {tmp_path}/mlfow.db. Did you mean 'sqlite:///{tmp_path}/mlflow.db'?\n"
    )
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix) == ["mlflow.db"]


def test_a_database_that_is_not_found_is_not_invented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(tmp_path)
    assert project.reading_uri() == f"sqlite:///{project.database}"  # the project's own may be new
    for uri in (
        f"sqlite:///{tmp_path}",
        f"sqlite:///{tmp_path}/no/such.db",
        f"sqlite:///{tmp_path}/empty.db?timeout=5",
    ):
        (tmp_path / "empty.db").touch()
        with pytest.raises(UsageError, match=r"Database not found: .*\. Check --tracking-uri"):
            project.reading_uri(uri)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/no.db")
    with pytest.raises(UsageError, match=r"Database not found: .*/no\.db\. Check MLFLOW_TRACKING_URI"):
        project.reading_uri()
    assert project.tracking_uri() == f"sqlite:///{tmp_path}/no.db"  # runs may go to a new one
    with pytest.raises(UsageError, match="lacks the slashes after sqlite:"):
        project.tracking_uri("sqlite:runs.db")


@pytest.mark.parametrize("name", ["what?", "100%20", "\udcff", "/".join(["long" * 25] * 5)])
def test_a_path_that_mlflow_would_misread_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(UsageError, match="Rename that folder, or use --offline"):
        Project(tmp_path / name).tracking_uri()
    assert Project(tmp_path / "100% #sure").tracking_uri().endswith("/100% #sure/mlruns/mlflow.db")

"""Artifacts of a moved or copied project are read and written in its present place."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from ablate.tracking.mlflow_backend.relocation import relocate, relocated
from ablate.tracking.mlflow_backend.schema import EXPERIMENT_TAGS

SCHEMA = """
create table experiments (experiment_id integer, artifact_location text);
create table experiment_tags (experiment_id integer, key text, value text);
create table runs (run_uuid text, artifact_uri text);
"""


def store(project: Path, recorded: Path, runs: Iterable[str] = ("one",)) -> Path:
    """Write the part of a store that names folders, as if the project had been in `recorded`, with its artifacts."""
    uri = (recorded / "artifacts").as_uri()
    (project / "artifacts").mkdir(parents=True)
    with closing(sqlite3.connect(project / "mlflow.db")) as database, database:
        database.executescript(SCHEMA)
        database.executemany("insert into experiments values (?, ?)", [(0, f"{uri}/0"), (1, uri), (2, "file:///other")])
        database.executemany("insert into experiment_tags values (1, ?, ?)", EXPERIMENT_TAGS.items())
        database.executemany("insert into runs values (?, ?)", [(run, f"{uri}/{run}/artifacts") for run in runs])
    for run in runs:
        (project / "artifacts" / run / "artifacts").mkdir(parents=True)
    return project / "mlflow.db"


def locations(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        found = connection.execute("select artifact_location from experiments union all select artifact_uri from runs")
        return [str(row[0]) for row in found]


def expected(project: Path) -> list[str]:
    uri = (project / "artifacts").as_uri()
    return [f"{uri}/0", uri, "file:///other", f"{uri}/one/artifacts"]


@pytest.mark.parametrize("name", ["here", "with space", "ünï%20#x", "new\nline"])
def test_a_moved_project_has_its_artifacts_in_the_new_place(tmp_path: Path, name: str) -> None:
    database = store(tmp_path / name, tmp_path / "before")
    assert relocate(database, database.parent / "artifacts") == {}
    assert locations(database) == expected(tmp_path / name)


def test_a_copy_has_its_own_artifacts(tmp_path: Path) -> None:
    original = store(tmp_path / "original", tmp_path / "original")
    copy = store(tmp_path / "copy", tmp_path / "original")
    relocate(copy, copy.parent / "artifacts")
    assert locations(copy) == expected(tmp_path / "copy")
    relocate(original, original.parent / "artifacts")
    assert locations(original) == expected(tmp_path / "original")


def test_artifacts_that_were_not_copied_stay_in_their_place(tmp_path: Path) -> None:
    store(tmp_path / "original", tmp_path / "original")
    copy = store(tmp_path / "copy", tmp_path / "original")
    (tmp_path / "copy/artifacts/one/artifacts").rmdir()
    relocate(copy, copy.parent / "artifacts")
    assert locations(copy)[-1] == (tmp_path / "original/artifacts/one/artifacts").as_uri()
    assert locations(copy)[1] == (tmp_path / "copy/artifacts").as_uri(), "new runs do not write to the original"


def test_a_link_to_the_project_changes_nothing(tmp_path: Path) -> None:
    database = store(tmp_path / "real", tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert relocate(tmp_path / "link/mlflow.db", tmp_path / "link/artifacts") == {}
    assert locations(database) == expected(tmp_path / "real")


def test_a_database_that_cannot_be_written_is_read_with_the_new_paths(tmp_path: Path) -> None:
    database = store(tmp_path / "here", tmp_path / "before")
    with closing(sqlite3.connect(database, isolation_level=None)) as holder:
        holder.execute("pragma journal_mode = wal")  # which readers may read while it is locked
        holder.execute("begin immediate")
        moved = relocate(database, tmp_path / "here/artifacts", timeout=0.01)
    assert [relocated(uri, moved) for uri in locations(database)] == expected(tmp_path / "here")

"""The SQLite file of the local store: created atomically, and never migrated silently."""

from __future__ import annotations

import hashlib
import math
import os
import re
import sqlite3
from contextlib import closing
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ablate.errors import StoreError, UnreachableError
from ablate.redaction import mask_uri
from ablate.tracking.mlflow_backend import schema

_REVISION = re.compile(r"^(revision|down_revision)\s*(?::[^=]+)?=\s*[\"']([0-9a-f]+)[\"']", re.MULTILINE)
_COMPANION_SUFFIXES = ("-wal", "-shm", "-journal")
_LOCK_TIMEOUT = 120.0
UNREADABLE = (sqlite3.Error, UnicodeDecodeError)
"""Errors of a database; the second one if SQLite quotes damaged text in its message."""
_TABLES = {"experiments", "experiment_tags", "runs", "tags", "params", "metrics", "latest_metrics"}
_DELIVERED = (
    "select r.run_uuid, cast(t.value as integer) from runs r left join tags t on t.run_uuid = r.run_uuid "
    "and t.key = ? and r.lifecycle_stage = 'active'"
)


def prepare(path: Path, artifacts: Path) -> None:
    """Make sure that there is a usable database at `path`; a new one stores artifacts in the folder `artifacts`.

    A new database is built under another name, under a lock, and renamed, so that a killed process leaves a complete
    database or none.

    Raises:
        StoreError: The file cannot be created.
        UnreachableError: The path is not an MLflow database, or has the schema of another MLflow version.
    """
    if not _exists(path):
        _create(path, artifacts)
    check_schema(path)


def check_schema(path: Path) -> None:
    """Raise UnreachableError unless the database at `path` has the schema of the installed MLflow."""
    if not path.is_file():  # a folder, or a link to a disk that is not mounted
        raise UnreachableError(f"{path} is not a file or a link to one. Move it away, `ablate sync` fills a new one")
    _check_version(schema_version(path), str(path), f"sqlite:///{path}")


def _check_version(found: str | None, place: str, uri: str) -> None:
    head, known = schema_versions()
    if found == head:
        return
    if found is None:
        remedy = "Move it away, `ablate sync` fills a new one"
        raise UnreachableError(f"{place} is not a complete MLflow database. {remedy}")
    if found in known:
        raise UnreachableError(
            f"{place} has the schema of an older MLflow ({found}, installed: {head}). Back it up and run "
            f"`mlflow db upgrade {uri}`, or install the MLflow that created it"
        )
    raise UnreachableError(
        f"{place} has the schema of a newer MLflow ({found}, installed: {head}). Install a newer MLflow"
    )


def check_remote(uri: str) -> None:
    """Raise UnreachableError if the database server at `uri` has another schema, which MLflow would migrate."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(uri)
    try:
        with engine.connect() as connection:
            if sqlalchemy.inspect(connection).has_table("alembic_version"):
                found = connection.execute(sqlalchemy.text("select version_num from alembic_version")).scalar()
                _check_version(found, mask_uri(uri), mask_uri(uri))
    finally:
        engine.dispose()


def schema_version(path: Path) -> str | None:
    """Return the schema version recorded in the database at `path`, or None if there is none, or a table is missing."""
    rows = _rows(path, "select version_num from alembic_version")
    found = str(rows[0][0]) if rows else None
    if found == schema_versions()[0]:  # MLflow would create the missing tables, as in its first version
        tables = {row[0] for row in _rows(path, "select name from sqlite_master")}
        return found if tables >= _TABLES else None
    return found


def identity(uri: str, path: Path | None) -> str:
    """Return an identifier of the store that changes when another database takes the place of a deleted one."""
    rows = _rows(path, "select creation_time from experiments order by experiment_id limit 1") if path else []
    return hashlib.sha256(f"{uri} {rows[0][0] if rows else ''}".encode()).hexdigest()[:16]


def delivered_sizes(path: Path) -> dict[str, float]:
    """Return the delivered bytes of each run and study in the database at `path`.

    They are infinite for runs that the user deleted, and for those of earlier versions, which did not record them.
    """
    return {
        str(run): math.inf if size is None else float(str(size))
        for run, size in _rows(path, _DELIVERED, schema.DELIVERED)
    }


@cache
def schema_versions() -> tuple[str, frozenset[str]]:
    """Return the schema version of the installed MLflow and all earlier ones, read from its migration scripts."""
    package = find_mlflow()
    scripts = (Path(str(package.origin)).parent / "store" / "db_migrations" / "versions").glob("*.py")
    found = [dict(_REVISION.findall(script.read_text(encoding="utf-8"))) for script in scripts]
    known = {script["revision"] for script in found if "revision" in script}
    heads = known - {script["down_revision"] for script in found if "down_revision" in script}
    if len(heads) != 1:
        raise StoreError(f"The installed MLflow has {len(heads)} latest schema versions. Reinstall it")
    return heads.pop(), frozenset(known)


def find_mlflow() -> ModuleSpec:
    """Return the location of MLflow without importing it. Raises StoreError if it is not installed."""
    try:
        package = find_spec("mlflow")
    except ImportError:
        package = None
    if package is None or package.origin is None:
        raise StoreError("MLflow is not installed. Run `pip install mlflow`, or use --offline")
    return package


def create_schema(path: Path, artifacts: Path) -> None:
    """Create MLflow's schema in a new SQLite file."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    new_store: Any = SqlAlchemyStore
    store = new_store(f"sqlite:///{path}", artifacts.as_uri())
    store.engine.dispose()  # an open connection would keep using the old name


def _exists(path: Path) -> bool:
    """Return whether there is something at a path, except an empty file."""
    return os.path.lexists(path) and not (path.is_file() and path.stat().st_size == 0)


def _create(path: Path, artifacts: Path) -> None:
    from filelock import FileLock, Timeout

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(path.name + ".lock"), timeout=_LOCK_TIMEOUT):
            if not _exists(path):
                _build_and_rename(path, artifacts)
    except Timeout:
        raise StoreError(
            f"Another process has been creating {path} for {_LOCK_TIMEOUT:.0f} s. Try again later"
        ) from None
    except OSError as error:
        raise StoreError(f"Cannot create the tracking store {path}: {error.strerror or error}") from error


def _build_and_rename(path: Path, artifacts: Path) -> None:
    new = path.with_name(path.name + ".new")
    for leftover in (new, *_companions(new), *_companions(path)):  # an old -wal would be replayed into the new file
        leftover.unlink(missing_ok=True)
    create_schema(new, artifacts)
    with closing(sqlite3.connect(new)) as connection:
        connection.execute("pragma journal_mode = wal")
    with new.open("rb") as file:
        os.fsync(file.fileno())
    new.rename(path)


def _companions(path: Path) -> list[Path]:
    return [path.with_name(path.name + ending) for ending in _COMPANION_SUFFIXES]


def _rows(path: Path, query: str, *values: str, mode: str = "ro") -> list[tuple[object, ...]]:
    """Return the rows; the list is empty if the table or column is missing, or the file is not a database.

    After a crash in a transaction, the database is opened for writing, which rolls it back.
    """
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode={mode}", uri=True, timeout=20)) as connection:
            return connection.execute(query, values).fetchall()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_READONLY_ROLLBACK and mode == "ro":
            return _rows(path, query, *values, mode="rw")
        if "no such table" in str(error) or "no such column" in str(error):
            return []
        raise StoreError(f"Cannot read the tracking store {path}: {error}") from error
    except UNREADABLE:
        return []

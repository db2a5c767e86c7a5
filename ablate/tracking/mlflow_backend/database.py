"""The SQLite file of the local store: made whole or not at all, and never migrated without being asked."""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from ablate.errors import StoreError
from ablate.redaction import mask_uri

_REVISION = re.compile(r"^(revision|down_revision)\s*(?::[^=]+)?=\s*[\"']([0-9a-f]+)[\"']", re.MULTILINE)
_LEFTOVERS = ("-wal", "-shm", "-journal")
_PATIENCE = 120.0


def prepare(path: Path, build: Callable[[Path], None]) -> None:
    """Make sure that a sound database lies at `path`; `build` fills a new file with MLflow's schema.

    A new one is built beside its place under a lock and renamed into it, so that a kill leaves either nothing or all.
    Raises StoreError for a file that is no MLflow database, or one of another version's schema.
    """
    if not _exists(path):
        _create(path, build)
    check(path)


def check(path: Path) -> None:
    """Raise StoreError unless the installed MLflow can use the database at `path` as it is."""
    found = revision(path)
    explain(found, str(path), f"sqlite:///{path}")


def explain(found: str | None, place: str, uri: str) -> None:
    """Raise StoreError that says what to do if the schema `found` at `place` is not the installed MLflow's."""
    head, known = schema_versions()
    if found == head:
        return
    if found is None:
        raise StoreError(f"{place} is no whole MLflow database: move it away; `ablate sync` fills a new one")
    if found in known:
        raise StoreError(
            f"{place} has the schema of an older MLflow ({found}; installed: {head}): back it up and run "
            f"`mlflow db upgrade {uri}`, or install the MLflow that made it"
        )
    raise StoreError(f"{place} has the schema of a newer MLflow ({found}; installed: {head}): install a newer MLflow")


def check_remote(uri: str) -> None:
    """Raise StoreError if the database server at `uri` holds another MLflow's schema, which MLflow might migrate."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(uri)
    try:
        with engine.connect() as connection:
            if sqlalchemy.inspect(connection).has_table("alembic_version"):
                found = connection.execute(sqlalchemy.text("select version_num from alembic_version")).scalar()
                explain(found, mask_uri(uri), mask_uri(uri))
    finally:
        engine.dispose()


def revision(path: Path) -> str | None:
    """Return the schema version that the database at `path` says it has, or None if it says none."""
    row = _query(path, "select version_num from alembic_version")
    return str(row[0]) if row else None


def identity(uri: str, path: Path | None) -> str:
    """Return what tells this store from others, also from one that lay at the same place before."""
    row = _query(path, "select creation_time from experiments order by experiment_id limit 1") if path else None
    return hashlib.sha256(f"{uri} {row[0] if row else ''}".encode()).hexdigest()[:16]


@cache
def schema_versions() -> tuple[str, frozenset[str]]:
    """Return the schema version of the installed MLflow and all before it, from its migration scripts as text."""
    package = mlflow_package()
    scripts = (Path(str(package.origin)).parent / "store" / "db_migrations" / "versions").glob("*.py")
    found = [dict(_REVISION.findall(script.read_text(encoding="utf-8"))) for script in scripts]
    known = {script["revision"] for script in found if "revision" in script}
    heads = known - {script["down_revision"] for script in found if "down_revision" in script}
    if len(heads) != 1:
        raise StoreError(f"the installed MLflow has {len(heads)} newest schema versions: install it again")
    return heads.pop(), frozenset(known)


def mlflow_package() -> ModuleSpec:
    """Return where MLflow is installed, without importing it. Raises StoreError if it is not."""
    try:
        package = find_spec("mlflow")
    except ImportError:
        package = None
    if package is None or package.origin is None:
        raise StoreError("MLflow is not installed: `pip install mlflow`, or go on with --offline")
    return package


def _exists(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _create(path: Path, build: Callable[[Path], None]) -> None:
    from filelock import FileLock, Timeout

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(path.name + ".lock"), timeout=_PATIENCE):
            if not _exists(path):
                _build_beside(path, build)
    except Timeout:
        raise StoreError(f"another process has been making {path} for {_PATIENCE:.0f} s: try again later") from None
    except OSError as error:
        raise StoreError(f"the tracking store {path} cannot be made: {error.strerror or error}") from error


def _build_beside(path: Path, build: Callable[[Path], None]) -> None:
    new = path.with_name(path.name + ".new")
    for leftover in (new, *_beside(new), *_beside(path)):  # an old -wal would be replayed into the new file
        leftover.unlink(missing_ok=True)
    build(new)
    with closing(sqlite3.connect(new)) as connection:
        connection.execute("pragma journal_mode = wal")
    with new.open("rb") as file:
        os.fsync(file.fileno())
    new.rename(path)


def _beside(path: Path) -> list[Path]:
    return [path.with_name(path.name + ending) for ending in _LEFTOVERS]


def _query(path: Path, query: str) -> tuple[object, ...] | None:
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=20)) as connection:
            row: tuple[object, ...] | None = connection.execute(query).fetchone()
            return row
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return None
        raise StoreError(f"the tracking store {path} cannot be read: {error}") from error
    except sqlite3.DatabaseError:
        return None

"""Moved and copied projects: correct the artifact paths that their database records."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from ablate.tracking.mlflow_backend.database import UNREADABLE
from ablate.tracking.mlflow_backend.schema import EXPERIMENT_TAGS

_LOCATIONS = (
    (
        "select experiment_id, artifact_location from experiments",
        "update experiments set artifact_location = ? where experiment_id = ?",
    ),
    ("select run_uuid, artifact_uri from runs", "update runs set artifact_uri = ? where run_uuid = ?"),
    (
        "select model_id, artifact_location from logged_models",
        "update logged_models set artifact_location = ? where model_id = ?",
    ),
)
"""The queries and updates of MLflow's columns with the URI of a folder."""

_TIMEOUT = 20.0


def relocate(database: Path, artifacts: Path, timeout: float = _TIMEOUT) -> dict[str, str]:
    """Correct the URIs of artifacts in a database whose project was moved or copied since they were recorded.

    Artifacts that exist only in the earlier place keep their URI: those of a project from which this database was
    copied alone.

    Args:
        database: The SQLite file. Where it has experiments of this package, their artifacts were in `artifacts` next
            to it.
        artifacts: The folder of the artifacts in the present place.
        timeout: Seconds to wait for a lock on the database.

    Returns:
        The URIs of the earlier folders and the present one, if the database cannot be written; else nothing.
    """
    moved = {earlier: artifacts.as_uri() for earlier in _earlier_folders(database, artifacts)}
    if not moved:
        return {}
    try:
        with closing(sqlite3.connect(database, timeout=timeout, isolation_level=None)) as connection:
            connection.execute("begin immediate")
            for query, update in _LOCATIONS:
                with suppress(sqlite3.OperationalError):  # a schema without this table
                    connection.executemany(update, list(_changes(connection.execute(query), moved)))
            connection.execute("commit")
    except UNREADABLE:  # read-only, locked
        return moved
    return {}


def relocated(uri: str, moved: Mapping[str, str]) -> str:
    """Return the URI of a folder in a project that was moved, if the folder is no longer in its earlier place."""
    for earlier, present in moved.items():
        if uri == earlier or uri.startswith(f"{earlier}/"):
            found = present + uri.removeprefix(earlier)
            return found if uri == earlier or _path(found).exists() or not _path(uri).exists() else uri
    return uri


def _earlier_folders(database: Path, artifacts: Path) -> list[str]:
    """Return the URIs of folders of artifacts that belong to another place of the database."""
    ((name, value),) = EXPERIMENT_TAGS.items()
    query = (
        "select distinct e.artifact_location from experiments e join experiment_tags t "
        "on t.experiment_id = e.experiment_id where t.key = ? and t.value = ?"
    )
    try:
        with closing(sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True, timeout=_TIMEOUT)) as connection:
            found = [str(row[0]) for row in connection.execute(query, (name, value))]
    except UNREADABLE:
        return []
    return [uri for uri in found if uri != artifacts.as_uri() and _is_earlier(uri, database)]


def _is_earlier(uri: str, database: Path) -> bool:
    if urlsplit(uri).scheme != "file" or _path(uri).name != "artifacts":
        return False
    with suppress(OSError):
        return not (_path(uri).parent / database.name).samefile(database)  # a link, or the folder mounted twice
    return True


def _changes(rows: sqlite3.Cursor, moved: Mapping[str, str]) -> Iterator[tuple[str, object]]:
    for key, uri in rows.fetchall():
        new = relocated(str(uri), moved)
        if new != uri:
            yield new, key


def _path(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path))

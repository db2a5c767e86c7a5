"""Runs in a file store of an older MLflow: where they are, and the commands that migrate them."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

_ESCAPED = re.compile(r"%[0-9a-fA-F]{2}")
"""What SQLAlchemy takes for an escaped character in the path of a database, also where it is part of a name."""

_LONGEST = 500
"""Bytes of the longest path that SQLite opens, without the suffixes of its own and of new databases."""


def misread_path(database: Path) -> str:
    """Return why MLflow would misread the path of a database, such as `contains '?'`. An empty text if it would not."""
    text = str(database)
    escape = _ESCAPED.search(text)
    problem = "contains '?'" if "?" in text else f"contains {escape[0]!r}" if escape else ""
    if not problem and len(os.fsencode(text)) > _LONGEST:
        problem = f"has more than {_LONGEST} bytes"
    return problem or ("is not UTF-8" if text.encode(errors="replace").decode() != text else "")


def file_store_of(uri: str) -> Path | None:
    """Return the folder of a file store: a path or a `file:` URI. None for other URIs."""
    if uri.startswith("file:"):
        return Path(unquote(urlsplit(uri).path) or ".")
    plain_path = not re.match(r"[a-z][a-z0-9+.\-]+:", uri, re.IGNORECASE) and uri != "databricks"
    return Path(uri) if plain_path or Path(uri).is_dir() else None


def has_experiments(folder: Path) -> bool:
    """Return whether a folder has the layout of a file store: `ID/meta.yaml` for each experiment."""
    return any(True for _ in folder.glob("[0-9]*/meta.yaml"))


def file_store_advice(folder: Path) -> str:
    """Return advice on the runs of a file store: how to migrate them, or the database that has them already."""
    found = migrated_database(folder)
    runs = f"{folder} also contains runs of an MLflow file store"
    if found:
        return f"{runs}. {found.name} has them: {_listing(found)}"
    return f"{runs}, which are not listed. Migrate them to a new database: {_migration(folder)}"


def file_store_remedy(folder: Path) -> str:
    """Return what to do instead of using a file store as the tracking store."""
    found = migrated_database(folder)
    if found:
        return f"use its copy in {found.name}: {_listing(found)}"
    return f"migrate its runs to a new database: {_migration(folder)}"


def migrated_database(folder: Path) -> Path | None:
    """Return the newest database in or next to a file store that has every run of it; None if there is none."""
    folder = folder.absolute()
    runs = {path.parent.name for path in folder.glob("[0-9]*/*/meta.yaml")}
    if not runs:
        return None
    databases = [path for place in (folder, folder.parent) for path in place.glob("*.db") if path.is_file()]
    databases.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    return next((path for path in databases if runs <= _runs_in(path)), None)


def _runs_in(database: Path) -> set[str]:
    """Return the identifiers of the runs in an MLflow database; none for other files."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True)) as connection:
            return {str(row[0]) for row in connection.execute("select run_uuid from runs")}
    except (sqlite3.Error, UnicodeDecodeError):  # the second one if SQLite quotes damaged text
        return set()


def _migration(folder: Path) -> str:
    """Return the commands that migrate a file store to a database that does not exist, and list its runs."""
    folder = folder.absolute()
    place = folder.parent
    if problem := misread_path(place):
        return f"rename {place} first, whose path {problem} and would be misread by MLflow"
    names = itertools.chain(["migrated.db"], (f"migrated-{number}.db" for number in itertools.count(2)))
    database = next(place / name for name in names if not os.path.lexists(place / name))
    source, target = shlex.quote(str(folder)), shlex.quote(f"sqlite:///{database}")
    return f"`mlflow migrate-filestore --source {source} --target {target}`, then {_listing(database)}"


def _listing(database: Path) -> str:
    return f"`ablate list --tracking-uri {shlex.quote(f'sqlite:///{database}')}`"

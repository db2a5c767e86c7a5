"""Checks of the tracking store and of the delivery of journals to it."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from ablate.doctor.types import DoctorContext, Finding
from ablate.errors import UserError
from ablate.journal.process_identity import SILENCE, is_alive
from ablate.redaction import mask_uri
from ablate.tracking import UNREADABLE, StoreError, check_schema, lost_records, run_title, schema_version
from ablate.wording import count, listed

_LOCK_TIMEOUT = 2.0


def check_store(context: DoctorContext) -> list[Finding]:
    """Check that the store is reachable, writable and has the schema of the installed MLflow."""
    if not context.has_mlflow:
        remedy = "pip install mlflow, then `ablate sync`"
        return [Finding("store", "note", "MLflow is not installed, runs are kept in journals only", remedy)]
    place = mask_uri(context.uri)
    if context.database is None:
        names = context.tracker().studies()
        return [Finding("store", "ok", f"{place} answers, it has {count(len(names), 'study', 'studies')}")]
    if not os.path.lexists(context.database):
        if context.database == context.project.database.absolute():
            return [Finding("store", "ok", f"none yet, the first run creates {context.database}")]
        remedy = "check --tracking-uri or MLFLOW_TRACKING_URI; the first run creates this database"
        return [Finding("store", "note", f"database not found: {context.database}", remedy)]
    return [_database_finding(context.database, place)]


def _database_finding(path: Path, place: str) -> Finding:
    try:
        check_schema(path)
    except StoreError as error:
        text, _, remedy = str(error).partition(". ")
        return Finding("store", "problem", text, remedy)
    damage = integrity(path)
    if damage:
        remedy = "`ablate doctor --repair` moves it aside and fills a new one from the journals"
        return Finding("store", "problem", f"{path} is damaged: {damage}", remedy)
    if is_locked(path):
        remedy = "wait, or stop that process; runs continue meanwhile and are delivered later"
        return Finding("store", "problem", f"another process holds a write lock on {path}", remedy)
    return Finding("store", "ok", f"{place}, schema {schema_version(path)}, {path.stat().st_size / 1e6:.1f} MB")


def integrity(path: Path) -> str | None:
    """Return the damage that SQLite finds in a database file, or None."""
    try:
        with closing(_connect(path)) as connection:
            answer = str(connection.execute("pragma quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            return None  # reported by `is_locked`
        answer = str(error)
    except UNREADABLE as error:
        answer = str(error)
    return None if answer == "ok" else answer.splitlines()[0]


def is_locked(path: Path) -> bool:
    """Return whether another process holds a write lock on a database for longer than _LOCK_TIMEOUT."""
    try:
        with closing(sqlite3.connect(path, timeout=_LOCK_TIMEOUT, isolation_level=None)) as connection:
            connection.execute("begin immediate")
            connection.execute("rollback")
    except UNREADABLE as error:
        return "locked" in str(error)
    return False


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=_LOCK_TIMEOUT)


def check_writable(context: DoctorContext) -> list[Finding]:
    """Check that the project's folder is writable."""
    folder = context.project.mlruns
    if not folder.is_dir():
        return [Finding("folder", "ok", f"none yet, the first run creates {folder}")]
    for path in (context.project.journals, context.project.studies, context.project.artifacts):
        if path.exists() and not path.is_dir():
            return [Finding("folder", "problem", f"{path} is not a folder", "move it away")]
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x" * 4096)
            file.flush()
    except OSError as error:
        return [Finding("folder", "problem", f"cannot write to {folder}: {error.strerror}", "make it writable")]
    return [Finding("folder", "ok", f"{folder} is writable")]


def check_orphans(context: DoctorContext) -> list[Finding]:
    """Look for orphaned runs: marked RUNNING, but their process is gone."""
    if not context.has_store:
        return []
    tracker = context.tracker()
    dead = [run_title(run) for run in tracker.open_runs() if is_alive(run.process) is False]
    silent = [f"{run_title(run)} on {run.process['host']}" for run in tracker.orphans(SILENCE)]
    found = []
    if dead:
        text = f"{count(len(dead), 'run')} marked RUNNING, but the process is gone: {listed(dead, most=3)}"
        found.append(Finding("orphans", "note", text, "--repair or the next run closes them as killed"))
    if silent:
        text = f"{count(len(silent), 'run')} of other hosts, no heartbeat for 15 minutes: {listed(silent, most=3)}"
        found.append(Finding("orphans", "note", text, "if they no longer run there, --repair --others closes them"))
    return found or [Finding("orphans", "ok", "no orphaned runs")]


def check_delivery(context: DoctorContext) -> list[Finding]:
    """Look for ended runs that are not, or not completely, in the store."""
    waiting = undelivered(context)
    if not waiting:
        return [Finding("delivery", "ok", "all ended runs are in the store")] if context.has_store else []
    names = listed([path.stem for path in waiting], most=3)
    text = f"{count(len(waiting), 'journal')} not delivered to the store: {names}"
    remedy = "`ablate sync`, --repair or the next run delivers them" if context.has_mlflow else "install MLflow first"
    return [Finding("delivery", "note", text, remedy)]


def undelivered(context: DoctorContext) -> list[Path]:
    """Return the journals of ended runs that the store lacks, and all journals of which it has lost something."""
    ended = [
        path
        for path, run in context.attempts()
        if run is not None and (run.ended is not None or is_alive(run.process) is False)
    ]
    if not context.has_store:
        return ended
    try:
        tracker = context.tracker()
        return list(dict.fromkeys([*tracker.undelivered(ended), *lost_records(tracker, context.project)]))
    except UserError:
        return ended  # `check_store` reports the error


def age(path: Path) -> float:
    """Return the seconds since a file changed, 0 for one that has just been removed."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0

"""Checks of the tracking store and of what is between it and the journals."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from ablate.doctor.types import Finding, Surroundings, many, some
from ablate.errors import UserError
from ablate.journal.process_identity import SILENCE, is_alive
from ablate.redaction import mask_uri
from ablate.tracking import StoreError, check_schema, run_title, schema_version

_PATIENCE = 2.0


def check_store(here: Surroundings) -> list[Finding]:
    """Check that the store can be reached and written, and that the installed MLflow can use it."""
    if not here.has_mlflow:
        return [
            Finding(
                "store", "note", "MLflow is not installed: runs are kept in journals", "pip install mlflow fills it"
            )
        ]
    place = mask_uri(here.uri)
    if here.database is None:
        names = here.tracker().studies()
        return [Finding("store", "ok", f"{place} answers; it has {many(len(names), 'study').replace('ys', 'ies')}")]
    if not here.database.exists():
        return [Finding("store", "ok", f"none yet: the first run makes {here.database}")]
    return [_database_finding(here.database, place)]


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
        remedy = "wait for it, or end it; runs go on meanwhile and are delivered later"
        return Finding("store", "problem", f"another process holds {path} locked for writing", remedy)
    return Finding("store", "ok", f"{place}, schema {schema_version(path)}, {path.stat().st_size / 1e6:.1f} MB")


def integrity(path: Path) -> str | None:
    """Return what is wrong with an SQLite file, or None for a sound one."""
    try:
        with closing(_connect(path)) as connection:
            answer = str(connection.execute("pragma quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            return None  # told by `is_locked`
        answer = str(error)
    except sqlite3.DatabaseError as error:
        answer = str(error)
    return None if answer == "ok" else answer.splitlines()[0]


def is_locked(path: Path) -> bool:
    """Return whether another process keeps a database from being written for longer than a moment."""
    try:
        with closing(sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)) as connection:
            connection.execute("begin immediate")
            connection.execute("rollback")
    except sqlite3.OperationalError as error:
        return "locked" in str(error)
    return False


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=_PATIENCE)


def check_writable(here: Surroundings) -> list[Finding]:
    """Check that the project's folder takes files."""
    folder = here.project.mlruns
    if not folder.is_dir():
        return [Finding("folder", "ok", f"{folder} is made by the first run")]
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x" * 4096)
            file.flush()
    except OSError as error:
        return [Finding("folder", "problem", f"{folder} cannot be written: {error.strerror}", "mend that first")]
    return [Finding("folder", "ok", f"{folder} can be written")]


def check_orphans(here: Surroundings) -> list[Finding]:
    """Look for runs that the store holds for running though nobody runs them."""
    if not here.has_store:
        return []
    tracker = here.tracker()
    dead = [run_title(run) for run in tracker.open_runs() if is_alive(run.process) is False]
    silent = [f"{run_title(run)} on {run.process['host']}" for run in tracker.orphans(SILENCE)]
    found = []
    if dead:
        text = f"{many(len(dead), 'run')} marked as running by processes that are gone: {some(dead)}"
        found.append(Finding("orphans", "note", text, "--repair closes them as killed, and so does the next run"))
    if silent:
        text = f"{many(len(silent), 'run')} of other machines without a sign of life for 15 minutes: {some(silent)}"
        found.append(Finding("orphans", "note", text, "if nobody runs them there, --repair --others closes them"))
    return found or [Finding("orphans", "ok", "no run is marked as running that nobody runs")]


def check_delivery(here: Surroundings) -> list[Finding]:
    """Look for runs that are over and not, or not wholly, in the store."""
    waiting = undelivered(here)
    if not waiting:
        return [Finding("delivery", "ok", "every run that is over is in the store")] if here.has_store else []
    text = f"{many(len(waiting), 'journal')} not delivered to the store: {some([path.stem for path in waiting])}"
    remedy = "`ablate sync`, --repair or the next run delivers them" if here.has_mlflow else "install MLflow first"
    return [Finding("delivery", "note", text, remedy)]


def undelivered(here: Surroundings) -> list[Path]:
    """Return the journals of runs that are over, or provably dead, and that the store does not have."""
    over = [
        path
        for path, run in here.attempts()
        if run is not None and (run.ended is not None or is_alive(run.process) is False)
    ]
    if not here.has_store or not over:
        return over
    try:
        return here.tracker().undelivered(over)
    except UserError:
        return over  # what is wrong with the store is told by its own check


def seconds_since_change(path: Path) -> float:
    """Return how long ago a file changed."""
    return time.time() - path.stat().st_mtime

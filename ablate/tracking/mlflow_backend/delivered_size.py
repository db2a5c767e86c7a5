"""The delivered size of a journal: a tag of its run or study, which shows that an SQLite database was restored.

A backup may be taken at any moment, so the tag is 0 in a new run, and is set after everything else. Runs without it are
those of earlier versions. Other stores than SQLite have no such tags.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ablate.journal import receipt
from ablate.journal.receipt import Receipt
from ablate.tracking.mlflow_backend import database, lookups, schema
from ablate.tracking.mlflow_backend.records import Batch
from ablate.tracking.mlflow_backend.store import Store
from ablate.tracking.project import sqlite_path


def tags_of_new_run(store: Store) -> Mapping[str, str]:
    """Return the tag of a run or study of which nothing is delivered yet."""
    return {schema.DELIVERED: "0"} if sqlite_path(store.uri) else {}


def confirm(store: Store, run: str, size: int) -> None:
    """Record that `size` bytes of a journal are delivered."""
    if sqlite_path(store.uri):
        store.log(run, Batch(tags={schema.DELIVERED: str(size)}))


def has_less(store: Store, known: Receipt) -> bool:
    """Return whether a database has less of a run than its receipt says."""
    size = lookups.tag(engine, known.run_id, schema.DELIVERED) if (engine := store.engine) else None
    return size is not None and (not size.isdecimal() or int(size) < known.size)


def lost(store: Store, journals: Iterable[Path]) -> list[Path]:
    """Return the journals of which a database has less than their receipts say; see `RunTracker.lost`."""
    path = sqlite_path(store.uri)
    if path is None:
        return []
    known = [(journal, found) for journal in journals if (found := receipt.delivered_part(journal, store.identity))]
    stored = database.delivered_sizes(path) if known else {}  # written before the receipts, and read after
    return [journal for journal, (run, size) in known if stored.get(run, -1) < size]

"""Receipts: how much of a journal was delivered to which store.

A receipt is a small file next to the journal, and the lock on its delivery. Losing it is harmless: the next delivery
sends everything again, and the store keeps it once.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO, Any

from ablate.errors import StoreError
from ablate.journal.field_checks import has, is_flag, is_seed, is_text
from ablate.journal.journal_lines import TO_APPEND, DamagedJournalError, open_regular
from ablate.journal.line_format import read_json

_LOCK_TIMEOUT = 30.0
_LARGEST = 2**16
"""Bytes of a receipt that are read. Complete ones have a few hundred."""

_IS_RECEIPT = has(
    **dict.fromkeys(("store", "run_id"), is_text),
    **dict.fromkeys(("records", "size", "changed"), is_seed),
    closed=is_flag,
)


@dataclass(frozen=True)
class Receipt:
    """The delivered part of a run's journal.

    Attributes:
        store: Identity of the store.
        run_id: The store's identifier of the run.
        records: Number of delivered records.
        size: Size of the journal at that time, in bytes.
        changed: Modification time of the journal at that time, in nanoseconds.
        closed: Whether the run has a final status in the store.
    """

    store: str
    run_id: str
    records: int
    size: int
    changed: int
    closed: bool

    def covers(self, journal: Path) -> bool:
        """Return whether the journal is completely delivered."""
        return self.closed and (self.size, self.changed) == stamp(journal)


def stamp(journal: Path) -> tuple[int, int]:
    """Return size and modification time (nanoseconds) of a journal."""
    found = journal.lstat()
    return found.st_size, found.st_mtime_ns


def receipt_path(journal: Path) -> Path:
    """Return the path of a journal's receipt."""
    return journal.with_suffix(".delivered")


def read(journal: Path, store: str) -> Receipt | None:
    """Return the receipt of a journal for one store, or None if it is missing, damaged or another store's."""
    found = facts(receipt_path(journal))
    if not _IS_RECEIPT(found) or found["store"] != store:
        return None
    return Receipt(**{entry.name: found[entry.name] for entry in fields(Receipt)})


def run_id(journal: Path) -> str | None:
    """Return the run's identifier in the store that received the journal last."""
    return _field(journal, "run_id")


def delivered_part(journal: Path, store: str) -> tuple[str, int] | None:
    """Return what a store received of the journal of a run or study: its identifier there, and the bytes."""
    found = facts(receipt_path(journal))
    is_known = found.get("store") == store and is_text(found.get("run_id")) and is_seed(found.get("size"))
    return (found["run_id"], found["size"]) if is_known else None


def store_of(journal: Path) -> str | None:
    """Return the identity of the store that received the journal last, or None."""
    return _field(journal, "store")


def _field(journal: Path, name: str) -> str | None:
    value = facts(receipt_path(journal)).get(name)
    return value if isinstance(value, str) else None


def facts(path: Path) -> Mapping[str, Any]:
    """Return the content of a receipt; it is empty if the file is missing or damaged."""
    try:
        with open_regular(path) as file:
            found = read_json(file.read(_LARGEST))
    except (OSError, ValueError, DamagedJournalError):
        return {}
    return found if isinstance(found, dict) else {}


def write(journal: Path, receipt: Receipt) -> None:
    """Write the receipt of a journal."""
    write_in_place(receipt_path(journal), asdict(receipt))


def forget(journal: Path) -> None:
    """Reduce the receipt of a journal to the run's identifier, so that the next delivery sends everything again."""
    with delivery_lock(journal):
        write_in_place(receipt_path(journal), {"run_id": run_id(journal)})


def write_in_place(path: Path, facts: Mapping[str, object]) -> None:
    """Write a receipt without replacing the file, which carries the lock; do nothing on a read-only file system."""
    try:
        file = open_regular(path, os.O_RDWR)
    except (OSError, DamagedJournalError):
        return
    with file:
        text = json.dumps(facts).encode()
        os.pwrite(file.fileno(), text.ljust(os.fstat(file.fileno()).st_size), 0)
        os.ftruncate(file.fileno(), len(text))


@contextmanager
def delivery_lock(journal: Path, timeout: float = _LOCK_TIMEOUT) -> Iterator[None]:
    """Hold the lock on the delivery of a journal; it is released when the process ends.

    A read-only file system needs no lock, since nothing is delivered from there by several processes.

    Raises:
        StoreError: Another process held the lock for `timeout` seconds.
    """
    file = _open_or_create(receipt_path(journal))
    if file is None:
        yield
        return
    with file:
        deadline = time.monotonic() + timeout
        while not _try_lock(file):
            if time.monotonic() > deadline:
                raise StoreError(
                    f"Another process has been delivering {journal.name} for {timeout:.0f} s. Wait for it to finish"
                )
            time.sleep(0.02)
        yield


def _open_or_create(path: Path) -> IO[bytes] | None:
    """Open a receipt, in place of a link or a device; None on a read-only file system."""
    try:
        with suppress(DamagedJournalError):
            return open_regular(path, TO_APPEND)
        path.unlink()
        return open_regular(path, TO_APPEND)
    except (OSError, DamagedJournalError):
        return None


def _try_lock(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

"""What of a journal was delivered: a small file beside it, which is also the lock on its delivery.

Losing it is harmless: a delivery from the beginning sends the same again, and the store keeps it once.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ablate.errors import StoreError

_PATIENCE = 30.0


@dataclass(frozen=True)
class Receipt:
    """`records` of a journal are in the store `store` as the run `run_id`; `closed` once the run has a final status.

    `size` and `changed` are the journal's when it was read: while they stand there is nothing new.
    """

    store: str
    run_id: str
    records: int
    size: int
    changed: int
    closed: bool

    def covers(self, journal: Path) -> bool:
        """Return whether nothing is left to deliver."""
        return self.closed and (self.size, self.changed) == stamp(journal)


def stamp(journal: Path) -> tuple[int, int]:
    """Return size and time of change (nanoseconds) of a journal."""
    found = journal.stat()
    return found.st_size, found.st_mtime_ns


def receipt_path(journal: Path) -> Path:
    """Return where the receipt of a journal lies."""
    return journal.with_suffix(".delivered")


def read(journal: Path, store: str) -> Receipt | None:
    """Return the receipt of a journal for one store, or None if there is none that can be trusted."""
    try:
        receipt = Receipt(**json.loads(receipt_path(journal).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    return receipt if receipt.store == store else None


def run_id(journal: Path) -> str | None:
    """Return the identifier of a journal's run in the store that it was last delivered to."""
    return _noted(journal, "run_id")


def store_of(journal: Path) -> str | None:
    """Return the identity of the store that has something of a journal, or None if no store has."""
    return _noted(journal, "store")


def _noted(journal: Path, fact: str) -> str | None:
    try:
        return str(json.loads(receipt_path(journal).read_bytes())[fact])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(journal: Path, receipt: Receipt) -> None:
    """Write the receipt of a journal."""
    write_in_place(receipt_path(journal), asdict(receipt))


def write_in_place(path: Path, facts: Mapping[str, object]) -> None:
    """Write a receipt in place, for it carries the lock; nothing on a read-only medium."""
    try:
        file = os.open(path, os.O_WRONLY)
    except OSError:
        return
    try:
        text = json.dumps(facts).encode()
        os.pwrite(file, text.ljust(os.fstat(file).st_size), 0)
        os.ftruncate(file, len(text))
    finally:
        os.close(file)


@contextmanager
def delivering(journal: Path, patience: float = _PATIENCE) -> Iterator[None]:
    """Hold the right to deliver a journal.

    The lock goes with its process. On a read-only medium there is nobody to compete with. Raises StoreError if another
    process holds it longer than `patience` seconds.
    """
    try:
        file = os.open(receipt_path(journal), os.O_RDWR | os.O_CREAT, 0o644)
    except OSError:
        yield
        return
    try:
        deadline = time.monotonic() + patience
        while not _locked(file):
            if time.monotonic() > deadline:
                raise StoreError(
                    f"another process has been delivering {journal.name} for {patience:.0f} s: wait for it"
                )
            time.sleep(0.02)
        yield
    finally:
        os.close(file)


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

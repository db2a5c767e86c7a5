"""Read the lines of a journal, which may have been written by anything: check the file, every line, and their order."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from ablate.errors import UserError
from ablate.journal.line_format import KINDS, parse_line

SCHEMA = 1
LONGEST_LINE = 64 * 2**20
"""Bytes of a line. The longest lines are series with one value per step, of about 20 bytes each."""

TO_APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT
_OTHER_KINDS = {
    errno.ELOOP: "a symbolic link",
    errno.EISDIR: "not a regular file",
    errno.ENXIO: "not a regular file",  # a pipe or socket
}

FILE_NAME = re.compile(r"(?P<key>[0-9a-f]{12})-(?P<data>[0-9a-z]+)-(?P<attempt>[0-9]{1,9})\.jsonl")


class DamagedJournalError(UserError):
    """A file is not a valid journal. Commands name it, leave it in place and continue without it."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} is not a valid journal ({reason}). `ablate doctor --repair` moves it aside")
        self.path, self.reason = path, reason


class NewerJournalError(DamagedJournalError):
    """A journal was written by a newer version of this package, and needs no repair."""

    def __init__(self, path: Path, schema: int) -> None:
        super().__init__(path, f"schema {schema} of a newer version of ablate")
        self.args = (f"{path} was written by a newer version of ablate (schema {schema}). Upgrade ablate to read it",)


def complete_lines(path: Path) -> list[bytes]:
    """Return the complete lines of a file without their line breaks; an incomplete last line is skipped.

    Raises:
        DamagedJournalError: It is not a regular file, cannot be read, or has a line longer than LONGEST_LINE.
    """
    try:
        with open_regular(path) as opened:
            return list(_lines(opened.readline, path))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DamagedJournalError(path, error.strerror or "unreadable") from None


def open_regular(path: Path, flags: int = os.O_RDONLY) -> IO[bytes]:
    """Open a regular file; links are not followed. Raises OSError, or DamagedJournalError for others."""
    try:
        file = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno not in _OTHER_KINDS:
            raise
        raise DamagedJournalError(path, _OTHER_KINDS[error.errno]) from None
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise DamagedJournalError(path, "not a regular file")
    return os.fdopen(file, "rb" if flags == os.O_RDONLY else "r+b")


def _lines(read: Any, path: Path) -> Iterator[bytes]:
    number = 1
    while (line := read(LONGEST_LINE + 1)).endswith(b"\n"):
        yield line.rstrip(b"\r\n")
        number += 1
    if len(line) > LONGEST_LINE:
        raise DamagedJournalError(path, f"line {number} is longer than {LONGEST_LINE >> 20} MiB")


def records(path: Path) -> list[dict[str, Any]]:
    """Return the records of a journal, each once; an incomplete last line and unknown kinds of records are skipped.

    Raises:
        DamagedJournalError: The file is not a journal.
    """
    found: list[dict[str, Any]] = []
    known: set[bytes] = set()
    for number, line in enumerate(complete_lines(path), start=1):
        if line in known:
            continue  # times make lines unique
        known.add(line)
        try:
            record = parse_line(line)
            _check_place(record, found, path)
            if not found:
                _check_original(record, line, path)
        except ValueError as error:
            raise DamagedJournalError(path, f"line {number}: {error}") from None
        if record["record"] in KINDS and not _is_late_close(record, found):
            found.append(record)
    return found


def is_over(records: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether the last record is a final end. A run that was closed as killed may be continued."""
    return bool(records) and records[-1]["record"] == "end" and records[-1]["status"] != "killed"


def _is_late_close(record: Mapping[str, Any], before: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether another machine closed a run as killed that had just ended."""
    return record["record"] == "end" and record["status"] == "killed" and is_over(before)


def _check_original(start: Mapping[str, Any], line: bytes, path: Path) -> None:
    """Raise ValueError if the journal is a copy, under another name, of one that is in the same folder."""
    original = path.with_name(f"{start.get('run')}.jsonl")
    if original.name == path.name or not FILE_NAME.fullmatch(original.name):
        return
    with suppress(OSError, DamagedJournalError), open_regular(original) as opened:
        if opened.readline(LONGEST_LINE).rstrip(b"\r\n") == line:
            raise ValueError(f"a copy of {original.name}")


def _check_place(record: Mapping[str, Any], before: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Raise ValueError for a record that cannot follow the ones before it."""
    kind = record["record"]
    if kind == "start":
        schema = record.get("schema") or SCHEMA
        if schema > SCHEMA:
            raise NewerJournalError(path, schema)
        if before:
            raise ValueError("a second start")
        name = FILE_NAME.fullmatch(path.name)
        if name and (name["key"], name["data"]) != (record["key"], record["data"]):
            raise ValueError("the file name belongs to another recipe")
    elif kind in KINDS and not before:
        raise ValueError("the start of the run is missing")
    elif kind in KINDS and is_over(before) and not _is_late_close(record, before):
        raise ValueError("a record after the end of the run")

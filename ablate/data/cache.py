"""Decoded data sets on disk: built once, whole or not at all, and opened as memory maps."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ablate.data.array_files import CHANNELS, FACTS, FILES, FORMAT, write_arrays
from ablate.data.types import Origin, Progress, Stream, shown
from ablate.errors import UserError


def cache_folder() -> Path:
    """Return the folder for downloads and decoded data: ABLATE_CACHE, else the system's place for caches."""
    import platformdirs

    chosen = os.environ.get("ABLATE_CACHE")
    return Path(chosen).expanduser().absolute() if chosen else Path(platformdirs.user_cache_dir("ablate"))


def obtain(origin: Origin, image_size: int, progress: Progress | None) -> tuple[Path, dict[str, Any]]:
    """Return the folder of a decoded data set and the facts about it, decoding it first if it is not there.

    Of several processes that ask at once, one decodes and the others wait. The folder is built under another name and
    renamed, so that a crash leaves at most such a temporary folder, which the next call that builds removes; what was
    cut short later is noticed by its size and built anew.
    """
    entry = cache_folder() / "decoded" / f"{origin.key}-{image_size}px"
    facts = look(entry)
    if facts is None:
        with locked(entry, progress):
            facts = look(entry)
            if facts is None:
                build(entry, origin, image_size, progress)
                facts = look(entry)
    if facts is None:
        raise UserError(f"{shown(entry)} changed while it was built; is something else writing to the cache?")
    return entry, facts


def look(entry: Path) -> dict[str, Any] | None:
    """Return the facts about a cache entry if it is there and whole."""
    try:
        facts: dict[str, Any] = json.loads((entry / FACTS).read_text())
        sizes = facts["sizes"].items()
        whole = facts["format"] == FORMAT and {name for name, _ in sizes} == FILES
        whole = whole and all((entry / name).stat().st_size == size for name, size in sizes)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return facts if whole else None


def build(entry: Path, origin: Origin, image_size: int, progress: Progress | None) -> None:
    """Decode a data set into the cache; the caller holds the entry's lock."""
    from ablate.data.decoding import strict_pillow

    def report(done: int, total: int) -> None:
        if progress is not None:
            progress(f"decoding {origin.name}", done, total)

    with strict_pillow(), writing(entry.parent):
        remove_leftovers(entry)
        stream = origin.read(image_size, progress)
        with contextlib.closing(stream.blocks):
            check_space(entry.parent, stream, image_size)
            temporary = aside(entry)
            temporary.mkdir()
            try:
                write_arrays(temporary, stream, image_size, report)
                if entry.exists():
                    entry.rename(aside(entry))
                temporary.rename(entry)
            finally:
                remove_leftovers(entry)


def aside(entry: Path) -> Path:
    """Return a new name beside `entry`, by which `remove_leftovers` knows it."""
    return entry.with_name(f"{entry.name}.{uuid.uuid4().hex[:8]}.tmp")


def remove_leftovers(entry: Path) -> None:
    """Remove the temporary folders of `entry`, whose lock is held, and those of others that nobody is building."""
    import filelock

    for leftover in entry.parent.glob("*.tmp"):
        owner = leftover.with_name(leftover.name.rsplit(".", 2)[0])
        with contextlib.suppress(filelock.Timeout), contextlib.ExitStack() as stack:
            if owner != entry:
                stack.enter_context(filelock.FileLock(f"{owner}.lock", timeout=0))
            shutil.rmtree(leftover, ignore_errors=True)


def check_space(folder: Path, stream: Stream, image_size: int) -> None:
    """Refuse to begin what cannot fit on the disk."""
    needed = sum(stream.counts.values()) * (CHANNELS * image_size**2 + 8) + 2**20
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"the data cache needs {needed / 1e6:,.0f} MB in {shown(folder)}, where {free / 1e6:,.0f} MB are free; "
            "free some space or set ABLATE_CACHE to a folder on another disk"
        )


@contextlib.contextmanager
def locked(target: Path, progress: Progress | None) -> Iterator[None]:
    """Hold the lock of a file or folder of the cache, saying so if that means to wait."""
    import filelock

    with writing(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(f"{target}.lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            if progress is not None:
                progress("waiting for another process that prepares the data", 0, 0)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Say in one line that the cache cannot be written."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"the data cache {shown(folder)} cannot be written: {error.strerror or error}; "
            "free some space, or set ABLATE_CACHE to a folder that can be written"
        ) from error


def content_key(path: Path, compute: Callable[[Path], str]) -> str:
    """Return `compute(path)`, remembered for as long as the file's place, size and time of change are the same."""
    facts = path.stat()
    state = hashlib.sha256(f"{path.resolve()} {facts.st_size} {facts.st_mtime_ns}".encode(errors="surrogateescape"))
    memory = cache_folder() / "contents" / state.hexdigest()[:20]
    try:
        return memory.read_text()
    except (OSError, ValueError):
        key = compute(path)
    if time.time() - facts.st_mtime > 2:  # a younger file may still change within the clock's resolution
        with contextlib.suppress(OSError):  # not to remember costs time only
            memory.parent.mkdir(parents=True, exist_ok=True)
            temporary = memory.with_name(f"{memory.name}.{uuid.uuid4().hex[:8]}")
            temporary.write_text(key)
            temporary.rename(memory)
    return key

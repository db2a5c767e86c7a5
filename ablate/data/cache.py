"""Cache of decoded data sets: each is built once, complete or not at all, and opened as memory maps."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ablate.data.array_files import ARRAY_FILES, CHANNELS, FORMAT, METADATA, write_arrays
from ablate.data.types import DataProgress, ImageStream, Labels, LocatedSource, printable
from ablate.errors import UserError
from ablate.paths import cache_folder


def cached_arrays(source: LocatedSource, image_size: int, progress: DataProgress | None) -> tuple[Path, dict[str, Any]]:
    """Return the cache entry of a data set, a folder, and its metadata; decode the data set first if necessary.

    Of several processes that request the same entry, one decodes and the others wait. The folder is built under a
    temporary name and renamed, so a crash leaves only a temporary folder, which the next build removes. An entry with
    truncated files is recognised by their sizes and built again.
    """
    entry = cache_folder() / "decoded" / f"{source.key}-{image_size}px"
    metadata = read_entry(entry)
    if metadata is None:
        with cache_lock(entry, progress):
            metadata = read_entry(entry)
            if metadata is None:
                build_entry(entry, source, image_size, progress)
                metadata = read_entry(entry)
    if metadata is None:
        raise UserError(f"{printable(entry)} changed during the build. Check whether another program writes there")
    return entry, metadata


def read_entry(entry: Path) -> dict[str, Any] | None:
    """Return the metadata of a cache entry, or None if the entry is missing or incomplete."""
    try:
        metadata: dict[str, Any] = json.loads((entry / METADATA).read_text(encoding="utf-8"))
        sizes = metadata["sizes"].items()
        complete = metadata["format"] == FORMAT and {name for name, _ in sizes} == ARRAY_FILES
        complete = complete and all((entry / name).stat().st_size == size for name, size in sizes)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return metadata if complete else None


def cached_labels(fingerprint: str) -> tuple[tuple[str, ...], Labels] | None:
    """Return classes and test labels of the decoded data set of a fingerprint; None if it is not in the cache."""
    import numpy as np

    for file in sorted((cache_folder() / "decoded").glob(f"*/{METADATA}")):
        metadata = read_entry(file.parent)
        if metadata is not None and metadata.get("fingerprint") == fingerprint:
            return tuple(metadata["classes"]), np.load(file.parent / "test_labels.npy")
    return None


def build_entry(entry: Path, source: LocatedSource, image_size: int, progress: DataProgress | None) -> None:
    """Decode a data set into the cache; the caller holds the entry's lock."""
    from ablate.data.decoding import strict_pillow

    def report(done: int, total: int) -> None:
        if progress is not None:
            progress(f"decoding {source.name}", done, total)

    with strict_pillow(), cache_errors(entry.parent):
        remove_leftovers(entry)
        stream = source.read(image_size, progress)
        with contextlib.closing(stream.blocks):
            check_space(entry.parent, stream, image_size)
            temporary = temporary_path(entry)
            temporary.mkdir()
            try:
                write_arrays(temporary, stream, image_size, report)
                if entry.exists():
                    entry.rename(temporary_path(entry))
                temporary.rename(entry)
            finally:
                remove_leftovers(entry)


def temporary_path(entry: Path) -> Path:
    """Return a new path next to `entry`, with a name that `remove_leftovers` recognises."""
    return entry.with_name(f"{entry.name}.{uuid.uuid4().hex[:8]}.tmp")


def remove_leftovers(entry: Path) -> None:
    """Remove the temporary folders of `entry`, whose lock the caller holds, and those of other unlocked entries."""
    import filelock

    for leftover in entry.parent.glob("*.tmp"):
        owner = leftover.with_name(leftover.name.rsplit(".", 2)[0])
        with contextlib.suppress(filelock.Timeout), contextlib.ExitStack() as stack:
            if owner != entry:
                stack.enter_context(filelock.FileLock(f"{owner}.lock", timeout=0))
            shutil.rmtree(leftover, ignore_errors=True)


def check_space(folder: Path, stream: ImageStream, image_size: int) -> None:
    """Raise UserError if the decoded images do not fit on the disk."""
    needed = sum(stream.counts.values()) * (CHANNELS * image_size**2 + 8) + 2**20
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"The data cache needs {needed / 1e6:,.0f} MB in {printable(folder)}, where {free / 1e6:,.0f} MB are free. "
            "Free some space or set ABLATE_CACHE to a folder on another disk"
        )


@contextlib.contextmanager
def cache_lock(target: Path, progress: DataProgress | None) -> Iterator[None]:
    """Hold the lock of a file or folder of the cache; report to `progress` before waiting for another process."""
    import filelock

    with cache_errors(target.parent):
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
def cache_errors(folder: Path) -> Iterator[None]:
    """Turn an OSError in the cache into a UserError with a one-line message."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"Cannot write to the data cache {printable(folder)}: {error.strerror or error}. "
            "Free some space, or set ABLATE_CACHE to a writable folder"
        ) from error


def remembered_digest(path: Path, compute: Callable[[Path], str]) -> str:
    """Return `compute(path)`, cached on disk by the file's path, size and modification time."""
    stat = path.stat()
    state = hashlib.sha256(f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}".encode(errors="surrogateescape"))
    stored = cache_folder() / "contents" / state.hexdigest()[:20]
    try:
        return stored.read_text(encoding="utf-8")
    except (OSError, ValueError):
        digest = compute(path)
    if time.time() - stat.st_mtime > 2:  # a younger file may change again within the clock's resolution
        with contextlib.suppress(OSError):  # without the stored digest, the next call is slower but correct
            stored.parent.mkdir(parents=True, exist_ok=True)
            temporary = stored.with_name(f"{stored.name}.{uuid.uuid4().hex[:8]}")
            temporary.write_text(digest, encoding="utf-8")
            temporary.rename(stored)
    return digest

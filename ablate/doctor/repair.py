"""What `ablate doctor --repair` does. Nothing of value is removed: what is not understood is moved aside."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from ablate.doctor.leftovers import Leftover, leftovers
from ablate.doctor.machine import cached
from ablate.doctor.store import integrity, undelivered
from ablate.doctor.types import Surroundings, many, some
from ablate.errors import UserError, explain
from ablate.journal import line_format as journal_lines
from ablate.journal import receipt
from ablate.journal.process_identity import SILENCE
from ablate.journal.run_journal import load
from ablate.tracking import StoreError, run_title, schema_version


def mend(here: Surroundings, *, others: bool = False) -> Iterator[str]:
    """Mend what can be mended and yield a line for each thing done, or not done and why.

    `others`: also close the runs of other machines that gave no sign of life for 15 minutes.
    """
    steps = [_mend_journals, _mend_database, _deliver, _clear_leftovers, _clear_caches]
    for step in steps + [_close_silent] * others:
        try:
            yield from step(here)
        except UserError as error:
            yield f"not done: {error}"
        except OSError as error:
            yield f"not done: {explain(error)}"


def aside(here: Surroundings, path: Path) -> Path:
    """Move a file or folder to `mlruns/aside/` under a name that is free there, and return its new place."""
    folder = here.project.mlruns / "aside"
    folder.mkdir(parents=True, exist_ok=True)
    target, number = folder / path.name, 1
    while target.exists():
        target, number = folder / f"{path.name}.{number}", number + 1
    return Path(shutil.move(path, target))


def _mend_journals(here: Surroundings) -> Iterator[str]:
    for path, _ in here.damaged():
        key, data, _ = path.stem.split("-")
        with here.journals.claim(key, data, timeout=0):
            whole = _whole_lines(path)
            kept = aside(here, path)
            receipt.receipt_path(path).unlink(missing_ok=True)  # it counts lines; the store takes them all once more
            path.write_bytes(b"".join(line + b"\n" for line in whole))
            if _is_run(path):
                yield f"{path.name}: {many(len(whole), 'whole line')} kept, the damaged file is {kept}"
            else:
                path.unlink()
                yield f"{path.name} held no run that can be read: it is {kept} now"


def _whole_lines(path: Path) -> list[bytes]:
    found = []
    for line in path.read_bytes().split(b"\n"):
        try:
            journal_lines.parse(line)
        except ValueError:
            continue
        found.append(line)
    return found


def _is_run(path: Path) -> bool:
    try:
        return load(path) is not None
    except UserError:
        return False


def _mend_database(here: Surroundings) -> Iterator[str]:
    """Move a database that is broken aside; the journals fill a new one. One of another schema is left alone."""
    path = here.database
    if path is None or not here.has_store or not path.stat().st_size:
        return
    if schema_version(path) is not None and integrity(path) is None:
        return
    artifacts = {journal: identifier for journal, _ in here.attempts() if (identifier := receipt.run_id(journal))}
    kept = aside(here, path)
    for ending in ("-wal", "-shm"):
        beside = path.with_name(path.name + ending)
        if beside.exists():
            shutil.move(beside, kept.with_name(kept.name + ending))
    shutil.rmtree(here.project.mlruns / "studies", ignore_errors=True)  # notes of what the old store had
    yield f"the damaged database is {kept} now; a new one is filled from the journals"
    tracker = here.tracker()
    for journal, before in artifacts.items():
        now = tracker.deliver(journal)
        old, new = (path.parent / "artifacts" / str(run) for run in (before, now))
        if now and old.is_dir() and not new.exists():
            old.rename(new)
    yield f"{many(len(artifacts), 'run')} delivered to it, with the artifacts; sweeps record their studies again"


def _deliver(here: Surroundings) -> Iterator[str]:
    if not here.has_mlflow or not (here.has_store or here.attempts()):
        return
    tracker = here.tracker()
    before = undelivered(here)
    closed = tracker.close_orphans(here.journals.paths())
    left = set(undelivered(here))
    delivered = [path.stem for path in before if path not in left]
    if delivered:
        yield f"{many(len(delivered), 'journal')} delivered: {some(delivered)}"
    if closed:
        yield f"{many(len(closed), 'run')} of processes that are gone closed as killed: {some(closed)}"


def _clear_leftovers(here: Surroundings) -> Iterator[str]:
    for leftover in leftovers(here):
        yield _cleared(here, leftover)


def _cleared(here: Surroundings, leftover: Leftover) -> str:
    path = leftover.path
    if leftover.is_kept:
        return f"{path.name} belongs to no journal: it is {aside(here, path)} now"
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    return f"{path.name} removed"


def _clear_caches(_here: Surroundings) -> Iterator[str]:
    from ablate.data.cache import cache_lock, read_entry, remove_leftovers
    from ablate.paths import cache_folder

    folder = cache_folder()
    _, broken, unfinished = cached(folder)
    for entry in broken:
        with cache_lock(entry, None):
            if read_entry(entry) is None:  # nobody has built it meanwhile
                shutil.rmtree(entry, ignore_errors=True)
                yield f"the broken data set {entry.name} removed from the cache: it is decoded anew when next used"
    if unfinished:
        remove_leftovers(folder / "decoded" / "none")
        left = [path for path in unfinished if path.exists()]
        yield f"{many(len(unfinished) - len(left), 'unfinished folder')} removed from the data cache"


def _close_silent(here: Surroundings) -> Iterator[str]:
    if not here.has_store:
        return
    tracker = here.tracker()
    for run in tracker.orphans(SILENCE):
        try:
            tracker.close_as_killed(run)
        except StoreError as error:
            yield f"not done: {error}"
        else:
            yield f"{run_title(run)} of {run.process['host']} closed as killed"

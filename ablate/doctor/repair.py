"""Repairs of `ablate doctor --repair`. Files that may be valuable are moved aside, never removed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ablate.doctor.leftovers import Leftover, leftovers, silent_elsewhere
from ablate.doctor.machine import cached
from ablate.doctor.store import integrity, undelivered
from ablate.doctor.types import DoctorContext
from ablate.errors import UserError, explain
from ablate.journal import receipt
from ablate.journal.journal_lines import DamagedJournalError, complete_lines
from ablate.journal.line_format import parse_line
from ablate.journal.process_identity import SILENCE
from ablate.journal.run_journal import Journal, load
from ablate.journal.study_lines import study_lines
from ablate.tracking import (
    StoreError,
    StudyJournals,
    deliver_lost,
    deliver_study,
    run_title,
    schema_version,
)
from ablate.wording import count, listed


def repair(context: DoctorContext, *, others: bool = False) -> Iterator[str]:
    """Repair a project and yield a line for each repair, and for each that failed.

    Args:
        context: The project.
        others: Also close the runs of other hosts that had no heartbeat for 15 minutes.
    """
    steps = [_replace_database, _deliver, _remove_leftovers, _clean_caches]
    for step in [_repair_journals, _repair_studies, *[_end_silent] * others, *steps, *[_close_silent] * others]:
        try:
            yield from step(context)
        except UserError as error:
            yield f"failed: {error}"
        except OSError as error:
            yield f"failed: {explain(error)}"


def _move_aside(context: DoctorContext, path: Path) -> Path:
    """Move a file or folder to `mlruns/aside/`, under a new name if needed, and return its new path."""
    folder = context.project.mlruns / "aside"
    folder.mkdir(parents=True, exist_ok=True)
    target, number = folder / path.name, 1
    while os.path.lexists(target):
        target, number = folder / f"{path.name}.{number}", number + 1
    return Path(shutil.move(path, target))


def _repair_journals(context: DoctorContext) -> Iterator[str]:
    for path, _ in context.damaged():
        key, data, _ = path.stem.split("-")
        with context.journals.lock(key, data, timeout=0):
            complete = _complete_lines(path)
            kept = _move_aside(context, path)
            receipt.receipt_path(path).unlink(missing_ok=True)  # it counts lines, and the store skips those it has
            path.write_bytes(b"".join(line + b"\n" for line in complete))
            if _is_run(path):
                yield f"{path.name}: {count(len(complete), 'complete line')} kept, damaged file moved to {kept}"
            else:
                path.unlink()
                yield f"{path.name} held no readable run and was moved to {kept}"


def _repair_studies(context: DoctorContext) -> Iterator[str]:
    for name in context.damaged_studies():
        path, record = context.studies.path(name), context.studies.read(name)
        lines = study_lines(path)[0] if record else []
        kept = _move_aside(context, path)
        receipt.receipt_path(path).unlink(missing_ok=True)
        context.studies.add(name, [json.dumps(line).encode() for line in lines])
        yield f"{path.name}: {count(len(lines), 'valid line')} kept, damaged file moved to {kept}"


def _complete_lines(path: Path) -> list[bytes]:
    found = []
    try:
        lines = complete_lines(path)
    except DamagedJournalError:  # not a regular file, or endless lines
        lines = []
    for line in lines:
        try:
            parse_line(line)
        except ValueError:
            continue
        found.append(line)
    return found


def _is_run(path: Path) -> bool:
    try:
        return load(path) is not None
    except UserError:
        return False


def _replace_database(context: DoctorContext) -> Iterator[str]:
    """Move a damaged database aside and fill a new one from the journals; keep one with another schema."""
    path = context.database
    if path is None or not context.has_store or not path.stat().st_size:
        return
    if schema_version(path) is not None and integrity(path) is None:
        return
    artifacts = [journal for journal, _ in context.attempts() if receipt.run_id(journal)]
    kept = _move_aside(context, path)
    for ending in ("-wal", "-shm"):
        companion = path.with_name(path.name + ending)
        if companion.exists():
            shutil.move(companion, kept.with_name(kept.name + ending))
    yield f"damaged database moved to {kept}, a new one is filled from the journals"
    tracker, studies = context.tracker(), StudyJournals(context.project.studies)
    delivered = [name for name in studies.names() if deliver_study(tracker, studies, name)]
    for journal in artifacts:
        tracker.deliver(journal)
    contents = f"{count(len(artifacts), 'run')} and {count(len(delivered), 'study', 'studies')}"
    yield f"{contents} delivered to the new database, with artifacts"


def _deliver(context: DoctorContext) -> Iterator[str]:
    if not context.has_mlflow or not (context.has_store or context.attempts()):
        return
    tracker = context.tracker()
    before = undelivered(context)
    deliver_lost(tracker, context.project)
    closed = tracker.close_orphans(context.journals.paths())
    left = set(undelivered(context))
    delivered = [path.stem for path in before if path not in left]
    if delivered:
        yield f"{count(len(delivered), 'journal')} delivered: {listed(delivered, most=3)}"
    if closed:
        yield f"{count(len(closed), 'orphaned run')} closed as killed: {listed(closed, most=3)}"


def _remove_leftovers(context: DoctorContext) -> Iterator[str]:
    for leftover in leftovers(context):
        yield _removed(context, leftover)


def _removed(context: DoctorContext, leftover: Leftover) -> str:
    path = leftover.path
    if leftover.may_be_valuable:
        reason = "holds no complete line" if path.suffix == ".jsonl" else "belongs to no journal"
        return f"{path.name} {reason} and was moved to {_move_aside(context, path)}"
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
    return f"{path.name} removed"


def _clean_caches(_context: DoctorContext) -> Iterator[str]:
    from ablate.data.cache import cache_lock, read_entry, remove_leftovers
    from ablate.paths import cache_folder

    folder = cache_folder()
    _, broken, unfinished = cached(folder)
    for entry in broken:
        with cache_lock(entry, None):
            if read_entry(entry) is None:  # no other process has rebuilt it meanwhile
                shutil.rmtree(entry, ignore_errors=True)
                yield f"damaged data set {entry.name} removed from the cache, it is decoded again at the next use"
    if unfinished:
        remove_leftovers(folder / "decoded" / "none")
        left = [path for path in unfinished if path.exists()]
        yield f"{count(len(unfinished) - len(left), 'unfinished folder')} removed from the data cache"


def _end_silent(context: DoctorContext) -> Iterator[str]:
    for path, run in silent_elsewhere(context):
        key, data, _ = path.stem.split("-")
        with suppress(UserError), context.journals.lock(key, data, timeout=0), Journal(path) as journal:
            journal.write("end", status="killed", error="its process is gone")
            yield f"{run_title(run)} of {run.process['host']} ended as killed"


def _close_silent(context: DoctorContext) -> Iterator[str]:
    if not context.has_store:
        return
    tracker = context.tracker()
    for run in tracker.orphans(SILENCE):
        try:
            tracker.close_as_killed(run)
        except StoreError as error:
            yield f"failed: {error}"
        else:
            yield f"{run_title(run)} of {run.process['host']} closed as killed"

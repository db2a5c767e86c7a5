"""Deliver journals to the store. Repeating a delivery changes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ablate.errors import StoreError, UnreachableError
from ablate.journal import receipt
from ablate.journal.journal_lines import DamagedJournalError, records
from ablate.journal.process_identity import is_alive
from ablate.journal.receipt import Receipt
from ablate.journal.run_log import mask_printed_output
from ablate.tracking.contract import SINGLE_RUNS
from ablate.tracking.mlflow_backend import delivered_size, lookups, schema
from ablate.tracking.mlflow_backend.records import (
    Batch,
    batches,
    logs_directly,
    merged_batches,
    milliseconds,
    process_of,
    start_tags,
)
from ablate.tracking.mlflow_backend.store import Store
from ablate.tracking.mlflow_backend.stored_run import StoredRun, only_one
from ablate.tracking.project import sqlite_path

Line = Mapping[str, Any]


def deliver(store: Store, journal: Path) -> str | None:
    """Deliver the new records of a journal; see `RunTracker.deliver`."""
    known = receipt.read(journal, store.identity)
    if known and known.covers(journal):
        return known.run_id
    with receipt.delivery_lock(journal):
        known = receipt.read(journal, store.identity)  # another process may have delivered it
        stamp = receipt.stamp(journal)
        lines = records(journal)
        if not lines:
            return None
        now = _send(store, journal, lines, known, stamp)
        _keep_artifacts(store, receipt.run_id(journal), now.run_id)
        if now != known:
            receipt.write(journal, now)
        return now.run_id


def _keep_artifacts(store: Store, before: str | None, now: str) -> None:
    """Rename the folder of artifacts of a run that has a new identifier, since an earlier SQLite database was lost."""
    path = sqlite_path(store.uri)
    if path and before and before != now:
        old, new = (path.parent / "artifacts" / name for name in (before, now))
        if old.is_dir() and not new.exists():
            old.rename(new)


def undelivered(store: Store, journals: Iterable[Path]) -> list[Path]:
    """Return the journals that are not completely delivered, and those of open runs."""
    known = ((path, receipt.read(path, store.identity)) for path in journals)
    return [path for path, found in known if not (found and found.covers(path))]


def close_orphans(store: Store, journals: Iterable[Path]) -> list[str]:
    """Close runs whose process is gone; see `RunTracker.close_orphans`."""
    here = {path.stem: path for path in journals}
    closed: list[str] = []
    refused: list[StoreError] = []
    for path in undelivered(store, here.values()):
        try:
            closed += [path.stem] if _deliver_ended(store, path) else []
        except UnreachableError:
            raise
        except StoreError as error:
            refused.append(error)
        except DamagedJournalError:
            continue
    for run in open_runs(store):
        name = run.tags.get(schema.NAME, run.name)
        if name not in here and is_alive(process_of(run.tags)) is False:
            close_as_killed(store, run.id, run.last_heartbeat)
            closed.append(name)
    if refused:
        raise refused[0]
    return closed


def _deliver_ended(store: Store, journal: Path) -> bool:
    """Deliver the journal of a run that has ended or whose process is gone, and return whether it is gone."""
    lines = records(journal)
    dead = bool(lines) and _is_dead(lines)
    if lines and (dead or _ended(lines)):
        deliver(store, journal)
    return dead


def open_runs(store: Store) -> list[StoredRun]:
    """Return the runs and studies of ablate that are marked RUNNING."""
    found = store.search(store.experiments(), "attributes.status = 'RUNNING'")
    return [run for run in found if process_of(run.tags)]


def close_as_killed(store: Store, run: str, time: float) -> None:
    """Close a run as killed at `time`."""
    store.log(run, Batch(tags={schema.STATUS: "killed"}))
    store.close(run, schema.STATUSES["killed"], milliseconds(time))


def _send(store: Store, journal: Path, lines: Sequence[Line], known: Receipt | None, stamp: tuple[int, int]) -> Receipt:
    try:
        if known and known.records == len(lines) and (known.closed or not (_is_dead(lines) or _ended(lines))):
            if known.size != stamp[0]:  # e.g. a duplicated line
                delivered_size.confirm(store, known.run_id, stamp[0])
            return replace(known, size=stamp[0], changed=stamp[1])
        return _send_rest(store, journal, lines, known, stamp)
    except StoreError:
        stored = store.get(known.run_id) if known else None
        if known and stored is None:
            return _send_rest(store, journal, lines, None, stamp)  # the store was cleared
        if known and stored and stored.deleted:
            # a user deleted it there; if it is restored, it has less than this receipt says
            return replace(known, records=len(lines), size=stamp[0], changed=stamp[1], closed=True)
        raise


def _send_rest(
    store: Store, journal: Path, lines: Sequence[Line], known: Receipt | None, stamp: tuple[int, int]
) -> Receipt:
    dead = _is_dead(lines)
    run, is_open = (known.run_id, not known.closed) if known else _run_for(store, journal, lines[0])
    delivered = known.records if known else 0
    added: Iterable[Batch] = batches(lines, delivered)
    if logs_directly(lines):
        added = _without_duplicates(store, run, added)
    elif store.engine and (not known or any(line["record"] == "resume" for line in lines)):
        added = _without_steps(lookups.stored_steps(store.engine, run), added)
    for batch in merged_batches(added):
        store.log(run, batch)
    if not delivered:
        store.log_dataset(run, _dataset(lines[0]), lines[0]["data"])
    if _ended(lines) or dead:
        _keep_files(store, run, journal, remove=_ended(lines))
    if _ended(lines):
        store.close(run, schema.STATUSES[lines[-1]["status"]], milliseconds(lines[-1]["time"]))
    elif dead:
        close_as_killed(store, run, lines[-1]["time"])
    elif not is_open:
        is_open = _reopen(store, run, lines[-1]["time"])
    if known and delivered_size.has_less(store, known):
        return _send_rest(store, journal, lines, None, stamp)  # the database was restored meanwhile
    delivered_size.confirm(store, run, stamp[0])
    return Receipt(store.identity, run, len(lines), *stamp, closed=_ended(lines) or dead or not is_open)


def _without_duplicates(store: Store, run: str, added: Iterable[Batch]) -> Iterator[Batch]:
    """Yield batches without the metrics and params that the run's program logged directly."""
    stored = store.get(run)
    for batch in added:
        points = [point for point in batch.points if not (stored and point[0] in stored.latest)]
        texts = {name: text for name, text in batch.params.items() if not (stored and name in stored.params)}
        yield replace(batch, points=points, params=texts)


def _without_steps(stored: set[tuple[str, int]], added: Iterable[Batch]) -> Iterator[Batch]:
    """Yield batches without the values that the store has, maybe with other times, of a journal that was changed.

    A journal that lost its end after its delivery is continued, and has new values of the same steps.
    """
    for batch in added:
        yield replace(batch, points=[point for point in batch.points if (point[0], point[3]) not in stored])


def _reopen(store: Store, run: str, time: float) -> bool:
    """Reopen a closed run if it has later records, and return whether it has."""
    stored = store.get(run)
    continues = stored is None or stored.end is None or milliseconds(time) > stored.end
    if continues:
        store.reopen(run)
    return continues


def _run_for(store: Store, journal: Path, start: Line) -> tuple[str, bool]:
    """Return the store's run for a journal, created if necessary, and whether it is open."""
    name, study = journal.stem, start["study"] or SINGLE_RUNS
    earlier = receipt.run_id(journal)
    known = store.get(earlier) if earlier else None
    if known and not known.deleted and known.tags.get(schema.NAME) == name:
        return known.id, known.status == "RUNNING"  # in an experiment that a user may have renamed
    experiment = store.experiment(study)
    found = []
    if _first_with_tag(store, experiment, schema.NAME, name):
        found = [
            run
            for run in store.search({experiment: study}, schema.where_tag(schema.NAME, name))
            if run.start == milliseconds(start["time"])  # a run of another machine may have the same name
        ]
    if found:
        first = only_one(found, store.delete)
        return first.id, first.status == "RUNNING"
    tags = {**start_tags(start, name), **delivered_size.tags_of_new_run(store)}
    if study != SINGLE_RUNS and (parent := _first_with_tag(store, experiment, schema.KIND, schema.STUDY)):
        tags[schema.PARENT_RUN] = parent
    title = f"{start['variant']}/s{start['recipe']['seed']}"
    return store.create(experiment, title, milliseconds(start["time"]), tags), True


def _first_with_tag(store: Store, experiment: str, name: str, value: str) -> str | None:
    """Return the identifier of the first active run of an experiment with a tag, or None."""
    known = lookups.runs_with_tag(engine, experiment, name, value) if (engine := store.engine) else None
    if known is None:
        known = [run.id for run in store.search({experiment: ""}, schema.where_tag(name, value), limit=1)]
    return known[0] if known else None


def _keep_files(store: Store, run: str, journal: Path, *, remove: bool) -> None:
    folder = journal.with_suffix(".files")
    if folder.is_dir():
        if not remove:
            mask_printed_output(folder)  # its process, which is gone, has not
        store.upload(run, folder)
        if remove:
            shutil.rmtree(folder, ignore_errors=True)


def _ended(lines: Sequence[Line]) -> bool:
    return bool(lines[-1]["record"] == "end")


def _is_dead(lines: Sequence[Line]) -> bool:
    """Return whether a run has no end and its process is gone."""
    process = [line["process"] for line in lines if line["record"] in ("start", "resume")][-1]
    return not _ended(lines) and is_alive(process) is False


def _dataset(start: Line) -> str:
    return str(start.get("data_name") or start["data"])

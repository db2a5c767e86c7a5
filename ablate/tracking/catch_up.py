"""Deliver the studies and runs that earlier commands could not deliver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ablate import console
from ablate.errors import StoreError, UnreachableError, UserError
from ablate.journal.journal_lines import DamagedJournalError
from ablate.journal.receipt import delivery_lock, forget, store_of
from ablate.journal.run_journal import Journals
from ablate.journal.study_journal import StudyJournals, StudyReceipt
from ablate.journal.study_record import StudyRecord
from ablate.tracking.contract import StudyTracker, Tracker
from ablate.tracking.journal_tracker import JournalTracker
from ablate.tracking.project import Project
from ablate.wording import count


def catch_up(tracker: Tracker, project: Project) -> list[UserError]:
    """Deliver a project's studies and ended runs that no store has, and close runs whose process is gone.

    Records that another store has are left to `ablate sync`: this store may be a whole team's.

    Returns:
        The errors of the damaged journals, and of the records that the store does not accept.

    Raises:
        UnreachableError: The store does not answer.
    """
    journals, studies = Journals(project.journals), StudyJournals(project.studies)
    ours = (None, tracker.identity)
    deliver_lost(tracker, project)
    refused: list[UserError] = []
    for name in studies.names():
        if store_of(studies.path(name)) not in ours:
            continue
        if not studies.is_delivered(name, tracker.identity) and (damage := studies.damage(name)):
            refused.append(damage)
        try:
            deliver_study(tracker, studies, name)
        except UnreachableError:
            raise
        except StoreError as error:
            refused.append(error)
    runs = [path for path in journals.paths() if store_of(path) in ours]
    try:
        tracker.close_orphans(runs)
    except UnreachableError:
        raise
    except StoreError as error:
        refused.append(error)
    if isinstance(tracker, JournalTracker):
        return [*refused, *tracker.damaged()]
    for path in tracker.undelivered(runs):
        journals.read(path)
    return [*refused, *journals.damaged.values()]


def attach_report(
    tracker: Tracker, project: Project, name: str, folder: Path, note: str, metrics: Mapping[str, float]
) -> None:
    """Attach a report to its study, by the study's journal if the study is this project's.

    A store that is cleared or restored later then receives the report again.

    Raises:
        StoreError: The store failed.
    """
    studies = StudyJournals(project.studies)
    is_ours = studies.path(name).exists() and store_of(studies.path(name)) in (None, tracker.identity)
    if isinstance(tracker, JournalTracker) or not is_ours:
        tracker.attach_report(name, folder, note, metrics)
    else:
        studies.attach_report(name, folder, note, metrics)
        deliver_study(tracker, studies, name)


def deliver_lost(tracker: Tracker, project: Project) -> None:
    """Deliver again what the store has lost of runs and studies.

    Raises:
        UnreachableError: The store does not answer.
    """
    lost = lost_records(tracker, project)
    if not lost:
        return
    studies = StudyJournals(project.studies)
    names = {studies.path(name): name for name in studies.names()}
    runs = [path for path in lost if path not in names]
    kinds = {"run": len(runs), "study record": len(lost) - len(runs)}
    console.warning(
        f"{' and '.join(count(number, kind) for kind, number in kinds.items() if number)} missing or incomplete in the "
        "store, which had more (was it restored from a backup?): delivered again from the journals"
    )
    for path, name in names.items():  # the parents of runs first
        with _suppressing_refusals():
            if path in lost:
                forget(path)
                _record_again(tracker, studies, name)
            elif store_of(path) in (None, tracker.identity):
                deliver_study(tracker, studies, name)
    for path in runs:
        forget(path)
        with _suppressing_refusals():
            tracker.deliver(path)


def _record_again(tracker: Tracker, studies: StudyJournals, name: str) -> None:
    """Deliver a study although its plan, a file, may be in the store: the tags of its run are those of the backup."""
    if record := studies.read(name):
        _send(tracker, record)
    deliver_study(tracker, studies, name)


def lost_records(tracker: Tracker, project: Project) -> list[Path]:
    """Return the journals of studies and runs that the store has lost, or a part of them."""
    studies = StudyJournals(project.studies)
    return tracker.lost([*map(studies.path, studies.names()), *Journals(project.journals).paths()])


@contextmanager
def _suppressing_refusals() -> Iterator[None]:
    """Suppress the errors of single records, which the delivery of all records reports. An unreachable store raises."""
    try:
        yield
    except UnreachableError:
        raise
    except (DamagedJournalError, StoreError):
        return


def deliver_study(tracker: Tracker, studies: StudyJournals, name: str) -> bool:
    """Deliver a study's record unless the store has it, or a newer one; return whether the store lacked it.

    Repeating a delivery changes nothing.

    Raises:
        StoreError: The store failed.
    """
    if isinstance(tracker, JournalTracker):
        return False  # it reads the study journals themselves
    store = tracker.identity
    if studies.is_delivered(name, store):
        return False
    with delivery_lock(studies.path(name)):
        if studies.is_delivered(name, store):
            return False  # by another process, meanwhile
        return _deliver(tracker, studies, name)


def _deliver(tracker: Tracker, studies: StudyJournals, name: str) -> bool:
    size = studies.size(name)  # what is appended after this is not covered by the receipt
    record, reports = studies.read(name), studies.reports(name)
    if record is None:
        return False
    known = studies.receipt(name, tracker.identity)
    stored = _stored_record(tracker, name)
    is_new = _is_newer(record, stored)
    if is_new:
        _send(tracker, record)
    for report in reports[known.reports if known and stored else 0 :]:
        tracker.attach_report(name, *report)
    run = tracker.confirm_study(name, size)
    studies.mark_delivered(name, StudyReceipt(tracker.identity, run, size, len(reports)))
    return is_new


def _send(tracker: StudyTracker, record: StudyRecord) -> None:
    tracker.open_study(record)
    if record.status != "running":
        tracker.close_study(record.name, record.status)


def _stored_record(tracker: StudyTracker, name: str) -> StudyRecord | None:
    try:
        return tracker.study(name)
    except StoreError:
        raise
    except UserError:
        return None


def _is_newer(record: StudyRecord, stored: StudyRecord | None) -> bool:
    if stored is None or stored.recorded < record.recorded:
        return True
    return stored.recorded == record.recorded and record.status not in ("running", stored.status)

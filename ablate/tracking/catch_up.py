"""Deliver the studies and runs that earlier commands could not deliver."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ablate import console
from ablate.errors import StoreError, UnreachableError, UserError
from ablate.journal.journal_lines import DamagedJournalError
from ablate.journal.receipt import delivery_lock, forget, store_of
from ablate.journal.run_journal import Journals
from ablate.journal.study_journal import StudyJournals
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


def deliver_lost(tracker: Tracker, project: Project) -> None:
    """Deliver the runs that the store has lost again, and forget that it had the studies.

    Raises:
        UnreachableError: The store does not answer.
    """
    journals, studies = Journals(project.journals), StudyJournals(project.studies)
    lost = tracker.lost(journals.paths())
    if not lost:
        return
    console.warning(
        f"{count(len(lost), 'run')} missing in the store, which had {'them' if len(lost) > 1 else 'it'} "
        "(was it restored from a backup?): delivered again from the journals"
    )
    for name in studies.names():  # before their runs, which they are parents of
        forget(studies.path(name))
        with _suppressing_refusals():
            deliver_study(tracker, studies, name)
    for path in lost:
        forget(path)
        with _suppressing_refusals():
            tracker.deliver(path)


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
    record, report = studies.read(name), studies.report(name)
    if record is None:
        return False
    is_new = _is_newer(record, _stored_record(tracker, name))
    if is_new:
        tracker.open_study(record)
        if record.status != "running":
            tracker.close_study(name, record.status)
    if report:
        tracker.attach_report(name, *report)
    studies.mark_delivered(name, tracker.identity, size)
    return is_new


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

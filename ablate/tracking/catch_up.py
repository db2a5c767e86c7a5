"""What earlier commands could not deliver: studies and runs that the store does not have yet."""

from __future__ import annotations

from collections.abc import Callable

from ablate.errors import StoreError, UnreachableError, UserError
from ablate.journal.receipt import delivering, store_of
from ablate.journal.run_journal import Journals
from ablate.journal.study_journal import StudyJournals
from ablate.journal.study_record import StudyRecord
from ablate.tracking.contract import StudyTracker, Tracker
from ablate.tracking.journal_tracker import JournalTracker


def catch_up(
    tracker: Tracker, journals: Journals, studies: StudyJournals, tell: Callable[[StoreError], object]
) -> None:
    """Deliver the studies and the ended runs that no store has, and close runs that are provably dead.

    What another store has stays there: only `ablate sync` takes it to this one, too, which may be a whole team's.
    Raises UnreachableError if the store does not answer; `tell` is told of anything else that it does not take.
    """
    ours = (None, tracker.identity)
    for name in studies.names():
        if store_of(studies.path(name)) not in ours:
            continue
        try:
            deliver_study(tracker, studies, name)
        except UnreachableError:
            raise
        except StoreError as error:
            tell(error)
    tracker.close_orphans(path for path in journals.paths() if store_of(path) in ours)


def deliver_study(tracker: Tracker, studies: StudyJournals, name: str) -> bool:
    """Bring a study's record into the store unless the store has it, or a newer one; return whether it had to be.

    Doing it twice changes nothing. Raises StoreError if the store fails.
    """
    if isinstance(tracker, JournalTracker):
        return False  # the record is where it belongs
    store = tracker.identity
    if studies.is_delivered(name, store):
        return False
    with delivering(studies.path(name)):
        if studies.is_delivered(name, store):
            return False  # another process was at it
        return _deliver(tracker, studies, name)


def _deliver(tracker: Tracker, studies: StudyJournals, name: str) -> bool:
    size = studies.size(name)  # what comes after it is not delivered
    record, report = studies.read(name), studies.report(name)
    if record is None:
        return False
    is_new = _is_news(record, _recorded(tracker, name))
    if is_new:
        tracker.open_study(record)
        if record.status != "running":
            tracker.close_study(name, record.status)
    if report:
        tracker.attach_report(name, *report)
    studies.delivered(name, tracker.identity, size)
    return is_new


def _recorded(tracker: StudyTracker, name: str) -> StudyRecord | None:
    try:
        return tracker.study(name)
    except StoreError:
        raise
    except UserError:
        return None


def _is_news(record: StudyRecord, there: StudyRecord | None) -> bool:
    if there is None or there.recorded < record.recorded:
        return True
    return there.recorded == record.recorded and record.status not in ("running", there.status)

"""Open the tracking store of a project, and deliver what earlier commands could not."""

from __future__ import annotations

from ablate import console
from ablate.errors import StoreError, UnreachableError, UsageError
from ablate.journal.run_journal import Journals
from ablate.tracking import JournalTracker, Project, StudyJournals, Tracker, catch_up, open_tracker


def open_store(project: Project, tracking_uri: str | None = None, *, offline: bool = False) -> Tracker:
    """Return the tracker of a project's store, without connecting yet.

    Raises:
        UsageError: The tracking URI cannot be used, or is given together with `offline`.
        StoreError: MLflow is not installed.
    """
    if not offline:
        return open_tracker(project, tracking_uri)
    if tracking_uri:
        raise UsageError("--offline uses no store, but --tracking-uri names one. Give one of them")
    return JournalTracker(project)


def open_current_store(project: Project, tracking_uri: str | None = None, *, offline: bool = False) -> Tracker:
    """Return the tracker of a project's store after delivering the journals that earlier commands left.

    Raises:
        UsageError: The tracking URI cannot be used, or is given together with `offline`.
        StoreError: MLflow is not installed.
        UnreachableError: The store does not answer.
    """
    tracker = open_store(project, tracking_uri, offline=offline)
    if not offline:
        try:
            deliver_leftovers(project, tracker)
        except UnreachableError as error:
            raise UnreachableError(f"{error}. --offline reads the local journals instead") from None
    return tracker


def deliver_leftovers(project: Project, tracker: Tracker) -> None:
    """Deliver the journals of runs and studies that earlier commands left; warn about each that the store refuses."""
    catch_up(tracker, Journals(project.journals), StudyJournals(project.studies), _warn_refused)


def _warn_refused(error: StoreError) -> None:
    """Warn that the store refused a journal."""
    console.warn(str(error))

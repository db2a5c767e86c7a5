"""Open the tracking store of a project, and deliver the records that earlier commands could not deliver."""

from __future__ import annotations

from collections.abc import Iterable

from ablate import console
from ablate.errors import StoreError, UnreachableError, UsageError, UserError
from ablate.tracking import JournalTracker, Project, Tracker, catch_up, file_store_advice, open_tracker, sqlite_path
from ablate.workflows.messages import AWAITED, delivery_warning


def open_store(
    project: Project, tracking_uri: str | None = None, *, offline: bool = False, only_reads: bool = False
) -> Tracker:
    """Return the tracker of a project's store, without connecting yet.

    If nothing is recorded in the project, a command that `only_reads` gets the empty journals, and creates no database.

    Raises:
        UsageError: The tracking URI cannot be used, or is given together with `offline`; for a command that
            `only_reads`, its database does not exist.
        StoreError: MLflow is not installed.
    """
    if not offline:
        tracker = open_tracker(project, tracking_uri, only_reads=only_reads)
        is_empty = only_reads and project.is_new and sqlite_path(tracker.uri) == project.database.absolute()
        return JournalTracker(project) if is_empty else tracker
    if tracking_uri:
        raise UsageError("--offline uses no store, but --tracking-uri names one. Give one of them")
    return JournalTracker(project)


def open_current_store(project: Project, tracking_uri: str | None = None, *, offline: bool = False) -> Tracker:
    """Return the tracker of a project's store, for reading, after delivering the journals that earlier commands left.

    Raises:
        UsageError: The tracking URI cannot be used, its database does not exist, or it is given together with
            `offline`.
        StoreError: MLflow is not installed.
        UnreachableError: The store does not answer.
    """
    tracker = open_store(project, tracking_uri, offline=offline, only_reads=True)
    if isinstance(tracker, JournalTracker):
        if project.is_new and project.old_file_store:
            console.warn_once(file_store_advice(project.old_file_store))
        warn_refused(tracker.damaged())
    else:
        try:
            warn_refused(catch_up(tracker, project))
        except UnreachableError as error:
            raise UnreachableError(f"{error}. --offline reads the local journals instead") from None
    return tracker


class DeliveryWarnings:
    """Warns on the terminal when a background delivery fails or takes long."""

    def delivery_failed(self, error: StoreError) -> None:
        """Warn that the store failed while runs train."""
        console.warning(delivery_warning(error))

    def delivery_awaited(self) -> None:
        """Explain why the command has not ended yet."""
        console.info(AWAITED)


def warn_refused(errors: Iterable[UserError]) -> None:
    """Warn once of each damaged journal, and of each record of an earlier command that the store does not accept."""
    for error in errors:
        console.warn_once(str(error))

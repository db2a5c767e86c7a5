"""A study's record on its way: into a journal on disk first, then into the store, while its runs are being made."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ablate import console
from ablate.journal.run_journal import Journals
from ablate.report.publish import publish_report
from ablate.report.tuning_report import TuningReport
from ablate.report.write import Report
from ablate.tracking import (
    BackgroundDelivery,
    JournalTracker,
    Project,
    StoreError,
    StudyJournals,
    StudyRecord,
    Tracker,
    deliver_study,
)
from ablate.workflows.messages import not_delivered
from ablate.workflows.store import warn_refused


@dataclass
class Recording:
    """The record of the study `name`. A store that fails is told once and costs nothing: a later command delivers."""

    name: str
    tracker: Tracker
    journals: Journals
    store_failed: bool = False
    """Whether the store did not take all at the last try; the user was told."""

    @property
    def project(self) -> Project:
        """The project of the journals."""
        return Project(self.journals.folder.parent.parent)

    @property
    def studies(self) -> StudyJournals:
        """Where the record is kept before the store has it."""
        return StudyJournals(self.project.studies)

    @property
    def is_delivered(self) -> bool:
        """Whether the store has the record as it is."""
        is_here = isinstance(self.tracker, JournalTracker)
        return is_here or self.studies.is_delivered(self.name, self.tracker.identity)

    def open(self, record: StudyRecord) -> None:
        """Write what is declared and planned; the store gets it with the first delivery."""
        self.studies.open(record)

    @contextmanager
    def writer(self) -> Iterator[BackgroundDelivery]:
        """Deliver the record, the journals that the delivery follows, and those of earlier commands."""
        with BackgroundDelivery(self.tracker, self.project, self, study=self.name) as writer:
            yield writer
        warn_refused(writer.refused)
        self.store_failed = writer.failure is not None

    def close(self, record: StudyRecord, status: str) -> None:
        """Write what came of a command, and how it ended, and deliver it."""
        self.studies.open(record)
        self.studies.close(self.name, status)
        if self.store_failed:
            return  # it was said; asking once more would only take time
        try:
            deliver_study(self.tracker, self.studies, self.name)
            self.tracker.close_orphans(self.journals.paths())  # what a killed command left undelivered
        except StoreError as error:
            self.delivery_failed(error)

    def delivery_failed(self, error: StoreError) -> None:
        """Warn, once, that the store does not accept deliveries."""
        if not self.store_failed:
            console.warn(not_delivered(error))
        self.store_failed = True


def write_recorded(recording: Recording, folder: Path, pool: Executor) -> Report | TuningReport:
    """Write the report of a study; what the store does not give comes from the journals."""
    journals = JournalTracker(recording.project)
    try:
        return publish_report(
            recording.name, journals if recording.store_failed else recording.tracker, folder, pool=pool
        )
    except StoreError as error:
        console.warn(not_delivered(error))
        return publish_report(recording.name, journals, folder, pool=pool)

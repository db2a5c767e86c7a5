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
    JournalTracker,
    Project,
    StoreError,
    StudyJournals,
    StudyRecord,
    Tracker,
    Writer,
    catch_up,
    deliver_study,
)
from ablate.workflows.messages import not_delivered


@dataclass
class Recording:
    """The record of the study `name`. A store that fails is told once and costs nothing: a later command delivers."""

    name: str
    tracker: Tracker
    journals: Journals
    store_failed: bool = False
    """Whether the store did not take all at the last try; the user was told."""

    @property
    def studies(self) -> StudyJournals:
        """Where the record is kept before the store has it."""
        return StudyJournals(self.journals.folder.parent / "studies")

    @property
    def is_delivered(self) -> bool:
        """Whether the store has the record as it is."""
        is_here = isinstance(self.tracker, JournalTracker)
        return is_here or self.studies.is_delivered(self.name, self.tracker.identity)

    def open(self, record: StudyRecord) -> None:
        """Write what is declared and planned; the store gets it with the first delivery."""
        self.studies.open(record)

    @contextmanager
    def writer(self) -> Iterator[Writer]:
        """Deliver the journals that the writer is told to follow, and what earlier commands left."""
        prepare = lambda: deliver_study(self.tracker, self.studies, self.name)  # noqa: E731  # the writer calls it
        tidy = lambda: catch_up(self.tracker, self.journals, self.studies, _say_refused)  # noqa: E731  # as well
        with Writer(self.tracker, self._say_not_delivered, prepare=prepare, tidy=tidy) as writer:
            yield writer
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
            self._say_not_delivered(error)

    def _say_not_delivered(self, error: StoreError) -> None:
        if not self.store_failed:
            console.warn(not_delivered(error))
        self.store_failed = True


def _say_refused(error: StoreError) -> None:
    console.warn(str(error))


def write_recorded(recording: Recording, folder: Path, pool: Executor) -> Report | TuningReport:
    """Write the report of a study; what the store does not give comes from the journals."""
    journals = JournalTracker(Project(recording.journals.folder.parent.parent))
    try:
        return publish_report(
            recording.name, journals if recording.store_failed else recording.tracker, folder, pool=pool
        )
    except StoreError as error:
        console.warn(not_delivered(error))
        return publish_report(recording.name, journals, folder, pool=pool)

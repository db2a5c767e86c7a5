"""Record a study in its journal and in the tracking store while it runs, and write its report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from ablate import console
from ablate.errors import UserError
from ablate.journal.run_journal import Journals, Run
from ablate.report.plots import render
from ablate.report.tuning_report import TuningReport
from ablate.report.write import Report
from ablate.report.write_study import write_study_report
from ablate.tracking import (
    BackgroundDelivery,
    JournalTracker,
    Project,
    StoreError,
    StudyJournals,
    StudyRecord,
    Tracker,
    attach_report,
    deliver_lost,
    deliver_study,
    lost_records,
)
from ablate.workflows.messages import AWAITED, delivery_warning
from ablate.workflows.store import warn_refused


@dataclass
class StudyRecorder:
    """Records the study `name`.

    Everything is written to a journal first. If the store fails, the user is warned once, and a later command delivers
    the journals.
    """

    name: str
    tracker: Tracker
    journals: Journals
    store_failed: bool = False
    """Whether the last delivery failed. The user has been warned."""

    @property
    def project(self) -> Project:
        """The project of the journals."""
        return Project(self.journals.folder.parent.parent)

    @property
    def studies(self) -> StudyJournals:
        """The journals of the project's studies."""
        return StudyJournals(self.project.studies)

    def has_delivered(self, runs: Iterable[Run]) -> bool:
        """Return whether the store has the current record and these runs, and has lost nothing."""
        if isinstance(self.tracker, JournalTracker):
            return True
        return (
            self.studies.is_delivered(self.name, self.tracker.identity)
            and not self.tracker.undelivered(self.journals.path(run.name) for run in runs)
            and not lost_records(self.tracker, self.project)
        )

    def open(self, record: StudyRecord) -> None:
        """Write the study's declarations and plan to its journal. The first delivery copies them to the store.

        Raises UserError if the recorded study of that name is another file.
        """
        before = self.studies.read(record.name)
        if before is not None:
            _check_same_file(before, record)
        self.studies.open(record)

    @contextmanager
    def delivery(self) -> Iterator[BackgroundDelivery]:
        """Deliver in the background: the record, the journals that the delivery follows, those of earlier commands."""
        with BackgroundDelivery(self.tracker, self.project, self, study=self.name) as delivery:
            yield delivery
        warn_refused(delivery.refused)
        self.store_failed = delivery.failure is not None

    def close(self, record: StudyRecord, status: str) -> None:
        """Write the final record and the status of the command, and deliver both."""
        self.studies.open(record)
        self.studies.close(self.name, status)
        if self.store_failed:
            return  # the user knows, and another try would only take time
        try:
            deliver_lost(self.tracker, self.project)
            deliver_study(self.tracker, self.studies, self.name)
            self.tracker.close_orphans(self.journals.paths())  # runs that a killed command did not deliver
        except StoreError as error:
            self.delivery_failed(error)

    def delivery_failed(self, error: StoreError) -> None:
        """Warn the user of a failed delivery, once."""
        if not self.store_failed:
            console.warning(delivery_warning(error))
        self.store_failed = True

    def delivery_awaited(self) -> None:
        """Explain why the command has not ended yet."""
        console.info(AWAITED)


def _check_same_file(before: StudyRecord, record: StudyRecord) -> None:
    """Raise UserError if both records name files, and the earlier one still exists and is another file.

    Older records, and those of studies without a file, name none. A file that was moved or renamed is the same.
    """
    names = [one.details.get("file") or one.details.get("declared_in") or "" for one in (before, record)]
    owner, file = map(Path, names)
    if owner.is_file() and file.is_file() and not owner.samefile(file):
        raise UserError(
            f"{record.name} is the study of {owner} in this project, and {file} would replace its report. Give it "
            f"another name: --name {file.parent.name or 'other'}-{record.name}"
        )


@dataclass
class StudyReporter:
    """Writes the report of a recorded study into `folder`. A context manager that ends its drawing process."""

    recorder: StudyRecorder
    folder: Path
    has_pool: bool = True
    """Whether a process draws a part of the figures. It imports the main program again, which may not expect that."""
    _stack: ExitStack = field(default_factory=ExitStack)
    _pool: Executor | None = None

    def prepare(self) -> None:
        """Start the process that draws the figures; it takes a second to load."""
        if self._pool is None and self.has_pool:
            self._pool = self._stack.enter_context(render.figure_pool())

    def write(self) -> Report | TuningReport:
        """Write the report. If the store fails, read the journals."""
        self.prepare()
        journals = JournalTracker(self.recorder.project)
        try:
            return self._write(journals if self.recorder.store_failed else self.recorder.tracker)
        except StoreError as error:
            console.warning(delivery_warning(error))
            return self._write(journals)

    def _write(self, tracker: Tracker) -> Report | TuningReport:
        name, project = self.recorder.name, self.recorder.project
        report = write_study_report(name, tracker, self.folder, drawing=render.Drawing(self._pool))
        attach_report(tracker, project, name, report.folder, report.note, report.metrics)
        return report

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

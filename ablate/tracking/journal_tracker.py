"""Tracking without MLflow: the journals of a project are the store."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from ablate.errors import UserError
from ablate.journal import receipt
from ablate.journal.journal_lines import DamagedJournalError, records
from ablate.journal.process_identity import is_alive
from ablate.journal.run_journal import Journal, Journals, Run, load
from ablate.journal.study_journal import StudyJournals
from ablate.journal.study_record import StudyRecord
from ablate.tracking.journal_reader import JournalReader
from ablate.tracking.project import Project
from ablate.wording import unknown


class JournalTracker(JournalReader):
    """A `Tracker` over the journals of a project. A run's identifier is the name of its journal.

    Artifacts are read from next to the journal, or from the local store's folder once they are delivered.
    """

    def __init__(self, project: Project) -> None:
        self._journals = Journals(project.journals)
        self._studies = StudyJournals(project.studies)
        self._artifacts = project.artifacts
        self._read: dict[Path, tuple[tuple[int, int], Run | None]] = {}

    @property
    def uri(self) -> str:
        """The URI of the folder of the journals."""
        return self._journals.folder.as_uri()

    @property
    def identity(self) -> str:
        """The URI of the folder of the journals."""
        return self.uri

    def deliver(self, journal: Path) -> str | None:
        """Return the name of a journal's run. A run whose process is gone is closed as killed."""
        run = load(journal)
        if run is None:
            return None
        if run.status == "running" and is_alive(run.process) is False:
            self._close(journal, "its process is gone")
        return run.name

    def undelivered(self, journals: Iterable[Path]) -> list[Path]:  # noqa: ARG002  # part of the interface
        """Return an empty list: the journals are the store."""
        return []

    def lost(self, journals: Iterable[Path]) -> list[Path]:  # noqa: ARG002  # part of the interface
        """Return an empty list: the journals are the store."""
        return []

    def damaged(self) -> list[DamagedJournalError]:
        """Read all journals, and return the errors of the damaged ones, which the other methods skip."""
        for path in self._journals.paths():
            self._load(path)
        return list(self._journals.damaged.values())

    def delete(self, run: Run) -> None:
        """Delete a run's journal, artifacts and checkpoint."""
        path = self._path(run)
        path.unlink()
        receipt.receipt_path(path).unlink(missing_ok=True)
        journal = Journal(path)
        for folder in (journal.files, journal.checkpoint, journal.working_folder):
            shutil.rmtree(folder, ignore_errors=True)

    def close_orphans(self, journals: Iterable[Path]) -> list[str]:
        """Close every open run whose process is gone as killed, and return their names."""
        closed = []
        for path in journals:
            run = self._journals.read(path)
            if run and run.status == "running" and is_alive(run.process) is False:
                closed += [run.name] if self._close(path, "its process is gone") else []
        return closed

    def close_as_killed(self, run: Run) -> None:
        """Close an open run as killed."""
        self._close(self._path(run), "closed by `ablate doctor`: no heartbeat")

    def open_study(self, study: StudyRecord) -> str:
        """Record a study's declarations and plan."""
        self._studies.open(study)
        return study.name

    def close_study(self, name: str, status: str) -> None:
        """Record the status of a study."""
        self.study(name)
        self._studies.close(name, status)

    def study(self, name: str) -> StudyRecord:
        """Return the record of a study."""
        found = self._studies.read(name)
        if found is None:
            raise self._studies.damage(name) or UserError(unknown("study", name, self._studies.names()))
        return found

    def studies(self) -> list[str]:
        """Return the names of the recorded studies."""
        return list(self._studies.names())

    def confirm_study(self, name: str, size: int) -> str:  # noqa: ARG002  # part of the interface
        """Return the name of a study: its journal is the store."""
        return name

    def attach_report(
        self,
        name: str,
        folder: Path | None,
        note: str,
        metrics: Mapping[str, float],
        time: float | None = None,  # noqa: ARG002  # part of the interface
        number: int | None = None,  # noqa: ARG002
    ) -> None:
        """Record the report of a study; its files stay in place. One without files is in the journal already."""
        self.study(name)
        if folder:
            self._studies.attach_report(name, folder, note, metrics)

    def _journal_paths(self) -> Iterable[Path]:
        return self._journals.paths()

    def _journal_path(self, name: str) -> Path | None:
        path = self._journals.path(name)
        return path if path.is_file() else None

    def _identifier(self, name: str) -> str:
        return name

    def _load(self, journal: Path) -> Run | None:
        """Read a journal if it has changed. A run whose process is gone counts as killed; a damaged journal is None."""
        found = journal.lstat()
        stamp = (found.st_size, found.st_mtime_ns)
        if journal not in self._read or self._read[journal][0] != stamp:
            self._read[journal] = stamp, self._journals.read(journal)
        run = self._read[journal][1]
        if run and run.status == "running" and is_alive(run.process) is False:
            return replace(run, status="killed", ended=records(journal)[-1]["time"])
        return run

    def _folder(self, journal: Path) -> Path:
        waiting = journal.with_suffix(".files")
        return waiting if waiting.is_dir() else delivered_files(journal, self._artifacts) or waiting

    def _close(self, journal: Path, reason: str) -> bool:
        """Append the end of an open run, unless another process continues it."""
        key, data, _ = journal.stem.split("-")
        try:
            with self._journals.lock(key, data, timeout=0):
                run = load(journal)
                if run is None or run.status != "running":
                    return False
                with Journal(journal) as open_journal:
                    open_journal.write("end", status="killed", error=reason)
        except UserError:
            return False
        return True


def delivered_files(journal: Path, artifacts: Path) -> Path | None:
    """Return the folder of a run's artifacts in the local store, or None if they are not delivered."""
    run_id = receipt.run_id(journal) or ""
    folder = artifacts / run_id / "artifacts"
    is_link = folder.is_symlink() or folder.parent.is_symlink()
    return folder if run_id.isalnum() and folder.is_dir() and not is_link else None

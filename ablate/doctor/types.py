"""The input and the output of a check."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from ablate.errors import UserError
from ablate.journal.journal_lines import DamagedJournalError, NewerJournalError
from ablate.journal.run_journal import Journals, Run
from ablate.journal.study_journal import StudyJournals
from ablate.tracking import MlflowTracker, Project, open_tracker, sqlite_path


@dataclass(frozen=True)
class Finding:
    """The result of a check: `ok`, a `note` that is not urgent, or a `problem`; and the remedy."""

    check: str
    state: Literal["ok", "note", "problem"]
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class DoctorContext:
    """The project to check, and its tracking URI (None: the default)."""

    project: Project
    tracking_uri: str | None = None

    @cached_property
    def uri(self) -> str:
        """The URI of the store. Raises UsageError if it cannot be used."""
        return self.project.tracking_uri(self.tracking_uri)

    @cached_property
    def database(self) -> Path | None:
        """The database file of the store, or None for a server."""
        return sqlite_path(self.uri)

    @property
    def journals(self) -> Journals:
        """The journals of the project."""
        return Journals(self.project.journals)

    @property
    def studies(self) -> StudyJournals:
        """The records of studies of the project."""
        return StudyJournals(self.project.studies)

    @property
    def has_mlflow(self) -> bool:
        """Whether MLflow is installed."""
        return find_spec("mlflow") is not None

    @property
    def has_store(self) -> bool:
        """Whether MLflow is installed and a local store exists; a server is not contacted."""
        return self.has_mlflow and (self.database is None or self.database.exists())

    def tracker(self) -> MlflowTracker:
        """Return a tracker, without connecting yet."""
        return open_tracker(self.project, self.tracking_uri)

    def attempts(self) -> list[tuple[Path, Run | None]]:
        """Return the readable journals, each with its run (None: its first line is missing)."""
        return [(path, run) for path, run, damage in self._read() if damage is None]

    def damaged(self) -> list[tuple[Path, str]]:
        """Return the damaged journals, without those of a newer version, and the reasons."""
        return [
            (path, damage.reason)
            for path, _, damage in self._read()
            if damage is not None and not isinstance(damage, NewerJournalError)
        ]

    def damaged_studies(self) -> dict[str, UserError]:
        """Return the errors of the damaged records of studies, by name of the study."""
        found = {name: self.studies.damage(name) for name in self.studies.names()}
        return {name: damage for name, damage in found.items() if damage}

    def newer(self) -> list[Path]:
        """Return the journals that a newer version of this package wrote."""
        return [path for path, _, damage in self._read() if isinstance(damage, NewerJournalError)]

    def _read(self) -> list[tuple[Path, Run | None, DamagedJournalError | None]]:
        journals = self.journals
        runs = [(path, journals.read(path)) for path in journals.paths()]
        return [(path, run, journals.damaged.get(path)) for path, run in runs]

"""A tracker without a store, for tests: it reads the journals and keeps nothing after the process."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
import weakref
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ablate.errors import UserError
from ablate.journal.process_identity import is_alive
from ablate.journal.run_journal import Run, load
from ablate.journal.study_record import StudyRecord
from ablate.tracking.journal_reader import JournalReader
from ablate.wording import unknown


class MemoryTracker(JournalReader):
    """A `Tracker` over `journals`, whose files stay in place."""

    uri = "memory"
    identity = "memory"

    def __init__(self, journals: Iterable[Path] = ()) -> None:
        self._journals: dict[str, Path] = {}
        self._closed: dict[str, float] = {}
        self._studies: dict[str, StudyRecord] = {}
        self.reports: dict[str, tuple[Path, str, Mapping[str, float]]] = {}
        for journal in journals:
            self.deliver(journal)

    def deliver(self, journal: Path) -> str | None:
        """Note a journal; it is read whenever its run is needed."""
        run = load(journal)
        if run is None:
            return None
        self._journals[run.name] = journal
        if run.status == "running" and is_alive(run.process) is False:
            self._closed.setdefault(run.name, time.time())
        else:
            self._closed.pop(run.name, None)
        return self._identifier(run.name)

    def lost(self, journals: Iterable[Path]) -> list[Path]:
        """Return an empty list: nothing is lost."""
        return []

    def undelivered(self, journals: Iterable[Path]) -> list[Path]:
        """Return the journals that were not delivered yet, or whose run is still open."""
        open_runs = {run.name for run in self._loaded() if run.status == "running"}
        return [path for path in journals if path.stem not in self._journals or path.stem in open_runs]

    def delete(self, run: Run) -> None:
        """Remove a run."""
        del self._journals[run.name]

    def close_orphans(self, journals: Iterable[Path]) -> list[str]:
        """Deliver the journals of runs that are over and return the names of those whose process is gone."""
        before = set(self._closed)
        for journal in journals:
            with suppress(UserError):  # a damaged journal
                run = load(journal)
                if run and (run.status != "running" or is_alive(run.process) is False):
                    self.deliver(journal)
        return sorted(set(self._closed) - before)

    def close_as_killed(self, run: Run) -> None:
        """Mark an open run as killed."""
        self._closed[run.name] = time.time()

    def open_study(self, study: StudyRecord) -> str:
        """Record a study's declarations and plan."""
        before = self._studies.get(study.name)
        self._studies[study.name] = study.merged_with(before) if before else study
        return study.name

    def close_study(self, name: str, status: str) -> None:
        """Record the status of a study."""
        self._studies[name] = replace(self.study(name), status=status)

    def study(self, name: str) -> StudyRecord:
        """Return the record of a study."""
        if name not in self._studies:
            raise UserError(unknown("study", name, self._studies))
        return self._studies[name]

    def experiments(self) -> list[str]:
        """Return the names of the experiments."""
        return sorted({run.study for run in self.runs()})

    def studies(self) -> list[str]:
        """Return the names of the recorded studies."""
        return list(self._studies)

    def confirm_study(self, name: str, size: int) -> str:
        """Return the identifier of a study."""
        return name

    def attach_report(
        self,
        name: str,
        folder: Path | None,
        note: str,
        metrics: Mapping[str, float],
        time: float | None = None,
        number: int | None = None,
    ) -> None:
        """Keep a copy of the files of a report."""
        self.study(name)
        kept = Path(tempfile.mkdtemp(prefix="ablate-report-"))
        weakref.finalize(self, shutil.rmtree, kept, ignore_errors=True)
        if folder:
            shutil.copytree(folder, kept, dirs_exist_ok=True)
        self.reports[name] = (kept, note, dict(metrics))

    def _journal_paths(self) -> Iterable[Path]:
        return self._journals.values()

    def _journal_path(self, name: str) -> Path | None:
        return self._journals.get(name)

    def _identifier(self, name: str) -> str:
        return hashlib.sha256(name.encode()).hexdigest()[:32]

    def _load(self, journal: Path) -> Run | None:
        run = load(journal)
        if run is None or run.name not in self._closed or run.ended is not None:
            return run
        return replace(run, status="killed", ended=self._closed[run.name])

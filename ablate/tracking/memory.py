"""Runs and studies without a store: read from the journals themselves, nothing kept beyond the process."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from ablate.errors import UserError
from ablate.journal import Run, load
from ablate.liveness import is_alive
from ablate.tracking.contract import StudyRecord, choose, title
from ablate.tracking.studies import merged


class MemoryTracker:
    """A `Tracker` for tests and for work without MLflow, over `journals`, whose files stay in place."""

    uri = "memory"

    def __init__(self, journals: Iterable[Path] = ()) -> None:
        self._journals: dict[str, Path] = {}
        self._closed: dict[str, float] = {}
        self._studies: dict[str, StudyRecord] = {}
        self.reports: dict[str, tuple[Path, str, Mapping[str, float]]] = {}
        for journal in journals:
            self.deliver(journal)

    def deliver(self, journal: Path) -> str | None:
        """Take up a journal; it is read again whenever its run is asked for."""
        run = load(journal)
        if run is None:
            return None
        self._journals[run.name] = journal
        if run.status == "running" and is_alive(run.process) is False:
            self._closed.setdefault(run.name, time.time())
        else:
            self._closed.pop(run.name, None)
        return _identifier(run.name)

    def beat(self, journal: Path) -> None:
        """Do nothing: the journal's own process is the sign of life."""

    def runs(self, experiment: str | None = None) -> list[Run]:
        """Return the runs of one experiment, or all, oldest first, without histories."""
        runs = [replace(run, history=()) for run in self._loaded() if experiment in (None, run.study)]
        return sorted(runs, key=lambda run: run.started)

    def history(self, run: Run) -> tuple[Mapping[str, float], ...]:
        """Return a row for each epoch: `step` and the metrics."""
        found = load(self._path(run))
        return found.history if found else ()

    def find(self, text: str) -> Run:
        """Return the run that `text` names, with its history."""
        runs = self._loaded()
        return choose(text, [(_identifier(run.name), run) for run in runs], lambda: [title(run) for run in runs])[1]

    def identifier(self, run: Run) -> str:
        """Return 32 hex digits that name a run."""
        return _identifier(self._path(run).stem)

    def artifact_uri(self, run: Run) -> str:
        """Return the address of a run's artifacts."""
        return self._path(run).with_suffix(".files").as_uri()

    def artifact(self, run: Run, name: str) -> Path:
        """Return the path of an artifact, or raise UserError with those that there are."""
        folder = self._path(run).with_suffix(".files")
        listing = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        if Path(name).parts[0] not in listing or ".." in Path(name).parts:
            raise UserError(f"the run {title(run)} has no artifact {name!r} (it has: {', '.join(listing) or 'none'})")
        return folder / name

    def artifacts(self, runs: Iterable[Run], name: str) -> dict[str, Path]:
        """Return paths of an artifact by the name of the run, of those runs that have it."""
        found = {run.name: self._path(run).with_suffix(".files") / name for run in runs}
        return {run: path for run, path in found.items() if path.is_file()}

    def delete(self, run: Run) -> None:
        """Forget a run."""
        del self._journals[run.name]

    def orphans(self, older_than: float) -> list[Run]:
        """Return the open runs of other hosts whose journal has not changed for `older_than` seconds."""
        silent_since = time.time() - older_than
        open_runs = [run for run in self._loaded() if run.status == "running" and is_alive(run.process) is None]
        return [run for run in open_runs if self._journals[run.name].stat().st_mtime < silent_since]

    def close_orphans(self, journals: Iterable[Path]) -> list[str]:
        """Take up the journals and return the names of the runs whose process is provably dead."""
        before = set(self._closed)
        for journal in journals:
            self.deliver(journal)
        return sorted(set(self._closed) - before)

    def close_as_killed(self, run: Run) -> None:
        """Hold an open run for killed."""
        self._closed[run.name] = time.time()

    def open_study(self, study: StudyRecord) -> str:
        """Record what a study declares and plans."""
        before = self._studies.get(study.name)
        self._studies[study.name] = merged(study, before) if before else study
        return study.name

    def close_study(self, name: str, status: str) -> None:
        """Record how a study's command ended."""
        self._studies[name] = replace(self.study(name), status=status)

    def study(self, name: str) -> StudyRecord:
        """Return what a study recorded."""
        if name not in self._studies:
            known = ", ".join(self._studies) or "none yet"
            raise UserError(f"there is no study {name!r} in the store (known: {known})")
        return self._studies[name]

    def attach_report(self, name: str, folder: Path, note: str, metrics: Mapping[str, float]) -> None:
        """Keep a copy of the files of a report."""
        self.study(name)
        kept = Path(tempfile.mkdtemp(prefix="ablate-report-"))
        shutil.copytree(folder, kept, dirs_exist_ok=True)
        self.reports[name] = (kept, note, dict(metrics))

    def _loaded(self) -> list[Run]:
        found = [load(path) for path in self._journals.values()]
        return [self._as_closed(run) for run in found if run]

    def _as_closed(self, run: Run) -> Run:
        if run.name not in self._closed or run.ended is not None:
            return run
        return replace(run, status="killed", ended=self._closed[run.name])

    def _path(self, run: Run) -> Path:
        if run.name not in self._journals:
            raise UserError(f"the run {run.name} is not here: bring it in with `ablate sync`")
        return self._journals[run.name]


def _identifier(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:32]

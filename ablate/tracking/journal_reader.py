"""Read runs from journals: the part that all trackers without a database share."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ablate.errors import UserError
from ablate.journal.journal_lines import records
from ablate.journal.process_identity import is_alive
from ablate.journal.run_journal import Run, load
from ablate.tracking.run_names import find_run, run_title, unknown_run
from ablate.wording import unknown


class JournalReader:
    """The reading half of a `RunTracker`. Subclasses define the journals and the identifiers of runs."""

    def _journal_paths(self) -> Iterable[Path]:
        raise NotImplementedError

    def _journal_path(self, name: str) -> Path | None:
        """Return the path of a run's journal, or None if it does not exist."""
        raise NotImplementedError

    def _load(self, journal: Path) -> Run | None:
        return load(journal)

    def _identifier(self, name: str) -> str:
        raise NotImplementedError

    def _folder(self, journal: Path) -> Path:
        """Return the folder of a run's artifacts."""
        return journal.with_suffix(".files")

    def heartbeat(self, journal: Path) -> None:
        """Do nothing: the journal names the process of the run."""

    def runs(self, experiment: str | None = None, condition: str = "") -> list[Run]:
        """Return the runs of one experiment, or all, oldest first, without histories."""
        if condition:
            raise UserError("Filters of runs need MLflow. Omit --filter, or select the runs with --where")
        runs = [replace(run, history=()) for run in self._loaded() if experiment in (None, run.study)]
        return sorted(runs, key=lambda run: run.started)

    def experiments(self) -> list[str]:
        """Return the names of the studies, and that of single runs if there are any."""
        return sorted({run.study for run in self._loaded()})

    def history(self, run: Run, names: Sequence[str] = ()) -> tuple[Mapping[str, float], ...]:
        """Return one row per epoch: `step` and the metrics, of those in `names` if any are given."""
        found = self._load(self._path(run))
        rows = found.history if found else ()
        if not names:
            return rows
        return tuple({name: row[name] for name in ("step", *names) if name in row} for row in rows)

    def find(self, text: str) -> Run:
        """Return the run that `text` names, with its history."""
        runs = self._loaded()
        named = [(self._identifier(run.name), run) for run in runs]
        found = find_run(text, named)
        if found is None:
            raise unknown_run(text, [run_title(run) for run in runs])
        return found[1]

    def identifier(self, run: Run) -> str:
        """Return the identifier of a run."""
        return self._identifier(self._path(run).stem)

    def run_environment(self, identifier: str) -> Mapping[str, str]:
        """Return the identifier only: there is no store for other programs to log to."""
        return {"MLFLOW_RUN_ID": identifier}

    def artifact_uri(self, run: Run) -> str:
        """Return the URI of a run's artifacts."""
        return self._folder(self._path(run)).as_uri()

    def artifact(self, run: Run, name: str) -> Path:
        """Return the path of an artifact. Raises UserError if it does not exist."""
        folder = self._folder(self._path(run))
        listing = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        if Path(name).parts[0] not in listing or ".." in Path(name).parts:
            raise UserError(f"Run {run_title(run)}: {unknown('artifact', name, listing)}")
        return folder / name

    def artifacts(self, runs: Iterable[Run], name: str) -> dict[str, Path]:
        """Return paths of an artifact, by name of the run, for the runs that have it."""
        found = {run.name: self._folder(self._path(run)) / name for run in runs}
        return {run: path for run, path in found.items() if path.is_file()}

    def orphans(self, older_than: float) -> list[Run]:
        """Return the open runs of other hosts without a record in the last `older_than` seconds."""
        silent_since = time.time() - older_than
        open_runs = [run for run in self._loaded() if run.status == "running" and is_alive(run.process) is None]
        return [run for run in open_runs if records(self._path(run))[-1]["time"] < silent_since]

    def _loaded(self) -> list[Run]:
        found = [self._load(path) for path in self._journal_paths()]
        return [run for run in found if run]

    def _path(self, run: Run) -> Path:
        path = self._journal_path(run.name)
        if path is None:
            raise UserError(f"Run {run.name} is not on this machine. Import it with `ablate sync`")
        return path

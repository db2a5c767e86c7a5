"""The tracker of an MLflow tracking store."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import time as _now

from ablate.errors import StoreError, UnreachableError, UserError
from ablate.journal import receipt
from ablate.journal.process_identity import is_alive
from ablate.journal.run_journal import Run
from ablate.journal.study_journal import RecordedReport
from ablate.journal.study_record import StudyRecord
from ablate.redaction import mask_uri
from ablate.tracking.mlflow_backend import delivered_size, delivery, runs_view, schema, studies
from ablate.tracking.mlflow_backend.records import Batch, instant, milliseconds
from ablate.tracking.mlflow_backend.runs_view import RunsView
from ablate.tracking.mlflow_backend.store import Store
from ablate.tracking.mlflow_backend.stored_run import StoredRun, history_rows, to_run
from ablate.tracking.run_names import find_run, run_title, unknown_run
from ablate.wording import unknown

_SEARCHABLE = re.compile(r"[\w+./\-]+")
_MATCHES = 20
_ABLATE_RUNS = schema.where_tag(schema.KIND, schema.RUN)


class MlflowTracker:
    """A `Tracker` for the MLflow store at `uri`. MLflow is imported and connected when it is first used.

    `artifacts` is the artifact folder of databases other than SQLite. Servers and SQLite databases have their own.
    """

    def __init__(self, uri: str, artifacts: Path) -> None:
        self._store = Store(uri, artifacts)
        self._identifiers: dict[tuple[str, int], str] = {}
        self._folders: dict[tuple[str, int], Path] = {}

    @property
    def uri(self) -> str:
        """The URI of the store, with passwords masked."""
        return mask_uri(self._store.uri)

    @property
    def identity(self) -> str:
        """See `Tracker.identity`."""
        return self._store.identity

    def deliver(self, journal: Path) -> str | None:
        """Deliver the new records of a journal."""
        return delivery.deliver(self._store, journal)

    def undelivered(self, journals: Iterable[Path]) -> list[Path]:
        """Return the journals that are not completely delivered, and those of open runs."""
        return delivery.undelivered(self._store, journals)

    def lost(self, journals: Iterable[Path]) -> list[Path]:
        """Return the delivered journals that an SQLite database lacks, or of which it has an earlier part."""
        return delivered_size.lost(self._store, journals)

    def heartbeat(self, journal: Path) -> None:
        """Record that the run of a delivered journal is still alive."""
        known = receipt.read(journal, self._store.identity)
        if known and not known.closed:
            self._store.log(known.run_id, Batch(tags={schema.HEARTBEAT: instant(_now())}))

    def runs(self, experiment: str | None = None, condition: str = "") -> list[Run]:
        """Return the runs of one experiment, or all runs of ablate, oldest first, without histories."""
        experiments = self._store.experiments()
        if experiment is None:
            return [self._run(stored) for stored in self._store.search(experiments, _ABLATE_RUNS)]
        chosen = {number: name for number, name in experiments.items() if name == experiment}
        try:
            found = self._store.search(chosen, condition)
        except UnreachableError:
            raise
        except StoreError as error:
            if not condition:
                raise
            reason = str(error).partition(" failed: ")[2]
            raise UserError(f"MLflow cannot read the filter {condition!r}: {reason or error}") from None
        return [self._run(stored) for stored in found if stored.tags.get(schema.KIND) != schema.STUDY]

    def experiments(self) -> list[str]:
        """Return the names of the experiments."""
        return list(self._store.experiments().values())

    def history(self, run: Run, names: Sequence[str] = ()) -> tuple[Mapping[str, float], ...]:
        """Return one row per epoch: `step` and the metrics, of those in `names` if any are given."""
        if names:
            return history_rows(self._store.points(self.identifier(run), names))
        stored = self._store.get(self.identifier(run))
        return self._history(stored) if stored else ()

    def find(self, text: str) -> Run:
        """Return the run that `text` names, with its history."""
        experiments = self._store.experiments()
        found: list[StoredRun] = []
        if _SEARCHABLE.fullmatch(text):
            name = f"tags.`{schema.NAME}` LIKE '{text}%'"
            found += self._store.search(experiments, name, newest=True, limit=_MATCHES)
            found += self._store.search(experiments, f"attributes.run_id LIKE '{text}%'", newest=True, limit=_MATCHES)
        if quote := next((mark for mark in "'\"" if mark not in text), ""):  # other programs name runs in any way
            name = f"attributes.run_name = {quote}{text}{quote}"
            found += self._store.search(experiments, name, newest=True, limit=_MATCHES)
        candidates = {run.id: run for run in found if run.tags.get(schema.KIND) != schema.STUDY}
        pairs = [(stored.id, self._run(stored)) for stored in candidates.values()]
        match = find_run(text, pairs)
        if match is None:
            raise unknown_run(text, self._newest(experiments))
        identifier, run = match
        return replace(run, history=self._history(candidates[identifier]))

    def identifier(self, run: Run) -> str:
        """Return MLflow's identifier of a run."""
        if _identity(run) not in self._identifiers:
            condition = schema.where_tag(schema.NAME, run.name)
            for stored in self._store.search(self._store.experiments(), condition):
                self._run(stored)
        if _identity(run) not in self._identifiers:
            raise UserError(f"Run {run.name} is not in the store {self.uri}. Deliver it with `ablate sync`")
        return self._identifiers[_identity(run)]

    def run_environment(self, identifier: str) -> Mapping[str, str]:
        """Return the environment variables with which MLflow in another process resumes a run."""
        return self._store.run_environment(identifier)

    def artifact_uri(self, run: Run) -> str:
        """Return the URI of a run's artifacts."""
        stored = self._store.get(self.identifier(run))
        return stored.artifacts if stored else ""

    def artifact(self, run: Run, name: str) -> Path:
        """Return a local path of an artifact. Raises UserError if it does not exist."""
        identifier = self.identifier(run)
        listing = self._store.listing(identifier)
        if Path(name).parts[0] not in listing or ".." in Path(name).parts:
            raise UserError(f"Run {run_title(run)}: {unknown('artifact', name, listing)}")
        return self._store.download(identifier, name)

    def artifacts(self, runs: Iterable[Run], name: str) -> dict[str, Path]:
        """Return local paths of an artifact, by name of the run, for the runs that have it."""
        found = {run.name: self._artifact_if_there(run, name) for run in runs}
        return {run: path for run, path in found.items() if path is not None}

    def _artifact_if_there(self, run: Run, name: str) -> Path | None:
        self.identifier(run)
        folder = self._folders.get(_identity(run))
        if folder and folder.is_dir():  # on this machine: no request to the store
            return folder / name if (folder / name).is_file() else None
        try:
            return self.artifact(run, name)
        except UserError:
            return None

    def delete(self, run: Run) -> None:
        """Delete a run from the store, with its artifacts if they are on this machine."""
        self._store.delete(self.identifier(run))
        del self._identifiers[_identity(run)]

    def orphans(self, older_than: float) -> list[Run]:
        """Return the open runs of other hosts without a heartbeat in the last `older_than` seconds."""
        silent_since = _now() - older_than
        found = [run for run in delivery.open_runs(self._store) if run.tags.get(schema.KIND) == schema.RUN]
        runs = [self._run(stored) for stored in found if stored.last_heartbeat < silent_since]
        return [run for run in runs if is_alive(run.process) is None]

    def open_runs(self) -> list[Run]:
        """Return the runs and studies of ablate that are marked RUNNING."""
        return [self._run(stored) for stored in delivery.open_runs(self._store)]

    def studies(self) -> list[str]:
        """Return the names of the recorded studies."""
        return studies.names(self._store)

    def close_orphans(self, journals: Iterable[Path]) -> list[str]:
        """Close every open run whose process is gone as killed, and return their names."""
        return delivery.close_orphans(self._store, journals)

    def close_as_killed(self, run: Run) -> None:
        """Close an open run as killed, at the time of its last heartbeat."""
        stored = self._store.get(self.identifier(run))
        if stored:
            delivery.close_as_killed(self._store, stored.id, stored.last_heartbeat)

    def open_study(self, study: StudyRecord) -> str:
        """Record a study's declarations and plan, and return the identifier of its parent run."""
        return studies.open_study(self._store, study)

    def close_study(self, name: str, status: str) -> None:
        """Record the status of a study."""
        studies.close_study(self._store, name, status)

    def study(self, name: str) -> StudyRecord:
        """Return the record of a study."""
        return studies.read_study(self._store, name)

    def confirm_study(self, name: str, size: int) -> str:
        """Record that `size` bytes of a study's journal are delivered, and return MLflow's identifier of the study."""
        return studies.confirm_study(self._store, name, size)

    def attach_report(
        self,
        name: str,
        folder: Path | None,
        note: str,
        metrics: Mapping[str, float],
        time: float | None = None,
        number: int | None = None,
    ) -> None:
        """Store the files of a report with its study, and its summary as the experiment's description."""
        number = studies.next_report(self._store, name) if number is None else number
        studies.attach_report(self._store, name, RecordedReport(folder, note, metrics, time or _now(), number))

    def save_view(self, view: RunsView) -> str:
        """Save a view of runs for the MLflow UI, and return its page, relative to the address of the UI."""
        return runs_view.save_view(self._store, view)

    def _newest(self, experiments: Mapping[str, str]) -> list[str]:
        found = self._store.search(experiments, _ABLATE_RUNS, newest=True, limit=5)
        return [run_title(self._run(stored)) for stored in found]

    def _run(self, stored: StoredRun) -> Run:
        run = to_run(stored)
        self._identifiers[_identity(run)] = stored.id
        if stored.folder:
            self._folders[_identity(run)] = stored.folder
        return run

    def _history(self, stored: StoredRun) -> tuple[Mapping[str, float], ...]:
        return history_rows(self._store.points(stored.id, stored.metrics_by_epoch))


def _identity(run: Run) -> tuple[str, int]:
    """Return what identifies a run: runs of two machines may have the same name, but not the same start."""
    return run.name, milliseconds(run.started)

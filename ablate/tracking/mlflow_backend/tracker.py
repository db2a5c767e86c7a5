"""Runs and studies in an MLflow tracking store."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from ablate.errors import UserError
from ablate.journal import receipt
from ablate.journal.process_identity import is_alive
from ablate.journal.run_journal import Run
from ablate.journal.study_record import StudyRecord
from ablate.redaction import mask_uri
from ablate.tracking.mlflow_backend import delivery, studies
from ablate.tracking.mlflow_backend.records import Batch, instant, milliseconds
from ablate.tracking.mlflow_backend.store import Store
from ablate.tracking.mlflow_backend.stored_run import StoredRun, rows, run_of
from ablate.tracking.run_names import find_run, run_title
from ablate.wording import unknown

_SEARCHABLE = re.compile(r"[\w+./\-]+")
_ENOUGH = 20


class MlflowTracker:
    """A `Tracker` whose store is MLflow's, at `uri`; nothing is imported or connected before it is needed.

    `artifacts` is where files go if neither a server nor an SQLite file says otherwise.
    """

    def __init__(self, uri: str, artifacts: Path) -> None:
        self._store = Store(uri, artifacts)
        self._identifiers: dict[tuple[str, int], str] = {}
        self._folders: dict[tuple[str, int], Path] = {}

    @property
    def uri(self) -> str:
        """The address of the store, with passwords masked."""
        return mask_uri(self._store.uri)

    @property
    def identity(self) -> str:
        """What tells this store from any other."""
        return self._store.identity

    def deliver(self, journal: Path) -> str | None:
        """Bring what is new in a journal into the store."""
        return delivery.deliver(self._store, journal)

    def undelivered(self, journals: Iterable[Path]) -> list[Path]:
        """Return the journals with something that the store does not have yet, or whose run is still open."""
        return delivery.undelivered(self._store, journals)

    def heartbeat(self, journal: Path) -> None:
        """Say that the run of a journal that was delivered before is still alive."""
        known = receipt.read(journal, self._store.identity)
        if known and not known.closed:
            self._store.log(known.run_id, Batch(tags={"ablate.heartbeat": instant(time.time())}))

    def runs(self, experiment: str | None = None) -> list[Run]:
        """Return the runs of one experiment, or all that ablate made, oldest first, without histories."""
        experiments = self._store.experiments()
        if experiment is None:
            return [self._run(stored) for stored in self._store.search(experiments, "tags.`ablate.kind` = 'run'")]
        chosen = {number: name for number, name in experiments.items() if name == experiment}
        found = self._store.search(chosen)
        return [self._run(stored) for stored in found if stored.tags.get("ablate.kind") != "study"]

    def history(self, run: Run) -> tuple[Mapping[str, float], ...]:
        """Return a row for each epoch: `step` and the metrics."""
        stored = self._store.get(self.identifier(run))
        return self._history(stored) if stored else ()

    def find(self, text: str) -> Run:
        """Return the run that `text` names, with its history."""
        experiments = self._store.experiments()
        found: list[StoredRun] = []
        if _SEARCHABLE.fullmatch(text):
            found += self._store.search(experiments, f"tags.`ablate.run` LIKE '{text}%'", newest=True, limit=_ENOUGH)
            found += self._store.search(experiments, f"attributes.run_id LIKE '{text}%'", newest=True, limit=_ENOUGH)
            found += self._store.search(experiments, f"attributes.run_name = '{text}'", newest=True, limit=_ENOUGH)
        candidates = {run.id: run for run in found if run.tags.get("ablate.kind") != "study"}
        pairs = [(stored.id, self._run(stored)) for stored in candidates.values()]
        identifier, run = find_run(text, pairs, lambda: self._newest(experiments))
        return replace(run, history=self._history(candidates[identifier]))

    def identifier(self, run: Run) -> str:
        """Return MLflow's identifier of a run."""
        if _one(run) not in self._identifiers:
            condition = f"tags.`ablate.run` = '{run.name}'"
            for stored in self._store.search(self._store.experiments(), condition):
                self._run(stored)
        if _one(run) not in self._identifiers:
            raise UserError(f"the run {run.name} is not in the store {self.uri}: bring it in with `ablate sync`")
        return self._identifiers[_one(run)]

    def run_environment(self, identifier: str) -> Mapping[str, str]:
        """Return the environment variables by which MLflow in another process finds the run."""
        return self._store.run_environment(identifier)

    def artifact_uri(self, run: Run) -> str:
        """Return the address of a run's artifacts."""
        stored = self._store.get(self.identifier(run))
        return stored.artifacts if stored else ""

    def artifact(self, run: Run, name: str) -> Path:
        """Return a local path of an artifact, or raise UserError with those that there are."""
        identifier = self.identifier(run)
        listing = self._store.listing(identifier)
        if Path(name).parts[0] not in listing or ".." in Path(name).parts:
            raise UserError(f"Run {run_title(run)}: {unknown('artifact', name, listing)}")
        return self._store.download(identifier, name)

    def artifacts(self, runs: Iterable[Run], name: str) -> dict[str, Path]:
        """Return local paths of an artifact by the name of the run, of those runs that have it."""
        found = {run.name: self._artifact_if_there(run, name) for run in runs}
        return {run: path for run, path in found.items() if path is not None}

    def _artifact_if_there(self, run: Run, name: str) -> Path | None:
        self.identifier(run)
        folder = self._folders.get(_one(run))
        if folder and folder.is_dir():  # on this machine: no question to the store
            return folder / name if (folder / name).is_file() else None
        try:
            return self.artifact(run, name)
        except UserError:
            return None

    def delete(self, run: Run) -> None:
        """Remove a run from the store, with its artifacts where they lie on this machine."""
        self._store.delete(self.identifier(run))
        del self._identifiers[_one(run)]

    def orphans(self, older_than: float) -> list[Run]:
        """Return the open runs of other hosts whose last sign of life is more than `older_than` seconds old."""
        silent_since = time.time() - older_than
        found = [run for run in delivery.open_runs(self._store) if run.tags.get("ablate.kind") == "run"]
        runs = [self._run(stored) for stored in found if stored.last_sign < silent_since]
        return [run for run in runs if is_alive(run.process) is None]

    def open_runs(self) -> list[Run]:
        """Return the runs and studies of ours that the store holds for running."""
        return [self._run(stored) for stored in delivery.open_runs(self._store)]

    def studies(self) -> list[str]:
        """Return the names of the studies that were recorded."""
        return studies.names(self._store)

    def close_orphans(self, journals: Iterable[Path]) -> list[str]:
        """Close as killed every open run whose process is provably dead, and return their names."""
        return delivery.close_orphans(self._store, journals)

    def close_as_killed(self, run: Run) -> None:
        """Close an open run as killed, at its last sign of life."""
        stored = self._store.get(self.identifier(run))
        if stored:
            delivery.close_as_killed(self._store, stored.id, stored.last_sign)

    def open_study(self, study: StudyRecord) -> str:
        """Record what a study declares and plans, and return the identifier of its parent run."""
        return studies.open_study(self._store, study)

    def close_study(self, name: str, status: str) -> None:
        """Record how a study's command ended."""
        studies.close_study(self._store, name, status)

    def study(self, name: str) -> StudyRecord:
        """Return what a study recorded."""
        return studies.read_study(self._store, name)

    def attach_report(self, name: str, folder: Path, note: str, metrics: Mapping[str, float]) -> None:
        """Keep the files of a report with its study, and its summary as the experiment's description."""
        studies.attach_report(self._store, name, folder, note, metrics)

    def _newest(self, experiments: Mapping[str, str]) -> list[str]:
        found = self._store.search(experiments, "tags.`ablate.kind` = 'run'", newest=True, limit=5)
        return [run_title(self._run(stored)) for stored in found]

    def _run(self, stored: StoredRun) -> Run:
        run = run_of(stored)
        self._identifiers[_one(run)] = stored.id
        if stored.folder:
            self._folders[_one(run)] = stored.folder
        return run

    def _history(self, stored: StoredRun) -> tuple[Mapping[str, float], ...]:
        return rows(self._store.points(stored.id, stored.metrics_by_epoch))


def _one(run: Run) -> tuple[str, int]:
    """Return what tells a run from all others: two machines may each have made one of the same name."""
    return run.name, milliseconds(run.started)

"""MLflow's client in plain data. MLflow is imported when it is first used."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from threading import RLock
from typing import Any

from ablate.cores import collector_paused
from ablate.errors import StoreError
from ablate.interrupts import let_interrupts_end_waits
from ablate.redaction import mask_uri
from ablate.tracking.mlflow_backend import database, lookups, schema
from ablate.tracking.mlflow_backend.errors import explain_error
from ablate.tracking.mlflow_backend.pages import pages
from ablate.tracking.mlflow_backend.quiet import ignore_warnings, silence_mlflow
from ablate.tracking.mlflow_backend.records import Batch, Point, true_value
from ablate.tracking.mlflow_backend.relocation import relocate
from ablate.tracking.mlflow_backend.stored_run import StoredRun, only_one, stored_run
from ablate.tracking.mlflow_backend.time_limit import LimitedClient
from ablate.tracking.project import is_server, sqlite_path

PAGE = 5000


class Store:
    """An MLflow tracking store, connected when it is first used. Every method raises StoreError if the store fails."""

    def __init__(self, uri: str, artifacts: Path) -> None:
        self.uri = uri
        self._database = sqlite_path(uri)
        self._artifacts = self._database.parent / "artifacts" if self._database else artifacts
        self._moved: dict[str, str] = {}
        self._lock = RLock()
        ignore_warnings()

    @cached_property
    def identity(self) -> str:
        """See `Tracker.identity`. Does not import MLflow if the database file exists."""
        if self._database and not self._database.is_file():
            self.connect()
        return database.identity(self.uri, self._database)

    @cached_property
    def _connected(self) -> Any:
        silence_mlflow()
        if self._database:
            database.prepare(self._database, self._artifacts)
            self._moved = relocate(self._database, self._artifacts)
        from mlflow.tracking import MlflowClient

        let_interrupts_end_waits()
        if not self._database and not is_server(self.uri):
            database.check_remote(self.uri)
        client = MlflowClient(self.uri, registry_uri=self.uri)
        return LimitedClient(client) if is_server(self.uri) else client

    def connect(self) -> None:
        """Connect now, and create a missing database. Other methods do so when they are first used."""
        assert self._client

    @property
    def engine(self) -> Any:
        """SQLAlchemy's engine if the store is an SQLite file, else None; for `lookups`."""
        return lookups.engine_of(self._client) if self._database else None

    @property
    def _client(self) -> Any:
        with self._lock, self._explaining():
            return self._connected

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except StoreError:
            raise
        except Exception as error:  # MLflow, SQLAlchemy and the drivers have their own classes
            secret = mask_uri(self.uri) != self.uri  # which the original message may contain
            raise explain_error(error, self.uri) from (None if secret else error)

    def run_environment(self, run: str) -> dict[str, str]:
        """Return the environment variables with which MLflow in another process resumes a run."""
        with self._explaining():
            experiment = str(self._client.get_run(run).info.experiment_id)
        return {"MLFLOW_TRACKING_URI": self.uri, "MLFLOW_EXPERIMENT_ID": experiment, "MLFLOW_RUN_ID": run}

    def experiment(self, name: str) -> str:
        """Return the identifier of an experiment, created if necessary."""
        if (engine := self.engine) and (known := lookups.experiment_named(engine, name)):
            return known
        with self._explaining():
            found = self._client.get_experiment_by_name(name)
            if found is None:
                return self._new_experiment(name)
        if found.lifecycle_stage == "deleted":
            raise StoreError(
                f"Experiment {name!r} was deleted in MLflow. Restore it with "
                f"`mlflow experiments restore --experiment-id {found.experiment_id}`, or use another name"
            )
        return str(found.experiment_id)

    def _new_experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        location = None if is_server(self.uri) else self._artifacts.as_uri()
        try:
            return str(self._client.create_experiment(name, artifact_location=location, tags=schema.EXPERIMENT_TAGS))
        except MlflowException:
            found = self._client.get_experiment_by_name(name)  # created by another process meanwhile
            if found is None:
                raise
            return str(found.experiment_id)

    def experiments(self) -> dict[str, str]:
        """Return the names of all experiments by identifier."""
        with self._explaining():
            found = pages(lambda token: self._client.search_experiments(page_token=token))
            return {str(experiment.experiment_id): experiment.name for page in found for experiment in page}

    def tag_experiment(self, experiment: str, name: str, value: str) -> None:
        """Set a tag of an experiment."""
        with self._explaining():
            self._client.set_experiment_tag(experiment, name, value)

    def create(self, experiment: str, name: str, start: int, tags: Mapping[str, str]) -> str:
        """Create a run and return its identifier.

        MLflow repeats a request whose answer was lost, and a server that had processed it then has two runs.
        """
        with self._explaining():
            run = str(self._client.create_run(experiment, start, dict(tags), name).info.run_id)
        if not is_server(self.uri):
            return run
        found = self.search({experiment: ""}, f"attributes.start_time = {start}")
        equal = [one for one in found if dict(tags).items() <= one.tags.items()]
        return only_one(equal, self.delete).id if equal else run

    def log(self, run: str, batch: Batch) -> None:
        """Log a batch in one call; it must respect the store's limits."""
        from mlflow.entities import Metric, Param, RunTag

        with self._explaining():
            self._client.log_batch(
                run,
                [Metric(name, value, time, step) for name, value, time, step in batch.points],
                [Param(name, text) for name, text in batch.params.items()],
                [RunTag(name, text) for name, text in batch.tags.items()],
            )

    def log_dataset(self, run: str, name: str, digest: str) -> None:
        """Record the data set of a run."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        dataset = Dataset(name, digest[:36], "local", f'{{"uri": "{digest}"}}')
        with self._explaining():
            self._client.log_inputs(run, [DatasetInput(dataset, [InputTag(schema.DATASET_CONTEXT, "training")])])

    def close(self, run: str, status: str, end: int) -> None:
        """Set the final status of a run."""
        with self._explaining():
            self._client.set_terminated(run, status, end)

    def reopen(self, run: str) -> None:
        """Mark a closed run as RUNNING again."""
        with self._explaining():
            self._client.update_run(run, status="RUNNING")

    def delete(self, run: str) -> None:
        """Delete a run, and its artifacts if they are in the run's own folder on this machine."""
        stored = self.get(run)
        with self._explaining():
            self._client.delete_run(run)
        if stored and stored.folder and stored.folder.parent.name == run and self._owns(stored.folder):
            shutil.rmtree(stored.folder.parent, ignore_errors=True)

    def _owns(self, folder: Path) -> bool:
        """Return whether artifacts belong to this store, and not to the project that its database was copied from."""
        return self._database is None or folder.resolve().is_relative_to(self._artifacts.resolve())

    def get(self, run: str) -> StoredRun | None:
        """Return a run, including deleted ones, or None if it is unknown."""
        from mlflow.exceptions import MlflowException

        with self._explaining():
            try:
                found = self._client.get_run(run)
            except MlflowException as error:
                if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                    return None
                raise
            return stored_run(found, {}, self._moved)

    def search(
        self, experiments: Mapping[str, str], condition: str = "", newest: bool = False, limit: int | None = None
    ) -> list[StoredRun]:
        """Return the runs of `experiments` (names by identifier) that satisfy a filter, in order of start."""
        order = [f"attributes.start_time {'DESC' if newest else 'ASC'}"]
        found: list[StoredRun] = []
        size = min(PAGE, limit) if limit else PAGE
        chosen = list(experiments)
        with self._explaining(), collector_paused():
            runs = pages(lambda token: self._client.search_runs(chosen, condition, 1, size, order, token))
            for page in runs if experiments else ():
                found += [stored_run(run, experiments, self._moved) for run in page]
                if limit and len(found) >= limit:
                    break
        return found[:limit]

    def points(self, run: str, names: Sequence[str]) -> list[Point]:
        """Return all values of the given metrics."""
        with self._explaining():
            histories = [self._client.get_metric_history(run, name) for name in names]
        return [(one.key, true_value(one.value), one.timestamp, one.step) for history in histories for one in history]

    def upload(self, run: str, folder: Path, inside: str | None = None) -> None:
        """Store the files of a folder as artifacts, at the top or `inside` a folder."""
        with self._explaining():
            if inside or not ((engine := self.engine) and lookups.copy_artifacts(engine, run, folder)):
                self._client.log_artifacts(run, str(folder), inside)

    def write_json(self, run: str, name: str, content: Mapping[str, Any]) -> None:
        """Store plain data as a JSON artifact."""
        with self._explaining():
            self._client.log_dict(run, dict(content), name)

    def listing(self, run: str) -> list[str]:
        """Return the names of a run's top-level artifacts."""
        stored = self.get(run)
        if stored and stored.folder and stored.folder.is_dir():
            return sorted(path.name for path in stored.folder.iterdir())
        with self._explaining():
            return [file.path for file in self._client.list_artifacts(run)]

    def download(self, run: str, name: str) -> Path:
        """Return a local path of an artifact: the original if it is on this machine, else a downloaded copy."""
        stored = self.get(run)
        if stored and stored.folder and (stored.folder / name).exists():
            return stored.folder / name
        with self._explaining():
            return Path(self._client.download_artifacts(run, name))

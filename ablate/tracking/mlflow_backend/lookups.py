"""Find experiments and runs by SQL on MLflow's own connection, in a small part of the time that its client takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_EXPERIMENT = "select experiment_id from experiments where name = ? and lifecycle_stage = 'active'"
_RUNS = (
    "select r.run_uuid from runs r join tags t on t.run_uuid = r.run_uuid where r.experiment_id = ? and t.key = ? "
    "and t.value = ? and r.lifecycle_stage = 'active' order by r.start_time, r.run_uuid"
)
_TAG = "select value from tags where run_uuid = ? and key = ?"
_STEPS = "select distinct key, step from metrics where run_uuid = ?"
_ARTIFACTS = "select artifact_uri from runs where run_uuid = ?"


def engine_of(client: Any) -> Any:
    """Return SQLAlchemy's engine of a client with an SQLite file, or None."""
    try:
        engine = client._tracking_client.store.engine  # noqa: SLF001  # a second connection may see another file
        return engine if engine.dialect.name == "sqlite" else None
    except AttributeError:  # another version of MLflow
        return None


def experiment_named(engine: Any, name: str) -> str | None:
    """Return the identifier of an active experiment. None if there is none, or the client has to be asked."""
    found = _column(engine, _EXPERIMENT, name)
    return found[0] if found and len(found) == 1 else None


def runs_with_tag(engine: Any, experiment: str, name: str, value: str) -> list[str] | None:
    """Return the identifiers of the active runs with a tag, in order of start. None if the client has to be asked."""
    return _column(engine, _RUNS, int(experiment), name, value) if experiment.isdecimal() else None


def tag(engine: Any, run: str, name: str) -> str | None:
    """Return a tag of a run, or None."""
    found = _column(engine, _TAG, run, name)
    return found[0] if found else None


def stored_steps(engine: Any, run: str) -> set[tuple[str, int]]:
    """Return the names and steps of all values of a run."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with engine.connect() as connection:
            return {(str(name), int(step)) for name, step in connection.exec_driver_sql(_STEPS, (run,))}
    except SQLAlchemyError:  # the client explains it
        return set()


def copy_artifacts(engine: Any, run: str, folder: Path) -> bool:
    """Copy files to the artifacts of a run, if these are on this machine, and return whether they are."""
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    found = _column(engine, _ARTIFACTS, run)
    if not found or not found[0].startswith("file:///"):
        return False
    repository: Any = LocalArtifactRepository  # without types
    repository(found[0]).log_artifacts(str(folder))
    return True


def _column(engine: Any, query: str, *values: str | int) -> list[str] | None:
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with engine.connect() as connection:
            return [str(row[0]) for row in connection.exec_driver_sql(query, values)]
    except (SQLAlchemyError, UnicodeDecodeError):  # locked, damaged, another schema: the client explains it
        return None

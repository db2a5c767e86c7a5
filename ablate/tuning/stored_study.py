"""Read the Optuna study of any program. The storage is neither created nor changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.errors import UsageError, UserError
from ablate.redaction import mask_uri
from ablate.tuning.optuna_study import storage_error
from ablate.wording import listed, unknown

if TYPE_CHECKING:
    import optuna
    from sqlalchemy import Engine

_GOALS = {"MAXIMIZE": "max", "MINIMIZE": "min"}
_NAMES_OF_OBJECTIVES = "study:metric_names"
_TABLES = {"studies", "trials", "version_info"}
_SQLITE, _JOURNAL = b"SQLite format 3\x00", b'"op_code"'


@dataclass(frozen=True)
class StoredTrial:
    """A trial as Optuna recorded it.

    Attributes:
        state: State in Optuna's words, in lower case: complete, fail, pruned, running, waiting.
        params: Value by parameter. Of an unfinished trial, also those that it will have.
        user_attrs: Value by user attribute.
        values: One value per objective; empty unless the trial is complete.
        intermediate: Reported value by step.
    """

    number: int
    state: str
    params: Mapping[str, Any]
    user_attrs: Mapping[str, Any]
    values: Sequence[float]
    intermediate: Mapping[int, float]


@dataclass(frozen=True)
class StoredStudy:
    """An Optuna study.

    Attributes:
        goals: `max` or `min` by name of the objective: the name that the program gave it, otherwise `value`, or
            `value_0`, `value_1`, ... of several.
    """

    name: str
    goals: Mapping[str, str]
    trials: Sequence[StoredTrial]


def read_stored_study(storage: str, name: str | None = None) -> StoredStudy:
    """Return a study of a storage; without a `name` the only one.

    Args:
        storage: URL of a database, or path of an SQLite database or a journal file.
        name: Name of the study.

    Raises:
        UsageError: Several studies and no name.
        UserError: The storage cannot be read or is not one of Optuna, or the study is not in it.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    path = _path(storage)
    try:
        opened = _database(storage) if path is None else _file(path)
        studies = {study.study_name: study for study in opened.get_all_studies()}
        study = studies[_chosen(name, list(studies), mask_uri(storage))]
        number = opened.get_study_id_from_name(study.study_name)
        attributes, trials = opened.get_study_system_attrs(number), opened.get_all_trials(number, deepcopy=False)
    except UserError:
        raise
    except Exception as error:  # of Optuna, SQLAlchemy, Alembic or a database driver
        raise storage_error(storage, "Optuna storage", "", error) from error
    directions = [_GOALS.get(direction.name, "") for direction in study.directions]
    names = attributes.get(_NAMES_OF_OBJECTIVES) or (
        ["value"] if len(directions) == 1 else [f"value_{number}" for number in range(len(directions))]
    )
    return StoredStudy(study.study_name, dict(zip(names, directions, strict=True)), [_trial(one) for one in trials])


def _path(storage: str) -> Path | None:
    """Return the path of a storage in a file; None for the URL of a database server."""
    if "://" not in storage:
        return Path(storage)
    if not storage.startswith("sqlite"):
        return None
    path = storage.partition("://")[2].partition("?")[0]
    if not path.startswith("/") or len(path) < 2:
        raise UsageError(f"{storage} has no path of a database. Write sqlite:///{path.strip('/') or 'FILE'}")
    return Path(path[1:])


def _file(path: Path) -> optuna.storages.BaseStorage:
    """Return the storage in a file, opened for reading only."""
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend
    from sqlalchemy import create_engine

    if not path.is_file():
        raise UserError(f"File not found: {path}")
    with path.open("rb") as file:
        start = file.read(1024)
    if _JOURNAL in start.partition(b"\n")[0]:
        return JournalStorage(JournalFileBackend(str(path)))
    if not start.startswith(_SQLITE):
        raise UserError(f"{path} is neither an SQLite database nor a journal file of Optuna")

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False)

    _check_tables(create_engine("sqlite://", creator=connect), str(path))
    return RDBStorage("sqlite://", engine_kwargs={"creator": connect}, skip_table_creation=True)


def _database(url: str) -> optuna.storages.BaseStorage:
    from optuna.storages import RDBStorage
    from sqlalchemy import create_engine

    _check_tables(create_engine(url), mask_uri(url))
    return RDBStorage(url, skip_table_creation=True)


def _check_tables(engine: Engine, address: str) -> None:
    """Raise UserError for a database that Optuna would change before it reads it, or that is not one of Optuna."""
    from sqlalchemy import inspect, text

    try:
        tables = set(inspect(engine).get_table_names())
        if not tables >= _TABLES:
            raise UserError(f"{address} is not a storage of Optuna: it has no table {sorted(_TABLES - tables)[0]}")
        with engine.connect() as connection:
            versions = [
                connection.execute(text(f"SELECT COUNT(*) FROM {table}")).scalar()  # noqa: S608  # names of constants
                for table in ("version_info", "alembic_version")
                if table in tables
            ]
    finally:
        engine.dispose()
    if versions != [1, 1]:
        raise UserError(
            f"{address} was created by an old version of Optuna. Run `optuna storage upgrade --storage URL` on a copy, "
            "and read that"
        )


def _chosen(name: str | None, known: Sequence[str], address: str) -> str:
    if name is not None and name not in known:
        raise UserError(f"{unknown('study', name, known)}. The storage is {address}")
    if not known:
        raise UserError(f"No studies in {address}")
    if name is None and len(known) > 1:
        raise UsageError(f"{address} has {len(known)} studies: {listed(known)}. Choose one with --study NAME")
    return name or known[0]


def _trial(trial: optuna.trial.FrozenTrial) -> StoredTrial:
    is_over = trial.state.is_finished()
    fixed = {} if is_over else trial.system_attrs.get("fixed_params", {})
    return StoredTrial(
        number=trial.number,
        state=trial.state.name.lower(),
        params={**fixed, **trial.params},
        user_attrs=dict(trial.user_attrs),
        values=tuple(trial.values) if trial.values and trial.state.name == "COMPLETE" else (),
        intermediate=dict(trial.intermediate_values),
    )

"""The Optuna study of a search: created, or opened if ablate created it. The studies of other programs are refused."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from ablate.errors import UsageError, UserError
from ablate.redaction import mask_secrets_of, mask_uri
from ablate.tuning.optuna_adapter import sampler_of
from ablate.tuning.pruning import make_pruner
from ablate.tuning.types import SearchSpec, SearchStorage

if TYPE_CHECKING:
    import optuna

_DIRECTIONS: Mapping[str, Literal["maximize", "minimize"]] = {"max": "maximize", "min": "minimize"}
_CREATION_SECONDS = 3.0
"""Time that another process may need between creating a study and marking it as a search."""


def open_study(spec: SearchSpec, storage: SearchStorage) -> optuna.Study:
    """Return the Optuna study of a search. A new one has the specification as its `tuning` attribute.

    Raises:
        UsageError: If the study of that name, or the database, is that of another program.
        UserError: If the storage cannot be used.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        _check_tables(storage)
        opened = _storage(storage)
        try:
            study = _create(spec, opened)
        except optuna.exceptions.DuplicatedStudyError:
            study = optuna.load_study(
                study_name=spec.name,
                storage=opened,
                sampler=sampler_of(spec, 0),
                pruner=make_pruner(spec.pruner, spec.epochs),
            )
            _adopt(study, spec, storage)
    except UsageError:
        raise
    except Exception as error:  # of Optuna, SQLAlchemy, Alembic or a database driver
        raise storage_error(storage.url, "search storage", ", or give --storage another database", error) from error
    return study


def storage_error(url: str, kind: str, alternative: str, error: Exception) -> UserError:
    """Return an error of Optuna or of a database as one line; `alternative` is another remedy for an old schema."""
    reason = mask_secrets_of(url, _first_line(error))
    if isinstance(error, RuntimeError) and "storage upgrade" in str(error):
        reason = (
            "another version of Optuna created it. Back it up and run `optuna storage upgrade --storage URL`"
            + alternative
        )
    return UserError(f"Cannot use the {kind} {mask_uri(url)}: {reason}")


def _storage(storage: SearchStorage) -> optuna.storages.BaseStorage:
    import optuna
    from filelock import FileLock
    from optuna.storages.journal import JournalFileBackend

    if storage.is_file:
        lock = FileLock(f"{storage.url}.write")  # Optuna's own lock outlives a killed process by 30 s
        backend = JournalFileBackend(storage.url, lock_obj=lock)  # type: ignore[arg-type]  # acquires and releases
        return optuna.storages.JournalStorage(backend)
    return optuna.storages.get_storage(storage.url)


def _create(spec: SearchSpec, storage: optuna.storages.BaseStorage) -> optuna.Study:
    import optuna

    study = optuna.create_study(
        storage=storage,
        sampler=sampler_of(spec, 0),
        pruner=make_pruner(spec.pruner, spec.epochs),
        study_name=spec.name,
        directions=[_DIRECTIONS[objective.goal] for objective in spec.objectives],
    )
    _mark(study, spec)
    return study


def _mark(study: optuna.Study, spec: SearchSpec) -> None:
    study.set_user_attr("tuning", spec.fixed)
    study.enqueue_trial(spec.space.values(spec.base), user_attrs={"baseline": True})


def _adopt(study: optuna.Study, spec: SearchSpec, storage: SearchStorage) -> None:
    """Accept an existing study that is a search. Raises UsageError for a study of another program."""
    from optuna.trial import TrialState

    until = time.monotonic() + (0 if storage.is_file or study.get_trials(deepcopy=False) else _CREATION_SECONDS)
    while (mark := study.user_attrs.get("tuning")) is None and time.monotonic() < until:
        time.sleep(0.1)
    if mark is None and storage.is_file and not study.get_trials(deepcopy=False):
        return _mark(study, spec)  # the process that created it was killed; the file is the project's own
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    foreign = sum("owner" not in trial.user_attrs for trial in done)
    if not (isinstance(mark, Mapping) and {"base", "space", "objectives"} <= mark.keys()):
        reason = "was not created by `ablate tune`"
    elif foreign:
        reason = f"contains {foreign} of {len(done)} trials that `ablate tune` did not make"
    elif [way.name.lower() for way in study.directions] != _directions_of(mark):
        reason = "has directions that differ from the objectives of the search"
    else:
        return None
    raise UsageError(
        f"The Optuna study {spec.name} in {mask_uri(storage.url)} {reason}. Choose another --name or another --storage"
    )


def _directions_of(mark: Mapping[str, Any]) -> list[str]:
    return [_DIRECTIONS[objective["goal"]] for objective in mark["objectives"]]


def _check_tables(storage: SearchStorage) -> None:
    """Raise UsageError for the database of another program with migrations, such as MLflow's: Optuna would break it."""
    from sqlalchemy import create_engine, inspect

    if storage.is_file or storage.url.startswith("redis"):
        return
    engine = create_engine(storage.url)
    try:
        tables = set(inspect(engine).get_table_names())
    finally:
        engine.dispose()
    if "alembic_version" in tables and "version_info" not in tables:
        raise UsageError(
            f"The database {mask_uri(storage.url)} is that of another program, such as MLflow. "
            "Give --storage a new database, e.g. sqlite:///tuning.db"
        )


def _first_line(error: Exception) -> str:
    """Return the first line of an error's message, or the name of its class."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]

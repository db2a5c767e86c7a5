"""One search as Optuna keeps it: every process that opens it by name works on the same trials.

The only module that talks to an Optuna study. Trials are given out one at a time, under a lock of the operating
system's, so that the budget is met exactly and a process that dies leaves nothing half given out. Each running trial
names its process; what a dead one had is closed, and its values are tried once more.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from ablate.errors import UsageError, UserError
from ablate.liveness import is_alive, this_process
from ablate.menu import Value
from ablate.tuning.attempt import Attempt
from ablate.tuning.nouns import Place, State, Trial, Tuning
from ablate.tuning.pruning import OVER_EPOCHS, make_pruner

if TYPE_CHECKING:
    import optuna

SILENT = 900.0
"""Seconds without a sign of life after which a trial of another host counts as lost."""

MOST_LOSSES = 2
"""So often the same values may be lost with their process before they count as failed."""


class Search:
    """A search that several processes may work on; it is begun by whoever opens it first.

    Raises UsageError where a search of that name was begun otherwise, UserError where the storage does not answer.
    """

    def __init__(self, tuning: Tuning, place: Place) -> None:
        self.tuning, self._place = tuning, place
        place.folder.mkdir(parents=True, exist_ok=True)
        with self._turn():
            self._study = self._open()

    def _open(self) -> optuna.Study:
        import optuna
        from sqlalchemy.exc import SQLAlchemyError

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        tuning = self.tuning
        directions = [_DIRECTIONS[objective.goal] for objective in tuning.objectives]
        try:
            study = optuna.create_study(
                storage=_storage(self._place),
                sampler=_sampler(tuning, 0),
                pruner=make_pruner(tuning.pruner, tuning.epochs),
                study_name=tuning.name,
                directions=directions,
                load_if_exists=True,
            )
            begun = study.user_attrs.get("tuning")
            if begun is None:
                study.set_user_attr("tuning", tuning.fixed)
                study.enqueue_trial(tuning.space.values(tuning.base), user_attrs={"baseline": True})
        except (ImportError, ValueError, OSError, SQLAlchemyError, optuna.exceptions.OptunaError) as error:
            raise UserError(f"the storage {self._place.storage} cannot be used: {_first_line(error)}") from error
        changed = [name for name, value in tuning.fixed.items() if begun is not None and begun.get(name) != value]
        if changed:
            raise UsageError(
                f"the search {tuning.name} was begun with another {' and '.join(changed)}: go on as it was begun, or "
                "give this one another --name"
            )
        return study

    @contextmanager
    def _turn(self) -> Iterator[None]:
        from filelock import FileLock

        with FileLock(self._place.folder / f"{self.tuning.name}.turn"):
            yield

    def begin(self) -> Attempt | None:
        """Return the next trial, whose values nobody else is given, or None when the budget is given out."""
        with self._turn():
            self._close_lost()
            if self.missing <= 0:
                return None
            given = len(self._study.get_trials(deepcopy=False))
            self._study.sampler = _sampler(self.tuning, given)  # so that a search goes on as if it had never stopped
            trial = self._study.ask(_distributions(self.tuning))
            trial.set_user_attr("owner", this_process())
        return Attempt(self, trial)

    @property
    def missing(self) -> int:
        """How many trials of the budget nobody has begun."""
        return self.tuning.budget - sum(trial.is_over or trial.state == "running" for trial in self.trials())

    def trials(self) -> list[Trial]:
        """Return every trial, in order."""
        lost = self._study.user_attrs.get("lost", {})
        return [_plain(trial, lost.get(str(trial.number))) for trial in self._study.get_trials(deepcopy=False)]

    def close_lost(self) -> list[int]:
        """Close the running trials whose processes are gone, to be tried again, and return their numbers."""
        with self._turn():
            return self._close_lost()

    def _close_lost(self) -> list[int]:
        from optuna.trial import TrialState

        running = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        lost = [trial for trial in running if self._is_lost(trial)]
        for trial in lost:
            self._lose(trial.number, trial.params, trial.user_attrs, "its process is gone")
        return [trial.number for trial in lost]

    def give_back(self, number: int, params: Mapping[str, Value], attrs: Mapping[str, Any]) -> None:
        """Close an interrupted trial; its values come first when the search goes on."""
        with self._turn():
            self._lose(number, params, {**attrs, "losses": attrs.get("losses", 0) - 1}, "interrupted")

    def _lose(self, number: int, params: Mapping[str, Value], attrs: Mapping[str, Any], reason: str) -> None:
        """Close a trial as lost and enqueue its values; or, when they were lost too often, as failed."""
        from optuna.trial import TrialState

        losses = int(attrs.get("losses", 0)) + 1
        if losses < MOST_LOSSES:
            lost = {**self._study.user_attrs.get("lost", {}), str(number): reason}
            self._study.set_user_attr("lost", lost)
            kept = {"baseline": True} if attrs.get("baseline") else {}
            self._study.enqueue_trial(dict(params), user_attrs={**kept, "losses": losses})
        self._study.tell(number, state=TrialState.FAIL, skip_if_finished=True)

    def _is_lost(self, trial: optuna.trial.FrozenTrial) -> bool:
        owner = trial.user_attrs.get("owner")
        assert trial.datetime_start is not None
        if owner is None:  # it died between two lines of `begin`; only where all share the lock is that certain
            return self._place.is_file or time.time() - trial.datetime_start.timestamp() > SILENT
        alive = is_alive(owner)
        if alive is None:
            return time.time() - float(trial.user_attrs.get("beat", trial.datetime_start.timestamp())) > SILENT
        return not alive

    @property
    def study(self) -> optuna.Study:
        """Optuna's own study."""
        return self._study


def _storage(place: Place) -> Any:
    import optuna
    from filelock import FileLock
    from optuna.storages.journal import JournalFileBackend

    if place.is_file:
        lock = FileLock(f"{place.storage}.write")  # Optuna's own outlives a killed process by half a minute
        backend = JournalFileBackend(place.storage, lock_obj=lock)  # type: ignore[arg-type]  # acquires and releases
        return optuna.storages.JournalStorage(backend)
    return place.storage


def _sampler(tuning: Tuning, given: int) -> optuna.samplers.TPESampler:
    """Return the sampler of the trial after so many others, which names its stream beside the search's seed."""
    import numpy as np
    import optuna

    seed = int(np.random.SeedSequence([tuning.sampler_seed, given]).generate_state(1)[0])
    return optuna.samplers.TPESampler(seed=seed)


def _distributions(tuning: Tuning) -> dict[str, Any]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    made: dict[str, Any] = {}
    for dimension in tuning.space.dimensions:
        if dimension.words:
            made[dimension.name] = CategoricalDistribution(dimension.words)
        elif dimension.is_integer:
            made[dimension.name] = IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
        else:
            made[dimension.name] = FloatDistribution(dimension.low, dimension.high, log=dimension.log)
    return made


def _plain(trial: optuna.trial.FrozenTrial, lost: str | None) -> Trial:
    attrs = trial.user_attrs
    fixed = trial.system_attrs.get("fixed_params", {})
    return Trial(
        number=trial.number,
        state="lost" if lost else _STATES[trial.state.name],
        params=dict(trial.params or fixed),
        values=tuple(trial.values) if trial.values and trial.state.name == "COMPLETE" else (),
        runs={int(seed): run for seed, run in attrs.get("runs", {}).items()},
        scores={int(seed): score for seed, score in attrs.get("scores", {}).items()},
        seconds=attrs.get("seconds", 0.0),
        epochs=attrs.get("epochs", 0),
        saved=attrs.get("saved", 0),
        reused=attrs.get("reused", 0),
        is_baseline=bool(attrs.get("baseline")),
        error=lost or attrs.get("error", ""),
    )


_DIRECTIONS: Mapping[str, Literal["maximize", "minimize"]] = {"max": "maximize", "min": "minimize"}

_STATES: Mapping[str, State] = {
    "COMPLETE": "complete",
    "PRUNED": "pruned",
    "RUNNING": "running",
    "WAITING": "waiting",
    "FAIL": "failed",
}


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def prunes_over_epochs(tuning: Tuning) -> bool:
    """Return whether runs report to the pruner as they go."""
    return tuning.pruner in OVER_EPOCHS

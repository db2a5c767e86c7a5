"""One search as Optuna keeps it: every process that opens it by name works on the same trials.

The only module that talks to an Optuna study. Trials are given out one at a time, under a lock of the operating
system's, so that the budget is met exactly and a process that dies leaves nothing half given out. Each running trial
names its process; what a dead one had is closed, and its values are tried once more.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ablate.errors import UsageError, UserError
from ablate.journal.process_identity import is_alive, this_process
from ablate.studies.settings import Value
from ablate.tuning.optuna_adapter import DIRECTIONS, distributions_of, first_line, sampler_of, storage_of, trial_of
from ablate.tuning.pruning import OVER_EPOCHS, make_pruner
from ablate.tuning.types import Place, Trial, Tuning

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
        directions = [DIRECTIONS[objective.goal] for objective in tuning.objectives]
        try:
            study = optuna.create_study(
                storage=storage_of(self._place),
                sampler=sampler_of(tuning, 0),
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
            raise UserError(f"the storage {self._place.storage} cannot be used: {first_line(error)}") from error
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
            self._study.sampler = sampler_of(self.tuning, given)  # so that a search goes on as if it had never stopped
            trial = self._study.ask(distributions_of(self.tuning))
            trial.set_user_attr("owner", this_process())
        return Attempt(self, trial)

    @property
    def missing(self) -> int:
        """How many trials of the budget nobody has begun."""
        return self.tuning.budget - sum(trial.is_over or trial.state == "running" for trial in self.trials())

    def trials(self) -> list[Trial]:
        """Return every trial, in order."""
        lost = self._study.user_attrs.get("lost", {})
        return [trial_of(trial, lost.get(str(trial.number))) for trial in self._study.get_trials(deepcopy=False)]

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


def prunes_over_epochs(tuning: Tuning) -> bool:
    """Return whether runs report to the pruner as they go."""
    return tuning.pruner in OVER_EPOCHS


BEAT = 30.0
"""Seconds between two signs of life."""


class Attempt:
    """A trial that this process makes."""

    def __init__(self, search: Search, trial: optuna.Trial) -> None:
        self._search, self._trial = search, trial
        self._beaten = time.monotonic()
        self._reported: set[int] = set()
        self.number = trial.number
        self.values: dict[str, Value] = dict(trial.params)
        self.is_baseline = bool(trial.user_attrs.get("baseline"))

    def beat(self) -> None:
        """Give a sign of life, now and then, for other hosts."""
        if time.monotonic() - self._beaten > BEAT:
            self._beaten = time.monotonic()
            self._trial.set_user_attr("beat", time.time())

    def report(self, score: float, step: int) -> None:
        """Record a score at a step that the pruner compares: an epoch, or a seed's place."""
        if step not in self._reported:
            self._reported.add(step)
            self._trial.report(score, step)

    def is_hopeless(self) -> bool:
        """Return whether the pruner has seen enough. The baseline is always finished: all are held against it."""
        return not self.is_baseline and self._trial.should_prune()

    def note(self, **facts: Any) -> None:
        """Keep plain facts with the trial."""
        for name, value in facts.items():
            self._trial.set_user_attr(name, value)

    def complete(self, values: Sequence[float]) -> None:
        """Close the trial with the values of its objectives."""
        self._search.study.tell(self._trial, list(values), skip_if_finished=True)

    def prune(self) -> None:
        """Close the trial as stopped early."""
        from optuna.trial import TrialState

        self._search.study.tell(self._trial, state=TrialState.PRUNED, skip_if_finished=True)

    def fail(self, error: str) -> None:
        """Close the trial as failed."""
        from optuna.trial import TrialState

        self.note(error=error)
        self._search.study.tell(self._trial, state=TrialState.FAIL, skip_if_finished=True)

    def give_back(self) -> None:
        """Close the trial as interrupted; its values come first when the search goes on."""
        self._search.give_back(self.number, self.values, self._trial.user_attrs)

"""A search and its trials in an Optuna study, shared by all processes that open it by name.

Trials are assigned one at a time under an operating system lock, so that the budget is met exactly. Each running trial
records its process. Trials of dead processes are closed, and their values are tried again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ablate.errors import UsageError
from ablate.journal.process_identity import SILENCE, is_alive, this_process
from ablate.studies.settings import Value
from ablate.tuning.optuna_adapter import distributions_of, sampler_of, trial_of
from ablate.tuning.optuna_study import open_study
from ablate.tuning.pruning import OVER_EPOCHS
from ablate.tuning.types import SearchSpec, SearchStorage, Trial

if TYPE_CHECKING:
    import optuna

MAX_LOSSES = 2
"""How many times the same values may be lost before the trial counts as failed."""


class Search:
    """A search that several processes may work on. The first process to open it creates it.

    Raises:
        UsageError: If a search of that name has another specification.
        UserError: If the storage cannot be used.
    """

    def __init__(self, spec: SearchSpec, storage: SearchStorage) -> None:
        self.spec, self._storage = spec, storage
        storage.locks.mkdir(parents=True, exist_ok=True)
        with self._lock():
            self._study = self._open()

    def _open(self) -> optuna.Study:
        spec = self.spec
        study = open_study(spec, self._storage)
        existing = study.user_attrs.get("tuning")
        changed = [name for name, value in spec.fixed.items() if existing is not None and existing.get(name) != value]
        if changed:
            raise UsageError(
                f"The search {spec.name} exists with another {' and '.join(changed)}. Repeat the options of its first "
                "command to resume it, or start a new search with another --name"
            )
        return study

    @contextmanager
    def _lock(self) -> Iterator[None]:
        from filelock import FileLock

        with FileLock(self._storage.locks / f"{self.spec.name}.turn"):
            yield

    def begin(self) -> RunningTrial | None:
        """Start the next trial and return it, or return None if the budget is exhausted."""
        with self._lock():
            self._close_lost()
            if self.missing <= 0:
                return None
            earlier = len(self._study.get_trials(deepcopy=False))
            self._study.sampler = sampler_of(self.spec, earlier)  # a resumed search samples like an uninterrupted one
            trial = self._study.ask(distributions_of(self.spec.space))
            trial.set_user_attr("owner", this_process())
        return RunningTrial(self, trial)

    @property
    def missing(self) -> int:
        """The number of trials of the budget that no process has started."""
        return self.spec.budget - sum(trial.is_over or trial.state == "running" for trial in self.trials())

    def trials(self) -> list[Trial]:
        """Return every trial, in order."""
        lost = self._study.user_attrs.get("lost", {})
        return [trial_of(trial, lost.get(str(trial.number))) for trial in self._study.get_trials(deepcopy=False)]

    def close_lost(self) -> list[int]:
        """Close the running trials of dead processes, enqueue their values again, and return their numbers."""
        with self._lock():
            return self._close_lost()

    def _close_lost(self) -> list[int]:
        from optuna.trial import TrialState

        running = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        lost = [trial for trial in running if self._is_lost(trial)]
        for trial in lost:
            self._lose(trial.number, trial.params, trial.user_attrs, "its process is gone")
        return [trial.number for trial in lost]

    def give_back(self, number: int, params: Mapping[str, Value], attrs: Mapping[str, Any]) -> None:
        """Close an interrupted trial. Its values come first when the search is resumed."""
        with self._lock():
            self._lose(number, params, {**attrs, "losses": attrs.get("losses", 0) - 1}, "interrupted")

    def lose(self, number: int, params: Mapping[str, Value], attrs: Mapping[str, Any], reason: str) -> None:
        """Close a trial as lost. Its values are tried again."""
        with self._lock():
            self._lose(number, params, attrs, reason)

    def _lose(self, number: int, params: Mapping[str, Value], attrs: Mapping[str, Any], reason: str) -> None:
        """Close a trial as lost and enqueue its values. Values lost MAX_LOSSES times count as failed.

        A process that died in this method may have enqueued them: the new trial names the one that it repeats.
        """
        from optuna.trial import TrialState

        losses = int(attrs.get("losses", 0)) + 1
        if losses < MAX_LOSSES:
            lost = {**self._study.user_attrs.get("lost", {}), str(number): reason}
            self._study.set_user_attr("lost", lost)
            kept = {"baseline": True} if attrs.get("baseline") else {}
            if all(trial.user_attrs.get("repeats") != number for trial in self._study.get_trials(deepcopy=False)):
                self._study.enqueue_trial(dict(params), user_attrs={**kept, "losses": losses, "repeats": number})
        self._study.tell(number, state=TrialState.FAIL, skip_if_finished=True)

    def _is_lost(self, trial: optuna.trial.FrozenTrial) -> bool:
        owner = trial.user_attrs.get("owner")
        assert trial.datetime_start is not None
        if owner is None:  # its process died within `begin`; certain only if all processes share the lock
            return self._storage.is_file or time.time() - trial.datetime_start.timestamp() > SILENCE
        alive = is_alive(owner)
        if alive is None:
            return time.time() - float(trial.user_attrs.get("beat", trial.datetime_start.timestamp())) > SILENCE
        return not alive

    @property
    def study(self) -> optuna.Study:
        """The Optuna study."""
        return self._study


def prunes_over_epochs(spec: SearchSpec) -> bool:
    """Return whether runs report to the pruner after each epoch."""
    return spec.pruner in OVER_EPOCHS


HEARTBEAT_INTERVAL = 30.0
"""Seconds between two heartbeats."""


class RunningTrial:
    """A trial that this process is making."""

    def __init__(self, search: Search, trial: optuna.Trial) -> None:
        self._search, self._trial = search, trial
        self._beaten = time.monotonic()
        self._reported: set[int] = set()
        self.number = trial.number
        self.values: dict[str, Value] = dict(trial.params)
        self.is_baseline = bool(trial.user_attrs.get("baseline"))

    def beat(self) -> None:
        """Send a heartbeat for other hosts, at most every HEARTBEAT_INTERVAL seconds."""
        if time.monotonic() - self._beaten > HEARTBEAT_INTERVAL:
            self._beaten = time.monotonic()
            self._trial.set_user_attr("beat", time.time())

    def report(self, score: float, step: int) -> None:
        """Report a score to the pruner at a step: an epoch, or the position of a seed."""
        if step not in self._reported:
            self._reported.add(step)
            self._trial.report(score, step)

    def should_prune(self) -> bool:
        """Return whether the pruner stops the trial. The baseline is never pruned: it is the reference."""
        return not self.is_baseline and self._trial.should_prune()

    def note(self, **attributes: Any) -> None:
        """Store attributes with the trial."""
        for name, value in attributes.items():
            self._trial.set_user_attr(name, value)

    def complete(self, values: Sequence[float]) -> None:
        """Close the trial with the values of its objectives."""
        self._search.study.tell(self._trial, list(values), skip_if_finished=True)

    def prune(self) -> None:
        """Close the trial as pruned."""
        from optuna.trial import TrialState

        self._search.study.tell(self._trial, state=TrialState.PRUNED, skip_if_finished=True)

    def fail(self, error: str) -> None:
        """Close the trial as failed."""
        from optuna.trial import TrialState

        self.note(error=error)
        self._search.study.tell(self._trial, state=TrialState.FAIL, skip_if_finished=True)

    def give_back(self) -> None:
        """Close the trial as interrupted. Its values come first when the search is resumed."""
        self._search.give_back(self.number, self.values, self._trial.user_attrs)

    def lose(self, reason: str) -> None:
        """Close the trial as lost. Its values are tried again."""
        self._search.lose(self.number, self.values, self._trial.user_attrs, reason)

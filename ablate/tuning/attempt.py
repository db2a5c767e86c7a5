"""A trial that this process makes: what is recorded of it as it goes, and how it ends."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ablate.menu import Value

if TYPE_CHECKING:
    import optuna

    from ablate.tuning.search import Search

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

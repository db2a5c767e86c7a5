"""The searches of a study as data: trials, winner, cost. All scores are validation scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablate.report.formats.numbers import value_text
from ablate.stats.effects import Comparison, expected_best

if TYPE_CHECKING:
    from ablate.tuning.space import Space
    from ablate.tuning.types import Objective, Trial

CONDITIONAL = (
    "The re-tuned intervals are conditional on the chosen settings: they apply to new seeds at these values, not to a "
    "new search, which might choose others."
)


@dataclass(frozen=True)
class SearchResult:
    """One finished search: its space, its settings and every trial; `front` is empty for a single objective."""

    label: str
    name: str
    seeds: Sequence[int]
    objectives: Sequence[Objective]
    space: Space
    pruner: str
    pruning: str
    sampler: str
    sampler_seed: int
    budget: int
    storage: str
    trials: Sequence[Trial]
    importances: Mapping[str, Mapping[str, float]]
    front: Sequence[Trial] = ()

    @property
    def objective(self) -> Objective:
        """The objective that ranks the trials: the first of several."""
        return self.objectives[0]

    @property
    def complete(self) -> list[Trial]:
        """Trials with a score, in order."""
        return [trial for trial in self.trials if trial.state == "complete"]

    @property
    def pruned(self) -> list[Trial]:
        """Trials that were stopped early."""
        return [trial for trial in self.trials if trial.state == "pruned"]

    @property
    def failed(self) -> list[Trial]:
        """Trials without a score."""
        return [trial for trial in self.trials if trial.state == "failed"]

    @property
    def ranked(self) -> list[Trial]:
        """Complete trials, best first."""
        sign = -1 if self.objective.goal == "max" else 1
        return sorted(self.complete, key=lambda trial: (sign * trial.values[0], trial.number))

    @property
    def winner(self) -> Trial | None:
        """The best complete trial."""
        return next(iter(self.ranked), None)

    @property
    def baseline(self) -> Trial | None:
        """The trial of the original recipe."""
        return next((trial for trial in self.complete if trial.is_baseline), None)

    @property
    def seconds(self) -> float:
        """Training time of the search."""
        return sum(trial.seconds for trial in self.trials)

    @property
    def saved(self) -> tuple[int, float]:
        """Epochs saved by early stopping, and their approximate time in seconds."""
        epochs = sum(trial.saved for trial in self.pruned)
        made = sum(trial.epochs for trial in self.trials)
        return epochs, epochs * self.seconds / made if made else 0.0

    @property
    def curve(self) -> list[float]:
        """Expected best scaled score of n of these trials, for n = 1, 2, ..."""
        scores = [trial.values[0] for trial in self.complete]
        return [value * self.objective.scale for value in expected_best(scores, self.objective.goal)]

    @property
    def edges(self) -> list[str]:
        """Chosen values at an edge of the search space, as text."""
        if self.winner is None:
            return []
        found = []
        for dimension in self.space.dimensions:
            value = self.winner.params[dimension.name]
            end = dimension.edge(value)
            if end:
                found.append(f"{dimension.name} {value_text(value)} is at the {end} end of {dimension.text}")
        return found


@dataclass(frozen=True)
class Searches:
    """The searches of a study by variant, the comparisons of re-tuned variants, and the command that ran them."""

    by_arm: Mapping[str, SearchResult]
    comparisons: Sequence[Comparison]
    command: str

    @property
    def first(self) -> SearchResult:
        """The first search. Those of the other variants differ by their recipe only."""
        return next(iter(self.by_arm.values()))

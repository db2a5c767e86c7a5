"""What the searches of a study came to, read from its record; numbers are those of validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ablate.stats.effects import Comparison, expected_best
from ablate.tuning import Objective, Space, Trial, best, pareto, space_from

CONDITIONAL = (
    "The re-tuned intervals are conditional on the chosen settings: they speak of new seeds at these values, not of "
    "searching again, which might choose others."
)


@dataclass(frozen=True)
class SearchResult:
    """One search that was made: what was searched, how, and every trial."""

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

    @property
    def objective(self) -> Objective:
        """What decides, or the first of several."""
        return self.objectives[0]

    @property
    def complete(self) -> list[Trial]:
        """The trials with a score, in order."""
        return [trial for trial in self.trials if trial.state == "complete"]

    @property
    def pruned(self) -> list[Trial]:
        """The trials that were stopped early."""
        return [trial for trial in self.trials if trial.state == "pruned"]

    @property
    def failed(self) -> list[Trial]:
        """The trials without a score."""
        return [trial for trial in self.trials if trial.state == "failed"]

    @property
    def ranked(self) -> list[Trial]:
        """The complete trials, the best first."""
        sign = -1 if self.objective.goal == "max" else 1
        return sorted(self.complete, key=lambda trial: (sign * trial.values[0], trial.number))

    @property
    def winner(self) -> Trial | None:
        """The best complete trial."""
        return best(self.trials, self.objective.goal)

    @property
    def baseline(self) -> Trial | None:
        """The trial of the recipe as it was."""
        return next((trial for trial in self.complete if trial.is_baseline), None)

    @property
    def front(self) -> list[Trial]:
        """The trials that none beats in all objectives; empty for one objective."""
        goals = [objective.goal for objective in self.objectives]
        return pareto(self.trials, goals) if len(goals) > 1 else []

    @property
    def seconds(self) -> float:
        """Training time of the runs that the search made."""
        return sum(trial.seconds for trial in self.trials)

    @property
    def saved(self) -> tuple[int, float]:
        """Epochs that stopping early saved, and about how many seconds those are."""
        epochs = sum(trial.saved for trial in self.pruned)
        made = sum(trial.epochs for trial in self.trials)
        return epochs, epochs * self.seconds / made if made else 0.0

    @property
    def curve(self) -> list[float]:
        """The budget curve, scaled: the expected best score of n of these trials, for n = 1, 2, ..."""
        scores = [trial.values[0] for trial in self.complete]
        return [value * self.objective.scale for value in expected_best(scores, self.objective.goal)]

    @property
    def edges(self) -> list[str]:
        """Where the chosen values lie at the edge of what was searched, in words."""
        if self.winner is None:
            return []
        found = []
        for dimension in self.space.dimensions:
            value = self.winner.params[dimension.name]
            end = dimension.edge(value)
            if end:
                found.append(f"{dimension.name} {shown(value)} is at the {end} end of {dimension.text}")
        return found


def shown(value: object) -> str:
    """A value as people write it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def values_of(trial: Trial) -> str:
    """The values of a trial in words."""
    return ", ".join(f"{name} {shown(value)}" for name, value in trial.params.items())


@dataclass(frozen=True)
class Searches:
    """The searches of a study by arm, the comparisons of re-tuned arms, and the command that made them."""

    by_arm: Mapping[str, SearchResult]
    comparisons: Sequence[Comparison]
    command: str

    @property
    def first(self) -> SearchResult:
        """The first search: those of other arms differ by their recipe alone."""
        return next(iter(self.by_arm.values()))


def read_searches(layout: Mapping[str, Any]) -> Searches | None:
    """The searches that a study's record holds, or None if it was not tuned."""
    plain = layout.get("tuning") or {}
    if not plain.get("searches"):
        return None
    by_arm = {label: _read(label, search) for label, search in plain["searches"].items()}
    comparisons = [Comparison(**row) for row in plain.get("comparisons", ())]
    return Searches(by_arm, comparisons, str(plain.get("command") or layout.get("command", "")))


def _read(label: str, plain: Mapping[str, Any]) -> SearchResult:
    known = {field.name for field in fields(SearchResult)}
    rest = {name: value for name, value in plain.items() if name in known}
    return SearchResult(
        **{
            **rest,
            "label": label,
            "objectives": [Objective(**objective) for objective in plain["objectives"]],
            "space": space_from(plain["space"]),
            "trials": [Trial.from_plain(trial) for trial in plain["trials"]],
        }
    )

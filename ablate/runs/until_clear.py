"""Sequential testing: add seeds until every comparison is settled, with interim analyses at fixed numbers of seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablate.errors import UsageError
from ablate.journal.run_journal import Run
from ablate.runs.run_table import run_table
from ablate.studies.study import Study
from ablate.wording import with_level

if TYPE_CHECKING:
    from ablate.stats.effects import Comparison, Monitoring

DESIGNS = ("leave-one-out", "add-one-in")


@dataclass(frozen=True)
class InterimDecision:
    """The decision of one interim analysis.

    Attributes:
        seeds: Number of seeds analysed.
        settled: Verdict by factor, of the comparisons that stop here.
        continued: Factors that need more seeds.
    """

    seeds: int
    settled: dict[str, str]
    continued: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The decision in one line."""
        settled = "; ".join(f"{factor}: {verdict}" for factor, verdict in self.settled.items()) or "nothing new settled"
        rest = f". More seeds for {', '.join(self.continued)}" if self.continued else ""
        return f"Interim analysis at {self.seeds} seeds: {settled}{rest}"


def planned_looks() -> list[list[float]]:
    """Return the numbers of seeds of the interim analyses, and the share of alpha that each spends."""
    from ablate.stats.effects import Looks

    looks = Looks()
    return [list(looks.seeds), list(looks.alphas)]


def last_look() -> int:
    """Return the number of seeds of the last analysis."""
    return int(planned_looks()[0][-1])


def check_design(study: Study) -> None:
    """Raise UsageError for a design without planned pairwise comparisons."""
    if study.design not in DESIGNS:
        raise UsageError(f"--until-clear supports {' and '.join(DESIGNS)}, not {study.design}")


class SequentialTest:
    """The interim analyses of a study. Train the missing runs, then analyse, until the test is done.

    Raises UsageError for a design without planned pairwise comparisons.
    """

    def __init__(self, study: Study, floor: float | None = None) -> None:
        from ablate.stats.effects import start_monitoring

        check_design(study)
        self._study, self._metric = study, study.workload.metric.with_floor(floor)
        self._state = start_monitoring(study.comparisons(), study.seed_list)

    @property
    def is_done(self) -> bool:
        """Whether every comparison is settled or at its last analysis."""
        return self._state.done

    def missing_runs(self, runs: Sequence[Run]) -> list[tuple[str, int]]:
        """Return the variants and seeds that the next analysis needs in addition to `runs`."""
        from ablate.stats.effects import missing_runs

        return missing_runs(self._state, run_table(runs, self._metric), self._metric)

    def analyse(self, runs: Sequence[Run]) -> InterimDecision:
        """Analyse `runs` at the next number of seeds."""
        from ablate.stats.effects import take_look

        before = self._state
        self._state = take_look(before, run_table(runs, self._metric), self._metric, self._study.margin)
        return _decision(before, self._state)

    @property
    def runs_saved(self) -> int:
        """How many runs of the whole design were not needed."""
        state, seeds = self._state, (0, *self._state.looks.seeds)
        longest = max(arm.stopped_at or state.taken for arm in state.arms)
        made = seeds[longest] + sum(seeds[arm.stopped_at or state.taken] for arm in state.arms)
        return len(self._study.resolved_design.arms) * seeds[-1] - made


def _decision(before: Monitoring, after: Monitoring) -> InterimDecision:
    settled = {
        _title(new.comparison): new.effect.verdict
        for old, new in zip(before.arms, after.arms, strict=True)
        if new.stopped_at and not old.stopped_at and new.effect
    }
    return InterimDecision(len(before.next_seeds), settled, tuple(map(_title, after.undecided)))


def _title(comparison: Comparison) -> str:
    """Return what a comparison changes: a factor, or the level of one."""
    return with_level(comparison.factor, comparison.level) if comparison.level else comparison.label

"""Adding seeds until it is clear: looks at fixed numbers of seeds, each with its share of alpha."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablate.errors import UsageError
from ablate.journal.run_journal import Run
from ablate.runs.run_table import run_table
from ablate.studies.study import Study

if TYPE_CHECKING:
    from ablate.stats.effects import Monitoring

DESIGNS = ("leave-one-out", "add-one-in")


@dataclass(frozen=True)
class Decision:
    """What one look decided: how many seeds it read, which factors are clear from then on, and which go on."""

    seeds: int
    clear: dict[str, str]
    going_on: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The decision in words."""
        clear = "; ".join(f"{factor}: {verdict}" for factor, verdict in self.clear.items()) or "nothing new is clear"
        rest = f"; more seeds for {', '.join(self.going_on)}" if self.going_on else ""
        return f"look at {self.seeds} seeds: {clear}{rest}"


def planned_looks() -> list[list[float]]:
    """Return the numbers of seeds at which a study is looked at, and the share of alpha that each look spends."""
    from ablate.stats.effects import Looks

    looks = Looks()
    return [list(looks.seeds), list(looks.alphas)]


def last_look() -> int:
    """Return the number of seeds that the last look reads."""
    return int(planned_looks()[0][-1])


def check_design(study: Study) -> None:
    """Raise UsageError for a design that plans no such comparisons."""
    if study.design not in DESIGNS:
        raise UsageError(f"--until-clear is for {' and '.join(DESIGNS)}, not for {study.design}")


def run_until_clear(
    study: Study,
    answers: Callable[[], Sequence[Run]],
    run: Callable[[Sequence[tuple[str, int]]], None],
    decided: Callable[[Decision], None],
    floor: float | None = None,
) -> Monitoring:
    """Look, run what the next look needs, look again; return how every comparison ended.

    `answers` gives the runs so far, `run` makes those of some (variant, seed) pairs, `decided` is told of each look.
    Raises UsageError for a design that plans no such comparisons.
    """
    from ablate.stats.effects import missing_runs, start_monitoring, take_look

    check_design(study)
    metric = study.workload.metric.with_floor(floor)
    state = start_monitoring(study.comparisons(), study.seed_list)
    while not state.done:
        run(missing_runs(state, run_table(answers(), study.workload.metric), metric))
        before, state = state, take_look(state, run_table(answers(), study.workload.metric), metric, study.margin)
        decided(_decision(before, state))
    return state


def _decision(before: Monitoring, after: Monitoring) -> Decision:
    stopped = {
        new.comparison.label: new.effect.verdict
        for old, new in zip(before.arms, after.arms, strict=True)
        if new.stopped_at and not old.stopped_at and new.effect
    }
    return Decision(len(before.next_seeds), stopped, tuple(row.label for row in after.undecided))


def spared(state: Monitoring, arms: int) -> int:
    """Return how many runs the looks spared against all arms at all seeds."""
    looks = (0, *state.looks.seeds)
    longest = max(arm.stopped_at or state.taken for arm in state.arms)
    made = looks[longest] + sum(looks[arm.stopped_at or state.taken] for arm in state.arms)
    return arms * state.looks.seeds[-1] - made

"""Sequential testing for `--until-clear`: looks at fixed numbers of seeds, each with its share of alpha."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from ablate.errors import UserError
from ablate.stats.effects.criteria import Criteria, PValues
from ablate.stats.effects.effect import Effect
from ablate.stats.effects.estimate import assemble, check_comparisons
from ablate.stats.effects.inference import PairedT
from ablate.stats.effects.looks import LookArrays, Looks, advance
from ablate.stats.effects.multiple_comparisons import counted_too, families
from ablate.stats.effects.pair_statistics import family_statistics, instability_p
from ablate.stats.effects.pairing import Arms, pair, read_arms
from ablate.stats.effects.types import FINAL, Comparison, Protocol
from ablate.stats.metric import Metric

if TYPE_CHECKING:
    import pandas as pd

MIN_SEEDS_TO_STOP = 5  # with fewer, a verdict is preliminary


@dataclass(frozen=True)
class MonitoredArm:
    """A monitored comparison: its sequential p-values, the look that stopped it (0: none), its latest effect."""

    comparison: Comparison
    p_seq: float = 1.0
    p_tost_seq: float = 1.0
    p_unreliable_seq: float = 1.0
    stopped_at: int = 0
    effect: Effect | None = None


@dataclass(frozen=True)
class Monitoring:
    """The state of a study with `--until-clear` after `taken` looks. `seeds` are in the order of their addition."""

    looks: Looks
    seeds: tuple[int, ...]
    arms: tuple[MonitoredArm, ...]
    taken: int = 0

    @property
    def undecided(self) -> tuple[Comparison, ...]:
        """The comparisons without a final verdict; none after the last look."""
        if self.taken == len(self.looks.seeds):
            return ()
        return tuple(arm.comparison for arm in self.arms if not arm.stopped_at)

    @property
    def done(self) -> bool:
        """Whether no more seeds are needed."""
        return not self.undecided

    @property
    def effects(self) -> list[Effect]:
        """The effect of each comparison at its latest look; empty before the first look."""
        return [arm.effect for arm in self.arms if arm.effect is not None]

    @property
    def next_seeds(self) -> tuple[int, ...]:
        """The seeds that the next look uses."""
        return () if self.done else self.seeds[: self.looks.seeds[self.taken]]

    @property
    def needed_runs(self) -> tuple[tuple[str, int], ...]:
        """The (variant, seed) pairs that the next look uses, references included, ordered by seed."""
        arms = dict.fromkeys(name for row in self.undecided for name in (row.reference, row.variant))
        return tuple((arm, seed) for seed in self.next_seeds for arm in arms)


def start_monitoring(comparisons: Sequence[Comparison], seeds: Sequence[int], looks: Looks | None = None) -> Monitoring:
    """Return the state before the first look. Raises UserError if too few seeds are planned for the last look."""
    looks = looks or Looks()
    if len(set(seeds)) != len(seeds) or len(seeds) < looks.seeds[-1]:
        raise UserError(f"The last look needs {looks.seeds[-1]} different seeds, but {len(set(seeds))} are planned")
    return Monitoring(looks, tuple(seeds), tuple(MonitoredArm(comparison) for comparison in comparisons))


def missing_runs(state: Monitoring, runs: pd.DataFrame, metric: Metric) -> list[tuple[str, int]]:
    """Return the (variant, seed) pairs that the next look lacks. Failed runs count as present, killed runs do not."""
    arms = read_arms(runs, metric)
    return [(arm, seed) for arm, seed in state.needed_runs if seed not in arms.get(arm).attempted]


def take_look(
    state: Monitoring, runs: pd.DataFrame, metric: Metric, margin: float, protocol: Protocol | None = None
) -> Monitoring:
    """Return the state after the next look at the runs, or the same state if no comparison is open.

    Uses only the seeds of the next look that both arms share. Run them first: see `missing_runs`.
    """
    check_comparisons([arm.comparison for arm in state.arms], margin)
    if state.done:
        return state
    runs_by_arm = read_arms(runs, metric, frozenset(state.next_seeds))
    criteria = Criteria(metric, margin, protocol or Protocol())
    arms = list(state.arms)
    comparisons = [arm.comparison for arm in state.arms]
    for indices in families(comparisons):
        others = counted_too([comparisons[index] for index in indices], comparisons)
        counted = [*indices, *map(comparisons.index, others)]
        family = _look_at_family([state.arms[index] for index in counted], runs_by_arm, criteria, state)
        for index, arm in zip(indices, family, strict=False):
            arms[index] = arm
    return replace(state, arms=tuple(arms), taken=state.taken + 1)


def replay(
    state: Monitoring, runs: pd.DataFrame, metric: Metric, margin: float, protocol: Protocol | None = None
) -> Monitoring:
    """Return the state after all looks whose runs are complete.

    Between looks the verdicts of the last look apply. Before the first look there are no effects.
    """
    while not state.done and not missing_runs(state, runs, metric):
        state = take_look(state, runs, metric, margin, protocol)
    return state


def _look_at_family(
    arms: Sequence[MonitoredArm], runs: Arms, criteria: Criteria, state: Monitoring
) -> list[MonitoredArm]:
    """Return a family's arms after one look. Stopped arms change only in Holm's p, the others get new effects."""
    alpha, m = state.looks.alphas[state.taken], len(arms)
    pairs = [pair(runs, arm.comparison) for arm in arms]
    statistics = family_statistics(pairs, criteria.margin, alpha)
    before = replace(
        LookArrays.initial((m,)),
        p=np.array([arm.p_seq for arm in arms]),
        p_tost=np.array([arm.p_tost_seq for arm in arms]),
        p_unreliable=np.array([arm.p_unreliable_seq for arm in arms]),
        stopped=np.array([arm.stopped_at > 0 for arm in arms]),
    )
    after = advance(before, stack(statistics), alpha, criteria.margin, criteria.metric.better, instability_p(pairs))
    columns = (after.p, after.p_holm, after.p_tost, after.p_tost_holm, after.p_unreliable_holm)
    found = []
    for i, arm in enumerate(arms):
        p, p_holm, p_tost, p_tost_holm, p_unreliable = (float(column[i]) for column in columns)
        p_values = PValues(p, p_holm, p_tost, p_tost_holm, p_unreliable, m, alpha)
        if arm.stopped_at:
            found.append(_stopped_arm(arm, p_values))
        else:
            effect = assemble(criteria, arm.comparison, pairs[i], statistics[i], p_values)
            found.append(_open_arm(arm.comparison, effect, float(after.p_unreliable[i]), state))
    return found


def stack(statistics: Sequence[PairedT]) -> PairedT:
    """Return the statistics of m comparisons as arrays of shape (m,). `n` is the smallest."""
    columns = {
        entry.name: np.array([getattr(row, entry.name) for row in statistics], dtype=float)
        for entry in fields(PairedT)
        if entry.name != "n"
    }
    return PairedT(n=min(row.n for row in statistics), **columns)


def _stopped_arm(arm: MonitoredArm, p_values: PValues) -> MonitoredArm:
    """Return a stopped arm with the family's new Holm p. Estimate, p_seq and verdict stay."""
    assert arm.effect is not None
    return replace(arm, effect=replace(arm.effect, p_holm=p_values.p_holm, p_tost_holm=p_values.p_tost_holm))


def _open_arm(comparison: Comparison, effect: Effect, p_unreliable: float, state: Monitoring) -> MonitoredArm:
    """Return an open arm after a look, which stops it if the verdict is final."""
    look, rule = state.taken + 1, effect.evidence.rule
    stops = rule in FINAL and effect.n >= MIN_SEEDS_TO_STOP
    early = stops and look < len(state.looks.seeds)
    effect = replace(effect, evidence=replace(effect.evidence, look=look, stopped_early=early))
    return MonitoredArm(comparison, effect.p, effect.p_tost, p_unreliable, look if stops else 0, effect)

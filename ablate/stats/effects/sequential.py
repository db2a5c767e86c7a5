"""Adding seeds until it is clear: looks at fixed sizes, each with its share of alpha."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ablate.errors import UserError
from ablate.stats.effects.estimate import Question, Tested, assemble, check_plan, differences, families
from ablate.stats.effects.inference import CODES, Floats, PairedT, holm, judge, paired_t, unreliable
from ablate.stats.effects.pairing import ArmRuns, pair, read_arms
from ablate.stats.effects.types import ALPHA, FINAL, Comparison, Effect, Protocol
from ablate.stats.metric import Metric

if TYPE_CHECKING:
    import pandas as pd

FINAL_CODES = np.array([CODES[rule] for rule in FINAL])
FEWEST_TO_STOP = 5  # below, a verdict is preliminary


@dataclass(frozen=True)
class Looks:
    """The numbers of seeds at which a study is looked at, and the share of alpha that each look spends."""

    seeds: tuple[int, ...] = (5, 10, 20)
    alphas: tuple[float, ...] = (0.015, 0.015, 0.020)

    def __post_init__(self) -> None:
        if len(self.seeds) != len(self.alphas) or list(self.seeds) != sorted(set(self.seeds)) or self.seeds[:1] < (3,):
            raise UserError(f"looks {self.seeds}: give growing numbers of seeds from 3, with one alpha each")
        if min(self.alphas) <= 0 or sum(self.alphas) > ALPHA + 1e-12:
            raise UserError(f"the alphas {self.alphas} of the looks must be positive and sum to at most {ALPHA}")


@dataclass(frozen=True)
class LookArrays:
    """Where the comparisons of a family stand, by array of shape (..., m): p_seq, verdict codes, who has stopped."""

    p: Floats
    p_tost: Floats
    p_holm: Floats
    p_tost_holm: Floats
    codes: NDArray[np.int_]
    stopped: NDArray[np.bool_]

    @classmethod
    def before(cls, shape: tuple[int, ...]) -> LookArrays:
        """Before the first look."""
        ones = np.ones(shape)
        return cls(ones, ones, ones, ones, np.full(shape, -1), np.zeros(shape, dtype=bool))


def advance(
    before: LookArrays,
    statistics: PairedT,
    alpha: float,
    margin: float,
    better: int = 1,
    trains_badly: ArrayLike = False,
    may_stop: ArrayLike = True,
) -> LookArrays:
    """One look: p_seq = min_k p_k (.05/alpha_k), Holm over the last axis, verdicts, and who stops.

    `statistics` must come from paired_t at this look's alpha. Stopped comparisons keep p_seq and verdict and stay in
    the family. (Bonferroni over the looks: each holds its alpha_k, so the smallest p_seq holds their sum, .05.)
    """
    p = np.where(before.stopped, before.p, np.fmin(before.p, statistics.p * (ALPHA / alpha)))
    p_tost = np.where(before.stopped, before.p_tost, np.fmin(before.p_tost, statistics.p_tost * (ALPHA / alpha)))
    p_holm, p_tost_holm = holm(p), holm(p_tost)
    codes = judge(statistics, p_holm, p_tost_holm, trains_badly, margin, better)
    codes = np.where(before.stopped, before.codes, codes)
    stopped = before.stopped | (np.isin(codes, FINAL_CODES) & np.asarray(may_stop))
    return LookArrays(p, p_tost, p_holm, p_tost_holm, codes, stopped)


@dataclass(frozen=True)
class MonitoredArm:
    """One comparison under monitoring: its sequential p values, the look that stopped it (0: none), its last Effect."""

    comparison: Comparison
    p_seq: float = 1.0
    p_tost_seq: float = 1.0
    stopped_at: int = 0
    effect: Effect | None = None


@dataclass(frozen=True)
class Monitoring:
    """A study under `--until-clear` after `taken` looks; `seeds` are the planned ones in the order they are added."""

    looks: Looks
    seeds: tuple[int, ...]
    arms: tuple[MonitoredArm, ...]
    taken: int = 0

    @property
    def going_on(self) -> tuple[Comparison, ...]:
        """The comparisons without a final verdict, while looks are left."""
        if self.taken == len(self.looks.seeds):
            return ()
        return tuple(arm.comparison for arm in self.arms if not arm.stopped_at)

    @property
    def done(self) -> bool:
        """Whether no further seed will be run."""
        return not self.going_on

    @property
    def effects(self) -> list[Effect]:
        """Each comparison at the look that holds for it; empty before the first look."""
        return [arm.effect for arm in self.arms if arm.effect is not None]

    @property
    def next_seeds(self) -> tuple[int, ...]:
        """The seeds that the next look reads."""
        return () if self.done else self.seeds[: self.looks.seeds[self.taken]]

    @property
    def needed(self) -> tuple[tuple[str, int], ...]:
        """The (variant, seed) pairs that the next look reads, references included, seed-major."""
        arms = dict.fromkeys(name for row in self.going_on for name in (row.reference, row.variant))
        return tuple((arm, seed) for seed in self.next_seeds for arm in arms)


def begin(comparisons: Sequence[Comparison], seeds: Sequence[int], looks: Looks | None = None) -> Monitoring:
    """A study before its first look. Raises UserError if the planned seeds do not reach the last look."""
    looks = looks or Looks()
    if len(set(seeds)) != len(seeds) or len(seeds) < looks.seeds[-1]:
        raise UserError(f"the last look reads {looks.seeds[-1]} different seeds, {len(set(seeds))} are planned")
    return Monitoring(looks, tuple(seeds), tuple(MonitoredArm(comparison) for comparison in comparisons))


def missing_runs(state: Monitoring, runs: pd.DataFrame, metric: Metric) -> list[tuple[str, int]]:
    """The (variant, seed) pairs that the next look still waits for; failed runs count as made, killed ones do not."""
    arms = read_arms(runs, metric)
    return [(arm, seed) for arm, seed in state.needed if seed not in arms.get(arm, ArmRuns()).attempted]


def take_look(
    state: Monitoring, runs: pd.DataFrame, metric: Metric, margin: float, protocol: Protocol | None = None
) -> Monitoring:
    """The state after the next look at the runs; the same state if nothing goes on.

    Reads only the next look's seeds that both arms share; whoever calls sees to it that they have been run
    (`missing_runs`). Which arms are final: `stopped_at`; which go on: `going_on`.
    """
    check_plan([arm.comparison for arm in state.arms], margin)
    if state.done:
        return state
    question = Question(metric, margin, protocol or Protocol())
    runs_by_arm = read_arms(runs, metric, frozenset(state.next_seeds))
    arms = list(state.arms)
    for places in families([arm.comparison for arm in state.arms]):
        family = _look_at_family([state.arms[place] for place in places], runs_by_arm, question, state)
        for place, arm in zip(places, family, strict=True):
            arms[place] = arm
    return replace(state, arms=tuple(arms), taken=state.taken + 1)


def replay(
    state: Monitoring, runs: pd.DataFrame, metric: Metric, margin: float, protocol: Protocol | None = None
) -> Monitoring:
    """Every look from this state on for which all runs are there: what a report of `--until-clear` shows.

    Between looks the last look's verdicts stand; before the first there are no effects.
    """
    while not state.done and not missing_runs(state, runs, metric):
        state = take_look(state, runs, metric, margin, protocol)
    return state


def _look_at_family(
    arms: Sequence[MonitoredArm], runs: dict[str, ArmRuns], question: Question, state: Monitoring
) -> list[MonitoredArm]:
    """One look at one family: stopped arms stay as they are but for Holm, the others get new effects."""
    alpha, m = state.looks.alphas[state.taken], len(arms)
    pairs = [pair(runs, arm.comparison) for arm in arms]
    statistics = [paired_t(differences(row), question.margin, alpha, m) for row in pairs]
    start = LookArrays.before((m,))
    before = replace(
        start,
        p=np.array([arm.p_seq for arm in arms]),
        p_tost=np.array([arm.p_tost_seq for arm in arms]),
        stopped=np.array([arm.stopped_at > 0 for arm in arms]),
    )
    after = advance(
        before,
        stack(statistics),
        alpha,
        question.margin,
        question.metric.better,
        [bool(unreliable(len(row.unstable), len(row.reference_unstable), row.n)) for row in pairs],
        [row.n >= FEWEST_TO_STOP for row in pairs],
    )
    columns = (after.p, after.p_holm, after.p_tost, after.p_tost_holm)
    tested = [
        Tested(p, p_holm, p_tost, p_tost_holm, m, alpha)
        for p, p_holm, p_tost, p_tost_holm in zip(*(column.tolist() for column in columns), strict=True)
    ]
    return [
        _frozen(arm, tested[i])
        if arm.stopped_at
        else _next(arm, assemble(question, arm.comparison, pairs[i], statistics[i], tested[i]), state, after.stopped[i])
        for i, arm in enumerate(arms)
    ]


def stack(statistics: Sequence[PairedT]) -> PairedT:
    """The statistics of single comparisons as arrays of shape (m,); n is the smallest."""
    columns = {
        entry.name: np.array([getattr(row, entry.name) for row in statistics], dtype=float)
        for entry in fields(PairedT)
        if entry.name != "n"
    }
    return PairedT(n=min(row.n for row in statistics), **columns)


def _frozen(arm: MonitoredArm, tested: Tested) -> MonitoredArm:
    """A stopped arm: its estimate, p_seq and verdict stand; Holm's p follow the family."""
    assert arm.effect is not None
    return replace(arm, effect=replace(arm.effect, p_holm=tested.p_holm, p_tost_holm=tested.p_tost_holm))


def _next(arm: MonitoredArm, effect: Effect, state: Monitoring, stops: bool) -> MonitoredArm:
    """An arm after a look that it took part in."""
    look = state.taken + 1
    early = bool(stops) and look < len(state.looks.seeds)
    effect = replace(effect, evidence=replace(effect.evidence, look=look, stopped_early=early))
    return MonitoredArm(arm.comparison, effect.p, effect.p_tost, look if stops else 0, effect)

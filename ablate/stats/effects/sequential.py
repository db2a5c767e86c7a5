"""Sequential testing for `--until-clear`: looks at fixed numbers of seeds, each with its share of alpha."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ablate.errors import UserError
from ablate.stats.effects.estimate import Criteria, PValues, assemble, check_comparisons, differences, families
from ablate.stats.effects.inference import CODES, Floats, PairedT, holm, judge, paired_t, unreliable
from ablate.stats.effects.pairing import ArmRuns, pair, read_arms
from ablate.stats.effects.types import ALPHA, FINAL, Comparison, Effect, Protocol
from ablate.stats.metric import Metric

if TYPE_CHECKING:
    import pandas as pd

FINAL_CODES = np.array([CODES[rule] for rule in FINAL])
MIN_SEEDS_TO_STOP = 5  # with fewer, a verdict is preliminary


@dataclass(frozen=True)
class Looks:
    """The interim analyses of a study: their numbers of seeds, and the share of alpha that each spends."""

    seeds: tuple[int, ...] = (5, 10, 20)
    alphas: tuple[float, ...] = (0.015, 0.015, 0.020)

    def __post_init__(self) -> None:
        if len(self.seeds) != len(self.alphas) or list(self.seeds) != sorted(set(self.seeds)) or self.seeds[:1] < (3,):
            raise UserError(f"Looks need increasing numbers of seeds from 3, with one alpha each, not {self.seeds}")
        if min(self.alphas) <= 0 or sum(self.alphas) > ALPHA + 1e-12:
            raise UserError(f"The alphas of the looks must be positive and sum to at most {ALPHA}, not {self.alphas}")


@dataclass(frozen=True)
class LookArrays:
    """The state of a family's m comparisons as arrays of shape (..., m): p_seq, verdict codes, stopped."""

    p: Floats
    p_tost: Floats
    p_holm: Floats
    p_tost_holm: Floats
    codes: NDArray[np.int_]
    stopped: NDArray[np.bool_]

    @classmethod
    def initial(cls, shape: tuple[int, ...]) -> LookArrays:
        """Return the state before the first look."""
        ones = np.ones(shape)
        return cls(ones, ones, ones, ones, np.full(shape, -1), np.zeros(shape, dtype=bool))


def advance(
    before: LookArrays,
    statistics: PairedT,
    alpha: float,
    margin: float,
    better: int = 1,
    is_unreliable: ArrayLike = False,
    may_stop: ArrayLike = True,
) -> LookArrays:
    """Return the state after one look: p_seq = min_k p_k (.05/alpha_k), Holm over the last axis, verdicts, stops.

    Bonferroni over the looks: each keeps its alpha_k, so the smallest p_seq keeps their sum, .05. Stopped comparisons
    keep their p_seq and verdict and remain in the family.

    Args:
        before: The state before the look.
        statistics: The result of `paired_t` at this look's alpha.
        alpha: This look's share of alpha.
        margin: The smallest difference that matters.
        better: +1 if higher is better, else -1.
        is_unreliable: Whether each variant trains unreliably.
        may_stop: Whether each comparison has enough seeds to stop.
    """
    p = np.where(before.stopped, before.p, np.fmin(before.p, statistics.p * (ALPHA / alpha)))
    p_tost = np.where(before.stopped, before.p_tost, np.fmin(before.p_tost, statistics.p_tost * (ALPHA / alpha)))
    p_holm, p_tost_holm = holm(p), holm(p_tost)
    codes = judge(statistics, p_holm, p_tost_holm, is_unreliable, margin, better)
    codes = np.where(before.stopped, before.codes, codes)
    stopped = before.stopped | (np.isin(codes, FINAL_CODES) & np.asarray(may_stop))
    return LookArrays(p, p_tost, p_holm, p_tost_holm, codes, stopped)


@dataclass(frozen=True)
class MonitoredArm:
    """A monitored comparison: its sequential p-values, the look that stopped it (0: none), its latest effect."""

    comparison: Comparison
    p_seq: float = 1.0
    p_tost_seq: float = 1.0
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
    return [(arm, seed) for arm, seed in state.needed_runs if seed not in arms.get(arm, ArmRuns()).attempted]


def take_look(
    state: Monitoring, runs: pd.DataFrame, metric: Metric, margin: float, protocol: Protocol | None = None
) -> Monitoring:
    """Return the state after the next look at the runs, or the same state if no comparison is open.

    Uses only the seeds of the next look that both arms share. Run them first: see `missing_runs`.
    """
    check_comparisons([arm.comparison for arm in state.arms], margin)
    if state.done:
        return state
    criteria = Criteria(metric, margin, protocol or Protocol())
    runs_by_arm = read_arms(runs, metric, frozenset(state.next_seeds))
    arms = list(state.arms)
    for indices in families([arm.comparison for arm in state.arms]):
        family = _look_at_family([state.arms[index] for index in indices], runs_by_arm, criteria, state)
        for index, arm in zip(indices, family, strict=True):
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
    arms: Sequence[MonitoredArm], runs: dict[str, ArmRuns], criteria: Criteria, state: Monitoring
) -> list[MonitoredArm]:
    """Return a family's arms after one look. Stopped arms change only in Holm's p, the others get new effects."""
    alpha, m = state.looks.alphas[state.taken], len(arms)
    pairs = [pair(runs, arm.comparison) for arm in arms]
    statistics = [paired_t(differences(row), criteria.margin, alpha, m) for row in pairs]
    start = LookArrays.initial((m,))
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
        criteria.margin,
        criteria.metric.better,
        [bool(unreliable(len(row.unstable), len(row.reference_unstable), row.n)) for row in pairs],
        [row.n >= MIN_SEEDS_TO_STOP for row in pairs],
    )
    columns = (after.p, after.p_holm, after.p_tost, after.p_tost_holm)
    p_values = [
        PValues(p, p_holm, p_tost, p_tost_holm, m, alpha)
        for p, p_holm, p_tost, p_tost_holm in zip(*(column.tolist() for column in columns), strict=True)
    ]
    return [
        _stopped_arm(arm, p_values[i])
        if arm.stopped_at
        else _open_arm(
            arm, assemble(criteria, arm.comparison, pairs[i], statistics[i], p_values[i]), state, after.stopped[i]
        )
        for i, arm in enumerate(arms)
    ]


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


def _open_arm(arm: MonitoredArm, effect: Effect, state: Monitoring, stops: bool) -> MonitoredArm:
    """Return an open arm after a look."""
    look = state.taken + 1
    early = bool(stops) and look < len(state.looks.seeds)
    effect = replace(effect, evidence=replace(effect.evidence, look=look, stopped_early=early))
    return MonitoredArm(arm.comparison, effect.p, effect.p_tost, look if stops else 0, effect)

"""Tests of all levels of a component at once: whether they differ, and whether the scores follow a numeric level."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from ablate.stats.effects.inference import Floats
from ablate.stats.effects.multiple_comparisons import holm
from ablate.stats.effects.pairing import Scores
from ablate.stats.effects.types import ALPHA, MIN_SEEDS, Protocol, Verdict
from ablate.stats.effects.verdicts import protocol_prefixes, unstable_runs
from ablate.stats.levels.groups import Level, LevelGroup
from ablate.stats.levels.rank_tests import RankTest, friedman, page, smallest_friedman_p, smallest_page_p

if TYPE_CHECKING:
    import pandas as pd

TestName = Literal["Friedman", "Page", "F"]

DIFFER = "the levels differ"
RISES, FALLS = "tends to rise with the value", "tends to fall with the value"
INTERACT = "the effects depend on each other"


@dataclass(frozen=True)
class LevelTest:
    """A test of all levels of a component, or of the interaction of two.

    Attributes:
        test: "Friedman" (do the levels differ), "Page" (is there a monotone trend) or "F" (of a factorial design).
        term: The component, or two joined by " x ".
        reference: The variant with the baseline's level; empty for averages over the other components.
        levels: The levels; ascending for a trend, the reference's first otherwise; none for an interaction.
        n: Number of seeds.
        statistic: Chi-square of Friedman's test, the mean rank correlation of Page's, or F.
        freedom: Degrees of freedom of F, numerator and denominator; NaN for the rank tests, which are permutations.
        p: P-value.
        p_holm: After Holm's correction over the tests of the same kind.
        n_unstable: Unstable runs among those of the test.
        aliases: Interactions that the design cannot distinguish from this term.
        reachable: Whether this number of seeds can give p_holm < .05.
        verdict: The verdict with its prefixes.
    """

    test: TestName
    term: str
    reference: str
    levels: tuple[Level, ...]
    n: int
    statistic: float
    p: float
    p_holm: float = math.nan
    freedom: tuple[float, float] = (math.nan, math.nan)
    n_unstable: int = 0
    runs: int = 0
    aliases: tuple[str, ...] = ()
    reachable: bool = True
    planned: bool = True
    verdict: str = ""

    @property
    def is_shown(self) -> bool:
        """Whether the test shows a difference, a trend or an interaction."""
        return self.n >= MIN_SEEDS and self.p_holm < ALPHA


def omnibus_tests(
    groups: Sequence[LevelGroup], scores: Scores, better: int, protocol: Protocol | None = None
) -> list[LevelTest]:
    """Return Friedman's test for each group of levels, with the seeds as blocks and Holm's correction over the groups.

    Args:
        groups: Variants that differ in one component.
        scores: The scores of the study. An unstable run without a score is the worst of its seed.
        better: +1 if higher is better, else -1.
        protocol: What was fixed before the runs; everything by default.
    """
    rows = [_rank_test("Friedman", friedman, group, scores, better) for group in groups]
    least = [smallest_friedman_p(row.n, len(row.levels)) for row in rows]
    return judged_tests(_with_reachable(rows, least), protocol or Protocol())


def trend_tests(
    groups: Sequence[LevelGroup], scores: Scores, better: int, protocol: Protocol | None = None
) -> list[LevelTest]:
    """Return Page's test for each group whose levels are numbers. The arguments are those of `omnibus_tests`."""
    return judged_tests(trend_rows(groups, scores, better), protocol or Protocol())


def trend_rows(groups: Sequence[LevelGroup], scores: Scores, better: int) -> list[LevelTest]:
    """Return Page's tests before Holm's correction, without verdicts."""
    numeric = [group for group in groups if group.is_numeric]
    rows = [
        replace(_rank_test("Page", page, group.ascending(), scores, better), reference=group.reference)
        for group in numeric
    ]
    return _with_reachable(rows, [smallest_page_p(row.n, len(row.levels)) for row in rows])


def _with_reachable(rows: Sequence[LevelTest], least: Sequence[float]) -> list[LevelTest]:
    """Return the tests with whether their smallest p-values pass Holm's first step."""
    return [replace(row, reachable=p * len(rows) <= ALPHA) for row, p in zip(rows, least, strict=True)]


def _rank_test(
    name: TestName, test: Callable[[Floats], RankTest], group: LevelGroup, scores: Scores, better: int
) -> LevelTest:
    """Return a rank test over the seeds with a result for every level."""
    blocks, unstable = _blocks(scores.values, scores.unstable, group.variants, better)
    found = test(blocks)
    return LevelTest(
        name, group.factor, group.reference, group.levels, len(blocks), found.statistic, found.p,
        n_unstable=unstable, runs=blocks.size, planned=group.planned,
    )  # fmt: skip


def _blocks(scores: pd.DataFrame, unstable: pd.DataFrame, variants: Sequence[str], better: int) -> tuple[Floats, int]:
    """Return the scores of the complete seeds, seeds x variants, and the number of unstable runs among them."""
    values = scores.reindex(list(variants)).to_numpy(dtype=np.float64)
    marks = unstable.reindex(index=list(variants), columns=scores.columns, fill_value=False).to_numpy(dtype=bool)
    complete = (~np.isnan(values) | marks).all(axis=0)
    values, marks = values[:, complete], marks[:, complete]
    return np.where(np.isnan(values), -better * math.inf, values).T, int(marks.sum())


def judged_tests(rows: Sequence[LevelTest], protocol: Protocol, *, screening: bool = False) -> list[LevelTest]:
    """Return the tests with Holm's correction over them, and verdicts."""
    adjusted: list[float] = holm([row.p for row in rows]).tolist() if rows else []
    rows = [replace(row, p_holm=p) for row, p in zip(rows, adjusted, strict=True)]
    return [replace(row, verdict=_verdict(row, protocol, screening)) for row in rows]


def _verdict(row: LevelTest, protocol: Protocol, screening: bool) -> str:
    if row.n < MIN_SEEDS:
        rule = str(Verdict.SINGLE if row.n == 1 else Verdict.TOO_FEW)
    elif math.isnan(row.p):
        rule = str(Verdict.IDENTICAL)
    elif not row.is_shown:
        rule = str(Verdict.INCONCLUSIVE)
    elif row.test == "Page":
        rule = RISES if row.statistic > 0 else FALLS
    else:
        rule = INTERACT if " x " in row.term else DIFFER
    qualified = Verdict.IDENTICAL if math.isnan(row.p) else Verdict.INCONCLUSIVE
    before = [
        *(["screening"] if screening and row.aliases else []),
        *protocol_prefixes(qualified, row.n, row.planned, protocol),
    ]
    unstable = unstable_runs(row.n_unstable, row.runs)
    return ": ".join([*before, *([unstable] if unstable else []), rule])

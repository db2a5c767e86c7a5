"""Results about factors with levels: tests of all levels at once, trends, and averages of factorial designs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ablate.errors import UserError
from ablate.report.study_data import StudyData
from ablate.stats.effects import Effect, Scores
from ablate.stats.effects.criteria import Criteria
from ablate.stats.effects.types import Protocol

if TYPE_CHECKING:
    from ablate.stats.attribution import FactorialContrast
    from ablate.stats.levels.factorial import LevelFactorial
    from ablate.stats.levels.level_tests import LevelTest

FACTORIAL_DESIGNS = ("factorial", "fractional", "plackett-burman")


@dataclass(frozen=True)
class LevelResults:
    """The results of a study whose components have levels.

    Attributes:
        tests: Whether the levels of each component differ: Friedman's tests, or the F tests of a factorial design.
        interactions: F tests of the pairs of a factorial design.
        trends: Page's tests of the components whose levels are numbers.
        factorial: The analysis of a factorial design; None for other designs, and without a complete seed.
        synergies: Synergies of each two levels at the baseline, of a design that changes pairs of components.
    """

    tests: Sequence[LevelTest] = ()
    interactions: Sequence[LevelTest] = ()
    trends: Sequence[LevelTest] = ()
    factorial: LevelFactorial | None = None
    synergies: Sequence[FactorialContrast] = ()

    @property
    def every(self) -> list[LevelTest]:
        """All tests, in the order of the report."""
        return [*self.tests, *self.trends, *self.interactions]

    @property
    def variants(self) -> list[str]:
        """The variants that averages of levels contain; none for other designs."""
        return [] if self.factorial is None else list(self.factorial.design.variants)


def level_results(study: StudyData, scores: Scores) -> LevelResults:
    """Return the results about levels; nothing for a study whose factors are on or off only, or without pairs."""
    if not study.levels.shape[1] or not study.has_paired_seeds:
        return LevelResults()
    if study.design_name in FACTORIAL_DESIGNS:
        return _of_factorial(study, scores)
    from ablate.stats.levels.groups import level_groups
    from ablate.stats.levels.level_tests import omnibus_tests, trend_tests

    groups = level_groups(study.comparisons, study.levels)
    protocol, better = level_protocol(study), study.metric.better
    return LevelResults(
        tests=omnibus_tests(groups, scores, better, protocol),
        trends=trend_tests(groups, scores, better, protocol),
        synergies=_synergies(study, scores) if study.design_name == "pairs" else (),
    )


def _synergies(study: StudyData, scores: Scores) -> list[FactorialContrast]:
    from ablate.stats.attribution.contrasts import ContrastCriteria
    from ablate.stats.attribution.synergies import synergies_of
    from ablate.stats.levels.groups import synergy_variants

    criteria = ContrastCriteria(study.margin, study.metric.goal, study.protocol)
    variants = synergy_variants(study.levels, study.baseline)
    found = synergies_of(variants, scores.values.reindex(study.levels.index), criteria, scores.unstable)
    return found if any(row.n for row in found) else []


def level_protocol(study: StudyData) -> Protocol:
    """Return the protocol of the tests of all levels, which sequential testing does not correct."""
    return study.protocol if study.looks is None else replace(study.protocol, planned=False)


def _of_factorial(study: StudyData, scores: Scores) -> LevelResults:
    from ablate.stats.levels.averages import average_scores
    from ablate.stats.levels.factorial import level_factorial
    from ablate.stats.levels.level_tests import judged_tests, trend_rows

    try:
        found = level_factorial(study.levels, scores, study.margin, study.metric.goal, study.baseline, study.protocol)
    except UserError:  # no complete seed yet
        return LevelResults()
    groups, averages = average_scores(found)
    unstable = sum(map(len, found.unstable.values()))
    rows = [
        replace(row, reference="", n_unstable=unstable, runs=found.runs, aliases=found.aliases((row.term,)))
        for row in trend_rows(groups, averages, study.metric.better)
    ]
    trends = judged_tests(rows, study.protocol, screening=found.model.is_screening)
    mains = [test for test in found.tests if test.levels]
    return LevelResults(mains, [test for test in found.tests if not test.levels], trends, found)


def level_main_effects(study: StudyData, results: LevelResults, scores: Scores) -> list[Effect]:
    """Return the effect of each level against the baseline's, averaged over the other components."""
    from ablate.stats.levels.averages import level_effects

    if results.factorial is None:
        return []
    criteria = Criteria(study.metric, study.margin, study.protocol)
    return level_effects(results.factorial, criteria, planned_seeds=len(study.seeds), repeats=scores.repeats)

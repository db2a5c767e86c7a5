"""Components with levels: whether the levels differ, trends over numeric values, and aliases of a fraction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ablate.report.accounting import scores_repeat
from ablate.report.analysis import Analysis
from ablate.report.formats.markdown_text import MOST_ROWS, bold, bullets, escape, table
from ablate.report.formats.numbers import DASH, plain, probability
from ablate.report.main_effects import AVERAGED
from ablate.report.plots.render import Plot
from ablate.report.sections.plots import plots_in
from ablate.stats.effects.number_text import p_value
from ablate.stats.effects.types import MIN_SEEDS
from ablate.stats.effects.verdicts import PREFIXES, seed_list
from ablate.stats.levels.groups import value_text
from ablate.wording import count, in_words, listed

if TYPE_CHECKING:
    from ablate.stats.levels.factorial import LevelFactorial
    from ablate.stats.levels.level_tests import LevelTest

TITLE = "All levels of a component"
_MOST_SENTENCES = 40
_MOST_LEVELS = 8
_COLUMNS = ("component", "verdict", "p (Holm)", "statistic", "seeds", "levels")

_TESTS = {"Friedman": "Friedman's test, ", "Page": "Page's test, ", "F": ""}


def level_sentences(analysis: Analysis) -> list[str]:
    """Return a sentence per test of all levels: "optimizer (sgd, adam, muon): the levels differ (...)."."""
    return [_sentence(test, analysis) for test in analysis.levels.every]


def levels_in_short(analysis: Analysis) -> list[str]:
    """Return the sentences of the answer: without those of two levels, and of interactions that are not shown."""
    found = analysis.levels
    hidden = [test for test in found.interactions if not test.is_shown]
    chosen = [test for test in found.every if len(test.levels) != 2 and test not in hidden]
    rest = [f"No interaction is shown for {count(len(hidden), 'pair')} of components."] if hidden else []
    return [*(_sentence(test, analysis) for test in chosen[:_MOST_SENTENCES]), *rest]


def level_facts(analysis: Analysis) -> list[dict[str, Any]]:
    """Return the tests of all levels as plain data, the rows of levels.csv."""
    return [
        {
            "test": test.test, "component": test.term, "reference": test.reference,
            "levels": ", ".join(map(value_text, test.levels)), "n": test.n, "statistic": test.statistic,
            "df": test.freedom[0], "df_error": test.freedom[1], "p": test.p, "p_holm": test.p_holm,
            "n_unstable": test.n_unstable, "aliases": " = ".join(test.aliases), "verdict": test.verdict,
        }
        for test in analysis.levels.every
    ]  # fmt: skip


def levels_section(analysis: Analysis, plots: Sequence[Plot]) -> str:
    """Return the section: the tests of all levels, trends, and what a factorial design leaves out."""
    found = analysis.levels
    if not found.every:
        return ""
    parts = [_explained(analysis), _table(found.tests, analysis)] if found.tests else []
    if found.trends or plots_in(plots, "dose_response"):
        parts += ["### Values that are numbers", *_trends(found.trends, analysis), *plots_in(plots, "dose_response")]
    if found.interactions:
        words = f"Whether the effect of the levels of one component depends on another's, {AVERAGED}."
        parts += ["### Interactions of levels", escape(words), _table(found.interactions, analysis)]
        parts += plots_in(plots, "level_interactions")
    parts += [] if found.factorial is None else _design_notes(found.factorial)
    return "\n\n".join([f"## {TITLE}", *parts])


def _sentence(test: LevelTest, analysis: Analysis) -> str:
    words = [word for word in test.verdict.split(": ")[:-1] if word in PREFIXES]
    prefix = ", ".join(words)
    unstable = next((part for part in test.verdict.split(": ") if part.startswith("unstable in")), "")
    subject = _subject(test, analysis) + (f" ({unstable})" if unstable else "")
    start = f"{prefix[0].upper()}{prefix[1:]}: {subject}" if prefix else subject
    return f"{start}: {_finding(test, analysis)}."


def _subject(test: LevelTest, analysis: Analysis) -> str:
    name = in_words(test.term)
    if test.test == "Page":
        name += f" from {value_text(test.levels[0])} to {value_text(test.levels[-1])}"
    elif test.levels:
        name += f" ({listed(map(value_text, test.levels), _MOST_LEVELS)})"
    where = {"": f", {AVERAGED}", "none": ", in the bare recipe", analysis.study.baseline: ""}
    return name + where.get(test.reference, f", at {test.reference}")


def _finding(test: LevelTest, analysis: Analysis) -> str:
    metric, seeds = analysis.study.metric.label, count(test.n, "seed")
    if test.n < MIN_SEEDS and scores_repeat(analysis):
        return "no test, because every variant repeats its score exactly over the seeds"
    if test.n < MIN_SEEDS:
        return f"no test with {seeds} that all levels share"
    if math.isnan(test.p):
        return f"no test, because the scores of its levels do not vary or are not finite ({seeds})"
    basis = f"({_TESTS[test.test]}{_statistic(test)}, {seeds}, p_Holm {p_value(test.p_holm)})"
    limits = "" if test.reachable else f", and {seeds} cannot show one in {_family(test)}"
    if test.test == "Page":
        if not test.is_shown:
            return f"no trend of {metric} over the values is shown {basis}{limits}"
        return f"{metric} {test.verdict.split(': ')[-1]} {basis}"
    if not test.is_shown:
        what = "interaction" if not test.levels else "difference between the levels"
        return f"no {what} is shown {basis}{limits}"
    return f"{test.verdict.split(': ')[-1]} {basis}"


def _family(test: LevelTest) -> str:
    """Return the tests that Holm's correction counts."""
    return "this many trends" if test.test == "Page" else "this many components"


def _statistic(test: LevelTest) -> str:
    if test.test == "Friedman":
        return f"chi-square {plain(test.statistic, 2)}"
    if test.test == "Page":
        return f"mean rank correlation {plain(test.statistic, 2)}"
    return f"F({test.freedom[0]:g}, {test.freedom[1]:g}) = {plain(test.statistic, 2)}"


def _explained(analysis: Analysis) -> str:
    if analysis.levels.factorial is not None:
        words = (
            f"One test per component: do its levels differ at all, {AVERAGED}? F by least squares with the seeds as "
            "blocks; the noise is the variation between seeds within a variant, so that it contains no interaction. It "
            "assumes that the noise of all variants is the same. "
        )
    else:
        words = (
            "One test per component: do its levels differ at all? Friedman's test ranks the levels within each seed, "
            "with exact p-values. "
        )
    words += "p is corrected for the number of components (Holm). Which level differs is in the results above."
    if analysis.study.looks is not None:
        words += " These tests were not planned for sequential testing, so they are exploratory."
    return escape(words)


def _table(tests: Sequence[LevelTest], analysis: Analysis) -> str:
    unnamed = ("", analysis.study.baseline)
    rows = [
        [
            escape(in_words(test.term) + (f", {test.reference}" if test.reference not in unnamed else "")),
            escape(test.verdict),
            escape(probability(test.p_holm)),
            escape(DASH if math.isnan(test.statistic) else _statistic(test)),
            str(test.n),
            escape(listed(map(value_text, test.levels), _MOST_LEVELS)) if test.levels else DASH,
        ]
        for test in tests[:MOST_ROWS]
    ]
    return table(_COLUMNS, rows, numeric=(2, 4))


def _trends(tests: Sequence[LevelTest], analysis: Analysis) -> list[str]:
    if not tests:
        return []
    words = (
        "Whether the score follows the values, in one direction over all of them: Page's test of the ranks within each "
        "seed, exact, in both directions. An optimum between the extreme values is not a trend; see the differences."
    )
    return [escape(words), _table(tests, analysis)]


def _design_notes(factorial: LevelFactorial) -> list[str]:
    """Return what the design leaves out, and its aliases."""
    notes = []
    if factorial.incomplete_seeds:
        notes.append(f"Left out because some of their runs are missing: {seed_list(factorial.incomplete_seeds)}")
    for first, second in factorial.model.nested:
        notes.append(f"{first} and {second} vary at one level of each other only, so they have no interaction")
    notes.append("Shapley values and the half-normal plot are for components with two levels, and left out")
    parts = [bullets(escape(f"{note}.") for note in notes)]
    rows = [[escape(in_words(term)), escape(words)] for term, words in factorial.model.alias_texts()]
    if rows:
        words = (
            "The design is a fraction: a term cannot be distinguished from its aliases, or from the stated share of "
            "them. Pairs with aliases among pairs are not estimated."
        )
        parts += [bold("Aliases"), escape(words), table(["term", "aliased with"], rows[:MOST_ROWS])]
    return parts

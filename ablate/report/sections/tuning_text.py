"""Searches in words and tables: how they were made, what they chose, what was stopped early, what it does not mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ablate.report.formats.markdown_text import bullets, code, escape, table
from ablate.report.formats.numbers import DASH, duration, enumerated, signed, value_text
from ablate.report.search_data import SearchResult
from ablate.wording import count

if TYPE_CHECKING:
    from ablate.tuning.types import Objective, Trial

MOST_ROWS = 10
UNREAD = "Tuning read validation scores only; the test score of a trial was never looked at."
OPTIMISTIC = (
    "The best of many scores is too good: part of it is luck of the seeds and of the validation data. So the tuning "
    "score is never the result."
)
NOT_IMPORTANCE = (
    "An importance says how much of the spread of scores within this space went with a setting; it does not say that "
    "the setting helps, that it matters outside this space, or that it is the cause."
)


def score_text(value: float, objective: Objective) -> str:
    """A score as it is shown: fractions in percent."""
    if math.isnan(value):
        return DASH
    return f"{value * objective.scale:.2f}" if objective.scale != 1.0 else f"{value:.4g}"


def heading(objective: Objective) -> str:
    """The name of a score's column."""
    return objective.words + (" (%)" if objective.scale == 100.0 else "")


def method(search: SearchResult) -> list[str]:
    """How a search was made, a line a fact."""
    seeds = f"seed{'s' * (len(search.seeds) > 1)} {', '.join(map(str, search.seeds))}"
    words = {"max": "high", "min": "low"}
    goals = " and ".join(f"{words[objective.goal]} {objective.words}" for objective in search.objectives)
    mean = ", the mean over them" if len(search.seeds) > 1 else ""
    lines = [
        f"For {goals} at the end of the training, under {seeds}{mean}.",
        f"Sampler: {search.sampler} of Optuna with seed {search.sampler_seed}; the recipe as it was came first.",
        f"Stopped early: {search.pruning}.",
    ]
    ranges = [f"{dimension.name} ({dimension.text})" for dimension in search.space.dimensions]
    return [*lines, f"Searched: {enumerated(ranges, 30)}.", UNREAD]


def trials_summary(search: SearchResult) -> str:
    """How many trials there were, what became of them and what they cost."""
    parts = [count(len(search.complete), "complete trial")]
    if search.pruned:
        epochs, seconds = search.saved
        parts.append(f"{len(search.pruned)} stopped early, which saved {epochs} epochs, about {duration(seconds)}")
    if search.failed:
        parts.append(f"{len(search.failed)} failed")
    reused = sum(trial.reused for trial in search.trials)
    if reused:
        parts.append(f"{count(reused, 'run')} taken from the journals")
    lost = sum(trial.state == "lost" for trial in search.trials)
    if lost:
        parts.append(f"{lost} lost with their process and made again")
    return f"{', '.join(parts)}; {duration(search.seconds)} of training."


def trials_table(trials: Sequence[Trial], search: SearchResult) -> str:
    """Trials as rows: number, scores, values."""
    names = list(search.space.names)
    rows = [
        [
            f"{trial.number}{' (as it was)' if trial.is_baseline else ''}",
            *(score_text(value, one) for value, one in zip(trial.values, search.objectives, strict=True)),
            *(escape(value_text(trial.params.get(name))) for name in names),
        ]
        for trial in trials
    ]
    columns = ["trial", *(escape(heading(one)) for one in search.objectives), *(code(name) for name in names)]
    return table(columns, rows, numeric=range(1, len(columns)))


def values_of(trial: Trial) -> str:
    """The values of a trial in words."""
    return ", ".join(f"{name} {value_text(value)}" for name, value in trial.params.items())


def answer_lines(search: SearchResult) -> list[str]:
    """What a search found, in sentences."""
    winner, before = search.winner, search.baseline
    if winner is None:
        return ["No trial has a score yet."]
    objective = search.objective
    sign = " %" if objective.scale == 100.0 else ""
    best = score_text(winner.values[0], objective) + sign
    if before is None:
        return [f"The best of {len(search.complete)} trials: {objective.words} {best}, at {values_of(winner)}."]
    was = score_text(before.values[0], objective) + sign
    if winner.number == before.number:
        lines = [f"No trial was better than the recipe as it was: {objective.words} {was}."]
    else:
        moved = (winner.values[0] - before.values[0]) * objective.scale
        unit = " points" if objective.scale == 100.0 else ""
        digits = 2 if objective.scale == 100.0 else 4
        lines = [
            f"Trial {winner.number} has {objective.words} {best}, the recipe as it was {was} "
            f"({signed(moved, digits)}{unit}): {values_of(winner)}.",
        ]
    return [*lines, OPTIMISTIC]


def edge_lines(searches: Sequence[SearchResult]) -> list[str]:
    """A caution for each search whose optimum lies at the edge of what was searched."""
    return [
        f"Optimum at the edge in {search.label}: {'; '.join(search.edges)}. A wider range may do better."
        for search in searches
        if search.edges
    ]


def importances_table(search: SearchResult) -> str:
    """Importances by both estimators, and what they do not mean."""
    estimators = list(search.importances)
    first = search.importances[estimators[0]]
    rows = [
        [code(name), *(f"{search.importances[estimator].get(name, math.nan):.2f}" for estimator in estimators)]
        for name in sorted(first, key=lambda name: -first[name])
    ]
    words = f"From {count(len(search.complete), 'complete trial')}. {NOT_IMPORTANCE}"
    return table(["setting", *estimators], rows, numeric=range(1, 1 + len(estimators))) + "\n\n" + escape(words)


def facts(search: SearchResult) -> str:
    """Method and summary as a list."""
    return bullets(escape(line) for line in [*method(search), trials_summary(search)])

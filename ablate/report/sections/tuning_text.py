"""Text and tables of searches: method, trials, answer, importances, cautions."""

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

UNREAD = "Tuning read validation scores only, never the test scores of trials."
OPTIMISTIC = (
    "The best of many scores is optimistic: it is partly due to lucky seeds and validation data. A tuning score is "
    "therefore never reported as the result."
)
NOT_IMPORTANCE = (
    "An importance is the share of the variation of scores within this space that is associated with a setting. It "
    "does not show that the setting helps, that it matters outside this space, or that it is the cause."
)


def score_text(value: float, objective: Objective) -> str:
    """Return a score: fractions in percent."""
    if math.isnan(value):
        return DASH
    return f"{value * objective.scale:z.2f}" if objective.scale != 1.0 else f"{value:.4g}"


def heading(objective: Objective) -> str:
    """Return the heading of a score's column."""
    return objective.label + (" (%)" if objective.scale == 100.0 else "")


def values_of(trial: Trial) -> str:
    """Return the values of a trial: `lr 0.01, dropout.p 0.2`."""
    return ", ".join(f"{name} {value_text(value)}" for name, value in trial.params.items())


def search_facts(search: SearchResult) -> str:
    """Return the method and the trials of a search as a list."""
    return bullets(escape(line) for line in [*method(search), trials_summary(search)])


def method(search: SearchResult) -> list[str]:
    """Return objective, sampler, pruning and space, one line each."""
    seeds = f"seed{'s' * (len(search.seeds) > 1)} {', '.join(map(str, search.seeds))}"
    goals = {"max": "maximise", "min": "minimise"}
    objectives = " and ".join(f"{goals[objective.goal]} {objective.label}" for objective in search.objectives)
    mean = "mean over " if len(search.seeds) > 1 else ""
    ranges = [f"{dimension.name} ({dimension.text})" for dimension in search.space.dimensions]
    return [
        f"Objective: {objectives} at the end of training ({mean}{seeds}).",
        f"Sampler: {search.sampler} of Optuna, seed {search.sampler_seed}. The first trial is the original recipe.",
        f"Pruning: {search.pruning}.",
        f"Space: {enumerated(ranges, 30)}.",
        UNREAD,
    ]


def trials_summary(search: SearchResult) -> str:
    """Return the numbers of trials by state, and their cost."""
    parts = [count(len(search.complete), "complete trial")]
    if search.pruned:
        epochs, seconds = search.saved
        parts.append(f"{len(search.pruned)} stopped early, which saved {epochs} epochs, about {duration(seconds)}")
    if search.failed:
        parts.append(f"{len(search.failed)} failed")
    reused = sum(trial.reused for trial in search.trials)
    if reused:
        parts.append(f"{count(reused, 'run')} reused from the journals")
    lost = sum(trial.state == "lost" for trial in search.trials)
    if lost:
        parts.append(f"{lost} lost with their process and repeated")
    return f"{', '.join(parts)}; {duration(search.seconds)} of training."


def trials_table(trials: Sequence[Trial], search: SearchResult) -> str:
    """Return one row per trial: number, scores, values."""
    names = list(search.space.names)
    rows = [
        [
            f"{trial.number}{' (original recipe)' if trial.is_baseline else ''}",
            *(score_text(value, one) for value, one in zip(trial.values, search.objectives, strict=True)),
            *(escape(value_text(trial.params.get(name))) for name in names),
        ]
        for trial in trials
    ]
    columns = ["trial", *(escape(heading(one)) for one in search.objectives), *(code(name) for name in names)]
    return table(columns, rows, numeric=range(1, len(columns)))


def answer_lines(search: SearchResult) -> list[str]:
    """Return the result of a search in sentences."""
    winner, original, objective = search.winner, search.baseline, search.objective
    if winner is None:
        return ["No trial has a score yet."]
    is_percent = objective.scale == 100.0
    percent = " %" if is_percent else ""
    best = score_text(winner.values[0], objective) + percent
    if original is None:
        return [f"Best of {len(search.complete)} trials: {objective.label} {best}, at {values_of(winner)}."]
    before = score_text(original.values[0], objective) + percent
    if winner.number == original.number:
        return [f"No trial is better than the original recipe: {objective.label} {before}.", OPTIMISTIC]
    gain = signed((winner.values[0] - original.values[0]) * objective.scale, 2 if is_percent else 4)
    unit = " points" if is_percent else ""
    return [
        f"Best trial: number {winner.number}, {objective.label} {best}; original recipe: {before} ({gain}{unit}). "
        f"Its values: {values_of(winner)}.",
        OPTIMISTIC,
    ]


def edge_lines(searches: Sequence[SearchResult]) -> list[str]:
    """Return a caution for each search whose best trial is at an edge of the space."""
    return [
        f"Optimum at the edge in {search.label}: {'; '.join(search.edges)}. A wider range may contain a better value."
        for search in searches
        if search.edges
    ]


def importances_table(search: SearchResult) -> str:
    """Return the importances by both estimators, with their limits."""
    estimators = list(search.importances)
    first = search.importances[estimators[0]]
    rows = [
        [code(name), *(f"{search.importances[estimator].get(name, math.nan):.2f}" for estimator in estimators)]
        for name in sorted(first, key=lambda name: -first[name])
    ]
    words = f"From {count(len(search.complete), 'complete trial')}. {NOT_IMPORTANCE}"
    return table(["setting", *estimators], rows, numeric=range(1, 1 + len(estimators))) + "\n\n" + escape(words)

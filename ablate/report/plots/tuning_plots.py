"""The figures of searches, as data for `ablate.figures`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ablate.report.analysis import Analysis
from ablate.report.plots.render import Plot
from ablate.report.search_data import SearchResult
from ablate.report.sections.tuning_text import heading

SECTION = "tuning"


def search_plots(search: SearchResult) -> list[Plot]:
    """History, importances, slices, parallel coordinates and, for several objectives, the Pareto front."""
    if len(search.complete) < 2:
        return []
    painters = (_front, _history, _importances, _slices, _parallel)
    return [plot for painter in painters for plot in painter(search)]


def _score(search: SearchResult, value: float) -> float:
    return value * search.objective.scale


def _rows(search: SearchResult) -> list[dict[str, Any]]:
    """The complete trials as rows of values and score."""
    return [
        {"trial": trial.number, "score": _score(search, trial.values[0]), "is_baseline": trial.is_baseline,
         "values": dict(trial.params)}
        for trial in search.complete
    ]  # fmt: skip


def _dimensions(search: SearchResult) -> list[dict[str, Any]]:
    return [
        {"name": one.name, "low": one.low, "high": one.high, "log": one.log, "words": list(one.words)}
        for one in search.space.dimensions
    ]


def _front(search: SearchResult) -> Iterator[Plot]:
    if len(search.objectives) < 2:
        return
    points = [[value * one.scale for value, one in zip(trial.values[:2], search.objectives[:2], strict=True)]
              for trial in search.complete]  # fmt: skip
    numbers = [trial.number for trial in search.front]
    arguments = {
        "points": points,
        "names": [heading(one) for one in search.objectives[:2]],
        "front": [place for place, trial in enumerate(search.complete) if trial.number in numbers],
        "labels": [str(trial.number) for trial in search.complete],
        "baseline": next((place for place, trial in enumerate(search.complete) if trial.is_baseline), None),
        "goals": [one.goal for one in search.objectives[:2]],
    }
    caption = "Each dot is a trial. No trial beats those on the line in both objectives; the numbers are the trials'."
    yield Plot(SECTION, "pareto.png", "Pareto front", caption, "pareto_front", arguments)


def _history(search: SearchResult) -> Iterator[Plot]:
    arguments = {
        "trials": _rows(search), "goal": search.objective.goal, "metric": heading(search.objective),
        "stopped": [trial.number for trial in search.pruned],
    }  # fmt: skip
    caption = (
        "Each dot is a trial, the line the best so far; the dashed line is the recipe as it was. Ticks at the bottom: "
        "trials that were stopped early."
    )
    yield Plot(SECTION, "history.png", "Score by trial", caption, "search_history", arguments)


def _importances(search: SearchResult) -> Iterator[Plot]:
    if search.importances:
        words = "Importances by two estimators"
        arguments = {"shares": {name: dict(shares) for name, shares in search.importances.items()}}
        caption = "Optuna's two estimators; where they disagree, the trials are too few to tell."
        yield Plot(SECTION, "importances.png", words, caption, "importance_bars", arguments)


def _slices(search: SearchResult) -> Iterator[Plot]:
    arguments = {
        "trials": _rows(search), "dimensions": _dimensions(search), "metric": heading(search.objective),
        "goal": search.objective.goal,
    }  # fmt: skip
    caption = (
        "Score by each setting, all others varying along; darker dots are later trials. A best trial near the edge of "
        "a panel calls for a wider range."
    )
    yield Plot(SECTION, "slices.png", "Score by setting", caption, "search_slices", arguments)


def _parallel(search: SearchResult) -> Iterator[Plot]:
    if len(search.space.dimensions) < 2:
        return
    arguments = {
        "trials": _rows(search), "dimensions": _dimensions(search), "metric": heading(search.objective),
        "goal": search.objective.goal,
    }  # fmt: skip
    caption = "A line a trial, from setting to setting to its score: the darker, the better."
    yield Plot(SECTION, "parallel.png", "Parallel coordinates", caption, "parallel_coordinates", arguments)


def budget_plots(searches: Mapping[str, SearchResult]) -> list[Plot]:
    """The budget curves of all arms in one figure."""
    curves = {label: search.curve for label, search in searches.items() if search.complete}
    if not any(len(curve) > 1 for curve in curves.values()):
        return []
    metric = heading(next(iter(searches.values())).objective)
    caption = (
        "Expected best validation score of n trials drawn from those that were made: sum of x(i) [C(i,n) - C(i-1,n)] / "
        "C(B,n). Where the curves still rise at the right, or cross, more trials could change the comparison. Trials "
        "of a sampler that learns are no independent draws, so this describes the search and does not predict it."
    )
    if any(search.pruned for search in searches.values()):
        caption += " Trials that were stopped early have no score and are left out, which lifts the curves."
    arguments = {"curves": curves, "metric": metric}
    return [Plot(SECTION, "budget.png", "Expected best of n trials", caption, "budget_curves", arguments)]


def retuning_plots(analysis: Analysis) -> list[Plot]:
    """The figures of a study whose arms were tuned; none for others."""
    searches = analysis.study.searches
    return [] if searches is None else [*_estimands(analysis), *budget_plots(searches.by_arm)]


def _estimands(analysis: Analysis) -> Iterator[Plot]:
    """Drop-in beside re-tuned differences, a pair of lines a comparison."""
    pairs = []
    for effect in analysis.compared:
        other = analysis.partner(effect)
        if effect.n and other is not None and other.n:
            pairs.append({
                "name": effect.variant,
                "drop-in": [effect.delta, effect.ci_low, effect.ci_high],
                "re-tuned": [other.delta, other.ci_low, other.ci_high],
            })  # fmt: skip
    if not pairs:
        return
    metric = analysis.study.metric
    caption = (
        "Each comparison under both questions: with the other settings as they are (drop-in), and with both arms tuned "
        "alike (re-tuned); 95 % intervals, conditional on the chosen settings. The grey band is the margin."
    )
    arguments = {"pairs": pairs, "margin": analysis.study.margin, "metric": metric.label,
                 "unit": "points" if metric.in_points else metric.unit}  # fmt: skip
    words = "Drop-in beside re-tuned differences"
    yield Plot(SECTION, "estimands.png", words, caption, "estimands", arguments)

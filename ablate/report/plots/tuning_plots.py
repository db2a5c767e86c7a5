"""The plots of searches: captions, and arguments for `ablate.figures`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ablate.report.analysis import Analysis
from ablate.report.plots.render import Plot
from ablate.report.search_data import SearchResult
from ablate.report.sections.tuning_text import heading

SECTION = "tuning"


def search_plots(search: SearchResult) -> list[Plot]:
    """Return history, importances, slices, parallel coordinates and, for several objectives, the Pareto front."""
    if len(search.complete) < 2:
        return []
    makers = (_front, _history, _importances, _slices, _parallel)
    return [plot for maker in makers for plot in maker(search)]


def _score(search: SearchResult, value: float) -> float:
    return value * search.objective.scale


def _rows(search: SearchResult) -> list[dict[str, Any]]:
    """Return the complete trials as rows of values and score."""
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
    caption = "One dot per trial, with its number. No trial is better than those on the line in both objectives."
    yield Plot(SECTION, "pareto.png", "Pareto front", caption, "pareto_front", arguments)


def _history(search: SearchResult) -> Iterator[Plot]:
    arguments = {
        "trials": _rows(search), "goal": search.objective.goal, "metric": heading(search.objective),
        "stopped": [trial.number for trial in search.pruned],
    }  # fmt: skip
    caption = (
        "Dots: trials; line: best so far; dashed line: original recipe; ticks at the bottom: trials that were stopped "
        "early."
    )
    yield Plot(SECTION, "history.png", "Score by trial", caption, "search_history", arguments)


def _importances(search: SearchResult) -> Iterator[Plot]:
    if search.importances:
        description = "Importances by two estimators"
        arguments = {"shares": {name: dict(shares) for name, shares in search.importances.items()}}
        caption = "Two estimators of Optuna. Where they disagree, there are too few trials."
        yield Plot(SECTION, "importances.png", description, caption, "importance_bars", arguments)


def _slices(search: SearchResult) -> Iterator[Plot]:
    arguments = {
        "trials": _rows(search), "dimensions": _dimensions(search), "metric": heading(search.objective),
        "goal": search.objective.goal,
    }  # fmt: skip
    caption = (
        "Score by each setting, while the others vary too; darker dots are later trials. If the best trial is near an "
        "edge, a wider range may contain a better value."
    )
    yield Plot(SECTION, "slices.png", "Score by setting", caption, "search_slices", arguments)


def _parallel(search: SearchResult) -> Iterator[Plot]:
    if len(search.space.dimensions) < 2:
        return
    arguments = {
        "trials": _rows(search), "dimensions": _dimensions(search), "metric": heading(search.objective),
        "goal": search.objective.goal,
    }  # fmt: skip
    caption = "One line per trial, from its settings to its score; darker lines are better."
    yield Plot(SECTION, "parallel.png", "Parallel coordinates", caption, "parallel_coordinates", arguments)


def budget_plots(searches: Mapping[str, SearchResult]) -> list[Plot]:
    """Return the budget curves of all searches in one plot."""
    curves = {label: search.curve for label, search in searches.items() if search.complete}
    if not any(len(curve) > 1 for curve in curves.values()):
        return []
    metric = heading(next(iter(searches.values())).objective)
    caption = (
        "Expected best validation score of n trials drawn from the finished ones: sum of x(i) [C(i,n) - C(i-1,n)] / "
        "C(B,n). If the curves still rise at the right, or cross, more trials could change the comparison. Trials of "
        "an adaptive sampler are not independent, so the curve describes this search and does not predict others."
    )
    if any(search.pruned for search in searches.values()):
        caption += " Trials that were stopped early have no score and are excluded, which raises the curves."
    arguments = {"curves": curves, "metric": metric}
    return [Plot(SECTION, "budget.png", "Expected best of n trials", caption, "budget_curves", arguments)]


def retuning_plots(analysis: Analysis) -> list[Plot]:
    """Return the plots of a study whose variants were tuned; none for others."""
    searches = analysis.study.searches
    return [] if searches is None else [*_estimands(analysis), *budget_plots(searches.by_arm)]


def _estimands(analysis: Analysis) -> Iterator[Plot]:
    """Yield drop-in and re-tuned differences, one pair of lines per comparison."""
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
        "Each comparison with unchanged settings (drop-in) and with both variants tuned alike (re-tuned). 95 % "
        "intervals, conditional on the chosen settings; grey band: the margin."
    )
    arguments = {"pairs": pairs, "margin": analysis.study.margin, "metric": metric.label,
                 "unit": "points" if metric.in_points else metric.unit}  # fmt: skip
    description = "Drop-in and re-tuned differences"
    yield Plot(SECTION, "estimands.png", description, caption, "estimands", arguments)

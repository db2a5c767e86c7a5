"""Figures of a search: history, importances, slices, parallel coordinates, Pareto front."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.ticker import MaxNLocator

from ablate.figures.labels import BODY, SMALL, fit, side_name
from ablate.figures.legends import shared_legend
from ablate.figures.media import chart_height, is_narrow, name_width, page_width, panels_across
from ablate.figures.style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    PALE,
    SKY,
    VERMILLION,
    new_figure,
    panel_grid,
    plain_log,
    save,
    styled,
)

PANELS_ACROSS = 3
SHADES = LinearSegmentedColormap.from_list("pale to blue", [PALE, SKY, BLUE, "#00304D"])

Trials = Sequence[Mapping[str, Any]]
"""Complete trials: `trial` (number), `score`, `is_baseline`, `values` by hyperparameter."""

Dimensions = Sequence[Mapping[str, Any]]
"""Hyperparameters: `name`, `low`, `high`, `log`, and `words`, the choices (empty for numbers)."""


@styled
def search_history(
    trials: Trials, path: Path | str | None = None, *, goal: str, metric: str, stopped: Sequence[int] = ()
) -> bytes:
    """Plot the score and the best score so far by trial, with the untuned recipe as a dashed line.

    `stopped`: numbers of pruned trials, which have no score.
    """
    figure = new_figure(page_width(), chart_height(3.6))
    axes = figure.subplots()
    numbers = [row["trial"] for row in trials]
    scores = np.array([row["score"] for row in trials], dtype=np.float64)
    best = (np.maximum if goal == "max" else np.minimum).accumulate(scores)
    axes.scatter(numbers, scores, color=BLUE, s=22, zorder=3, label="trial")
    axes.step(numbers, best, where="post", color=VERMILLION, label="best so far")
    for row in trials:
        if row["is_baseline"]:
            axes.axhline(row["score"], color=INK, linestyle="--", linewidth=1, label="untuned recipe")
    if stopped:
        axes.plot(stopped, [0.02] * len(stopped), "|", color=GREY, markersize=9, markeredgewidth=1.5,
                  transform=axes.get_xaxis_transform(), label="pruned")  # fmt: skip
    axes.set(xlabel="trial", ylabel=fit(metric, chart_height(3.6) - 0.6, size=BODY))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    shared_legend(figure)
    return save(figure, path)


@styled
def importance_bars(shares: Mapping[str, Mapping[str, float]], path: Path | str | None = None) -> bytes:
    """Plot hyperparameter importances as bars, one panel per estimator."""
    first = next(iter(shares.values()))
    names = sorted(first, key=lambda name: first[name])
    figure = new_figure(page_width(), 0.9 + (0.5 if is_narrow() else 0.34) * len(names))
    grid = figure.subplots(1, len(shares), squeeze=False, sharey=True)
    for axes, (estimator, found) in zip(grid.flat, shares.items(), strict=True):
        values = [found.get(name, 0.0) for name in names]
        axes.barh(range(len(names)), values, color=BLUE, height=0.6)
        for index, value in enumerate(values):
            axes.text(value + 0.02, index, f"{value:.2f}", va="center", size=SMALL)
        axes.set_title(estimator)
        axes.set_xlim(0, 1.15)
        axes.set_yticks(range(len(names)), [side_name(name, 1.8) for name in names])
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(fit("relative importance", (page_width() - name_width(1.8)) / len(shares) - 0.1, size=BODY))
    return save(figure, path)


@styled
def search_slices(
    trials: Trials, path: Path | str | None = None, *, dimensions: Dimensions, metric: str, goal: str
) -> bytes:
    """Plot the score by each hyperparameter, one panel per hyperparameter, darker for later trials."""
    columns = min(panels_across(PANELS_ACROSS), len(dimensions))
    figure, panels, first_column = panel_grid(len(dimensions), columns, 2.5, sharey=True)
    scores = [row["score"] for row in trials]
    order = [row["trial"] for row in trials]
    winner = (np.argmax if goal == "max" else np.argmin)(scores)
    for axes, dimension in zip(panels, dimensions, strict=True):
        indices = [_coordinate(row["values"][dimension["name"]], dimension) for row in trials]
        shades = Normalize(min(order) - 0.6 * (1 + max(order) - min(order)), max(order))
        axes.scatter(indices, scores, c=order, cmap=SHADES, norm=shades, s=24, zorder=3)
        axes.plot(indices[winner], scores[winner], "o", markersize=10, markerfacecolor="none",
                  markeredgecolor=VERMILLION, markeredgewidth=1.6, zorder=4)  # fmt: skip
        _scale(axes, dimension)
        axes.set_xlabel(fit(dimension["name"], page_width() / columns - 0.5))
    for axes in first_column:
        axes.set_ylabel(fit(metric, 2.0))
    figure.supxlabel("ring: best trial; darker: later trials", fontsize=SMALL)
    return save(figure, path)


def _coordinate(value: Any, dimension: Mapping[str, Any]) -> float:
    return float(dimension["words"].index(value)) if dimension["words"] else float(value)


def _scale(axes: Axes, dimension: Mapping[str, Any]) -> None:
    if dimension["words"]:
        axes.set_xticks(range(len(dimension["words"])), [fit(word, 0.8) for word in dimension["words"]])
        return
    if dimension["log"]:
        decades = math.log10(dimension["high"] / dimension["low"])
        plain_log(axes, "x", (1.0,) if decades > 1.5 else (1.0, 2.0, 5.0))
        axes.set_xlim(dimension["low"] * 0.85, dimension["high"] / 0.85)
    else:
        pad = 0.04 * (dimension["high"] - dimension["low"])
        axes.set_xlim(dimension["low"] - pad, dimension["high"] + pad)


@styled
def parallel_coordinates(
    trials: Trials, path: Path | str | None = None, *, dimensions: Dimensions, metric: str, goal: str
) -> bytes:
    """Plot one line per trial through its hyperparameters to its score, darker for better scores.

    Each axis spans the hyperparameter's range, on a logarithmic scale if the search used one. The axes are upright, and
    rows in a narrow figure.
    """
    figure = new_figure(page_width(), 0.6 * (len(dimensions) + 2) if is_narrow() else chart_height(4.2))
    axes = figure.subplots()
    scores = np.array([row["score"] for row in trials], dtype=np.float64)
    low, high = float(scores.min()), float(scores.max())
    levels = (scores - low) / (high - low) if high > low else np.full(len(scores), 0.5)
    goodness = levels if goal == "max" else 1 - levels
    for index in np.argsort(goodness):
        row = trials[int(index)]
        positions = [*(_level(row["values"][one["name"]], one) for one in dimensions), levels[index]]
        places = range(len(positions))
        colour = VERMILLION if goodness[index] == goodness.max() else SHADES(float(goodness[index]))
        width = 2.2 if goodness[index] == goodness.max() else 1.2
        axes.plot(*((positions, places) if is_narrow() else (places, positions)), color=colour, linewidth=width,
                  linestyle="--" if row["is_baseline"] else "-")  # fmt: skip
    names = [*(one["name"] for one in dimensions), metric]
    for index, one in enumerate(dimensions):
        bottom, top = (one["words"][0], one["words"][-1]) if one["words"] else (one["low"], one["high"])
        _ends(axes, index, _short(bottom), _short(top))
    _ends(axes, len(dimensions), f"{low:.4g}", f"{high:.4g}")
    _name_axes(axes, names)
    words = "orange: best trial; darker: better; dashed: untuned recipe"
    figure.supxlabel(fit(words, page_width() - 0.2), fontsize=SMALL)
    return save(figure, path)


def _name_axes(axes: Axes, names: Sequence[str]) -> None:
    if is_narrow():
        axes.set_yticks(range(len(names)), [side_name(name, 2.0) for name in names])
        axes.set_xticks([])
        axes.set(xlim=(-0.3, 1.3), ylim=(len(names) - 0.6, -0.4))
    else:
        axes.set_xticks(range(len(names)), [fit(name, page_width() / len(names) - 0.15, lines=3) for name in names])
        axes.set_yticks([])
        axes.set_ylim(-0.12, 1.12)
    axes.grid(visible=True, axis="y" if is_narrow() else "x", color=GREY, linewidth=1)
    axes.spines["bottom" if is_narrow() else "left"].set_visible(False)


def _level(value: Any, dimension: Mapping[str, Any]) -> float:
    """Return the position of a value on its axis, from 0 to 1."""
    if dimension["words"]:
        return float(dimension["words"].index(value) / max(1, len(dimension["words"]) - 1))
    low, high = dimension["low"], dimension["high"]
    if dimension["log"]:
        return math.log(value / low) / math.log(high / low) if high > low else 0.5
    return float((value - low) / (high - low)) if high > low else 0.5


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _ends(axes: Axes, index: int, low: str, high: str) -> None:
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
    for position, words, upright, level in ((-0.03, low, "top", "right"), (1.03, high, "bottom", "left")):
        if is_narrow():
            axes.text(position, index, fit(words, 0.5, lines=1), size=SMALL, ha=level, va="center", color=INK, bbox=box)
        else:
            axes.text(index, position, words, size=SMALL, ha="center", va=upright, color=INK, bbox=box)


@styled
def pareto_front(
    points: Sequence[Sequence[float]],
    path: Path | str | None = None,
    *,
    names: Sequence[str],
    front: Sequence[int],
    labels: Sequence[str],
    goals: Sequence[str],
    baseline: int | None = None,
) -> bytes:
    """Plot two objectives against each other, with the Pareto front as a line. The second is on the x axis.

    `points` are pairs of scores with `labels`. `front` and `baseline` are indices into them.
    """
    figure = new_figure(page_width(), chart_height(4.2))
    axes = figure.subplots()
    values = np.asarray(points, dtype=np.float64)
    chosen = sorted(front, key=lambda index: values[index, 1])
    axes.scatter(values[:, 1], values[:, 0], color=GREY, s=22, label="trial", zorder=2)
    axes.plot(values[chosen, 1], values[chosen, 0], "-o", color=BLUE, label="Pareto front", zorder=3,
              drawstyle="steps-post" if goals[1] == "min" else "steps-pre")  # fmt: skip
    if baseline is not None:
        axes.plot(values[baseline, 1], values[baseline, 0], "s", color=ORANGE, markersize=9, markerfacecolor="none",
                  markeredgewidth=2, label="untuned recipe", zorder=4)  # fmt: skip
    for index in chosen:
        at = values[index, 1], values[index, 0]
        axes.annotate(labels[index], at, xytext=(4, 5), textcoords="offset points", size=SMALL)
    better = {"max": "higher is better", "min": "lower is better"}
    across, upwards = (f"{name} ({better[goal]})" for name, goal in zip(reversed(names), reversed(goals), strict=True))
    axes.set_xlabel(fit(across, page_width() - 0.8, size=BODY))
    axes.set_ylabel(fit(upwards, chart_height(4.2) - 0.8, size=BODY))
    axes.margins(0.08)
    shared_legend(figure)
    return save(figure, path)

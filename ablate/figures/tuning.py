"""What a search tried: scores by trial, by setting and by all settings at once, importances, Pareto fronts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.ticker import MaxNLocator

from ablate.figures.labels import SMALL, fit
from ablate.figures.style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    PALE,
    SKY,
    VERMILLION,
    WIDTH,
    new_figure,
    plain_log,
    save,
    styled,
)

PANELS_ACROSS = 3
SHADES = LinearSegmentedColormap.from_list("pale to blue", [PALE, SKY, BLUE, "#00304D"])

Trials = Sequence[Mapping[str, Any]]
"""Complete trials: `trial` (number), `score`, `is_baseline`, `values` by setting."""

Dimensions = Sequence[Mapping[str, Any]]
"""Settings: `name`, `low`, `high`, `log`, `words` (empty for numbers)."""


@styled
def search_history(
    trials: Trials, path: Path | str | None = None, *, goal: str, metric: str, stopped: Sequence[int] = ()
) -> bytes:
    """Score by trial with the best so far, as PNG bytes, written to `path` if given.

    `stopped`: numbers of trials that were stopped early, which have no score. The baseline is a dashed line.
    """
    figure = new_figure(WIDTH, 3.6)
    axes = figure.subplots()
    numbers = [row["trial"] for row in trials]
    scores = np.array([row["score"] for row in trials], dtype=np.float64)
    best = (np.maximum if goal == "max" else np.minimum).accumulate(scores)
    axes.scatter(numbers, scores, color=BLUE, s=22, zorder=3, label="a trial")
    axes.step(numbers, best, where="post", color=VERMILLION, label="best so far")
    for row in trials:
        if row["is_baseline"]:
            axes.axhline(row["score"], color=INK, linestyle="--", linewidth=1, label="the recipe as it was")
    if stopped:
        axes.plot(stopped, [0.02] * len(stopped), "|", color=GREY, markersize=9, markeredgewidth=1.5,
                  transform=axes.get_xaxis_transform(), label="stopped early")  # fmt: skip
    axes.set(xlabel="trial", ylabel=metric)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside lower center", ncols=4)
    return save(figure, path)


@styled
def importance_bars(shares: Mapping[str, Mapping[str, float]], path: Path | str | None = None) -> bytes:
    """Importances as bars, a panel an estimator, as PNG bytes, written to `path` if given."""
    first = next(iter(shares.values()))
    names = sorted(first, key=lambda name: first[name])
    figure = new_figure(WIDTH, 0.9 + 0.34 * len(names))
    grid = figure.subplots(1, len(shares), squeeze=False, sharey=True)
    for axes, (estimator, found) in zip(grid.flat, shares.items(), strict=True):
        values = [found.get(name, 0.0) for name in names]
        axes.barh(range(len(names)), values, color=BLUE, height=0.6)
        for place, value in enumerate(values):
            axes.text(value + 0.02, place, f"{value:.2f}", va="center", size=SMALL)
        axes.set_title(estimator)
        axes.set_xlim(0, 1.15)
        axes.set_yticks(range(len(names)), [fit(name, 1.8) for name in names])
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("share of the spread of scores")
    return save(figure, path)


@styled
def search_slices(
    trials: Trials, path: Path | str | None = None, *, dimensions: Dimensions, metric: str, goal: str
) -> bytes:
    """Score by each setting, a panel a setting, darker for later trials, as PNG bytes, written to `path` if given."""
    columns = min(PANELS_ACROSS, len(dimensions))
    lines = -(-len(dimensions) // columns)
    figure = new_figure(WIDTH, 2.5 * lines + 0.5)
    grid = figure.subplots(lines, columns, squeeze=False, sharey=True)
    scores = [row["score"] for row in trials]
    order = [row["trial"] for row in trials]
    winner = (np.argmax if goal == "max" else np.argmin)(scores)
    for axes, dimension in zip(grid.flat, dimensions, strict=False):
        places = [_coordinate(row["values"][dimension["name"]], dimension) for row in trials]
        shades = Normalize(min(order) - 0.6 * (1 + max(order) - min(order)), max(order))
        axes.scatter(places, scores, c=order, cmap=SHADES, norm=shades, s=24, zorder=3)
        axes.plot(places[winner], scores[winner], "o", markersize=10, markerfacecolor="none",
                  markeredgecolor=VERMILLION, markeredgewidth=1.6, zorder=4)  # fmt: skip
        _scale(axes, dimension)
        axes.set_xlabel(fit(dimension["name"], WIDTH / columns - 0.5))
    for axes in grid.flat[len(dimensions) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel(fit(metric, 2.0))
    figure.supxlabel("ring: the best trial", fontsize=SMALL)
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
    """A line a trial from setting to setting to its score, the darker the better, as PNG bytes, written to `path`.

    Every axis runs from the low to the high end of its range, logarithmically where the search did.
    """
    figure = new_figure(WIDTH, 4.2)
    axes = figure.subplots()
    scores = np.array([row["score"] for row in trials], dtype=np.float64)
    low, high = float(scores.min()), float(scores.max())
    levels = (scores - low) / (high - low) if high > low else np.full(len(scores), 0.5)
    goodness = levels if goal == "max" else 1 - levels
    for place in np.argsort(goodness):
        row = trials[int(place)]
        heights = [_level(row["values"][one["name"]], one) for one in dimensions]
        colour = VERMILLION if goodness[place] == goodness.max() else SHADES(float(goodness[place]))
        width = 2.2 if goodness[place] == goodness.max() else 1.2
        axes.plot([*heights, levels[place]], color=colour, linewidth=width,
                  linestyle="--" if row["is_baseline"] else "-")  # fmt: skip
    names = [*(one["name"] for one in dimensions), metric]
    for place, one in enumerate(dimensions):
        bottom, top = (one["words"][0], one["words"][-1]) if one["words"] else (one["low"], one["high"])
        _ends(axes, place, _short(bottom), _short(top))
    _ends(axes, len(dimensions), f"{low:.4g}", f"{high:.4g}")
    axes.set_xticks(range(len(names)), [fit(name, WIDTH / len(names) - 0.15, lines=3) for name in names])
    axes.set_yticks([])
    axes.set_ylim(-0.12, 1.12)
    axes.grid(visible=True, axis="x", color=GREY, linewidth=1)
    axes.spines["left"].set_visible(False)
    figure.supxlabel("orange-red: the best trial; dashed: the recipe as it was", fontsize=SMALL)
    return save(figure, path)


def _level(value: Any, dimension: Mapping[str, Any]) -> float:
    """Where a value lies on its axis, from 0 to 1."""
    if dimension["words"]:
        return float(dimension["words"].index(value) / max(1, len(dimension["words"]) - 1))
    low, high = dimension["low"], dimension["high"]
    if dimension["log"]:
        return math.log(value / low) / math.log(high / low) if high > low else 0.5
    return float((value - low) / (high - low)) if high > low else 0.5


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _ends(axes: Axes, place: int, low: str, high: str) -> None:
    for height, words, side in ((-0.03, low, "top"), (1.03, high, "bottom")):
        axes.text(place, height, words, size=SMALL, ha="center", va=side, color=INK,
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0})  # fmt: skip


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
    """Two objectives against each other, the front as a line, as PNG bytes, written to `path` if given.

    `points` are pairs; `front` and `baseline` are places in it, `labels` what the points of the front are called.
    The second objective lies on the x axis.
    """
    figure = new_figure(WIDTH, 4.2)
    axes = figure.subplots()
    values = np.asarray(points, dtype=np.float64)
    chosen = sorted(front, key=lambda place: values[place, 1])
    axes.scatter(values[:, 1], values[:, 0], color=GREY, s=22, label="a trial", zorder=2)
    axes.plot(values[chosen, 1], values[chosen, 0], "-o", color=BLUE, label="beaten by none in both", zorder=3,
              drawstyle="steps-post" if goals[1] == "min" else "steps-pre")  # fmt: skip
    if baseline is not None:
        axes.plot(values[baseline, 1], values[baseline, 0], "s", color=ORANGE, markersize=9, markerfacecolor="none",
                  markeredgewidth=2, label="the recipe as it was", zorder=4)  # fmt: skip
    for place in chosen:
        at = values[place, 1], values[place, 0]
        axes.annotate(labels[place], at, xytext=(4, 5), textcoords="offset points", size=SMALL)
    words = {"max": "more is better", "min": "less is better"}
    axes.set(xlabel=f"{names[1]}: {words[goals[1]]}", ylabel=f"{names[0]}: {words[goals[0]]}")
    axes.margins(0.08)
    figure.legend(loc="outside lower center", ncols=3)
    return save(figure, path)

"""Figures of a single run: learning curves and confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.ticker import MaxNLocator

from ablate.errors import UserError
from ablate.figures.labels import BODY, SMALL, fit
from ablate.figures.legends import shared_legend
from ablate.figures.media import page_width
from ablate.figures.style import (
    BLUE,
    INK,
    VERMILLION,
    LineStyle,
    new_figure,
    plain_log,
    save,
    styled,
)
from ablate.figures.table_cells import number, records

MAX_CLASSES_WITH_COUNTS = 20  # with more classes, cells have no counts
MAX_NAMED_CLASSES = 40  # with more classes, only every second, third, ... class is named
SEVERAL_DECADES = 100.0  # ratio of largest to smallest loss above which the axis is logarithmic

TRAIN, VALIDATION = LineStyle(BLUE, "--", "o"), LineStyle(VERMILLION, "-", "s")


@styled
def learning_curves(
    history: Sequence[Mapping[str, Any]],
    path: Path | str | None = None,
    *,
    title: str,
    lr_steps: Sequence[float] | None = None,
) -> bytes:
    """Plot accuracy, loss and learning rate of one run.

    Args:
        history: One row per epoch with `step` (0: before training) and any of `train/accuracy`, `val/accuracy` (0 to
            1), `train/loss`, `val/loss`, `lr`. Values that are missing, NaN or infinite are not drawn.
        lr_steps: The learning rate of every optimizer step, drawn instead of the epochs' learning rates.
        path: PNG file to write.
        title: Figure title.

    Raises:
        UserError: If the history has no accuracy, loss or learning rate.
    """
    rows = records(history)
    accuracy, loss = (_pair(rows, metric) for metric in ("accuracy", "loss"))
    rates = _steps(lr_steps) if lr_steps is not None and len(lr_steps) else _series(rows, "lr")
    panels = [name for name, there in (("accuracy", accuracy), ("loss", loss), ("lr", len(rates))) if there]
    if not panels:
        raise UserError("The run recorded no accuracy, loss or learning rate to plot")
    figure = new_figure(page_width() * max(len(panels), 2) / 3, 3.1, title)
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        if panel == "lr":
            _learning_rate(axes, rates, by_step=lr_steps is not None and len(lr_steps) > 0)
        else:
            _metric(axes, panel, accuracy if panel == "accuracy" else loss)
    shared_legend(figure)
    return save(figure, path)


def _pair(rows: list[dict[str, Any]], metric: str) -> dict[str, npt.NDArray[np.float64]]:
    """Return the finite (step, value) points of a metric in training and validation, if there are any."""
    both = {part: _series(rows, f"{part}/{metric}") for part in ("train", "val")}
    return {part: points for part, points in both.items() if len(points)}


def _series(rows: list[dict[str, Any]], name: str) -> npt.NDArray[np.float64]:
    points = [(number(row, "step"), number(row, name)) for row in rows]
    kept = [point for point in points if np.isfinite(point).all()]
    return np.array(kept, dtype=np.float64).reshape(-1, 2)


def _steps(values: Sequence[float]) -> npt.NDArray[np.float64]:
    rates = np.asarray(values, dtype=np.float64)
    points = np.column_stack([np.arange(1, len(rates) + 1), rates])
    return points[np.isfinite(rates)]


def _metric(axes: Axes, metric: str, both: Mapping[str, npt.NDArray[np.float64]]) -> None:
    scale = 100 if metric == "accuracy" else 1
    for part, look in (("train", TRAIN), ("val", VALIDATION)):
        if part in both:
            steps, values = both[part].T
            marker = look.marker if len(steps) <= 40 else ""
            axes.plot(
                steps,
                values * scale,
                color=look.colour,
                linestyle=look.dashes,
                marker=marker,
                label="training" if part == "train" else "validation",
            )
    axes.set(title=metric.capitalize(), xlabel="epoch", ylabel="accuracy (%)" if metric == "accuracy" else "loss")
    drawn = np.concatenate([points[:, 1] for points in both.values()])
    if metric == "loss" and drawn.min() > 0 and drawn.max() > SEVERAL_DECADES * drawn.min():
        plain_log(axes)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))


def _learning_rate(axes: Axes, rates: npt.NDArray[np.float64], *, by_step: bool) -> None:
    marker = "" if by_step or len(rates) > 40 else "o"
    axes.plot(rates[:, 0], rates[:, 1], color=INK, marker=marker)
    axes.set(title="Learning rate", xlabel="optimizer step" if by_step else "epoch", ylabel="learning rate")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))


@styled
def confusion(matrix: npt.ArrayLike, classes: Sequence[str], path: Path | str | None = None, *, title: str) -> bytes:
    """Plot a confusion matrix.

    The shade of a cell is its share of the true class on a square-root scale, so that rare errors are visible next to
    a full diagonal.

    Args:
        matrix: Counts, N x N, with true classes in rows and predicted classes in columns.
        classes: The N class names.
        path: PNG file to write.
        title: Figure title.
    """
    counts = np.asarray(matrix, dtype=np.float64)
    if counts.shape != (len(classes), len(classes)):
        raise ValueError(f"A confusion matrix of {len(classes)} classes cannot have shape {counts.shape}")
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(page_width(), 4.0 + 0.34 * len(classes))
    figure = new_figure(side, side * 0.88, title)
    axes = figure.subplots()
    shades = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 100), interpolation="nearest")
    axes.grid(visible=False)
    bar = figure.colorbar(shades, ax=axes, shrink=0.8, ticks=[0, 1, 5, 10, 25, 50, 100])
    bar.set_label("share of the true class (%), square-root scale")
    _name_classes(axes, classes)
    if len(classes) <= MAX_CLASSES_WITH_COUNTS:
        _write_counts(axes, counts, shares)
    return save(figure, path)


def _name_classes(axes: Axes, classes: Sequence[str]) -> None:
    named = range(0, len(classes), -(-len(classes) // MAX_NAMED_CLASSES))
    names = [fit(classes[index], 1.2, lines=1) for index in named]
    axes.set_xticks(named, names, rotation=90 if len(classes) > 5 else 0)
    axes.set_yticks(named, names)
    every = "" if len(named) == len(classes) else f" (one name in {-(-len(classes) // MAX_NAMED_CLASSES)} shown)"
    axes.set(xlabel="predicted class" + every, ylabel="true class" + every)


def _write_counts(axes: Axes, counts: npt.NDArray[np.float64], shares: npt.NDArray[np.float64]) -> None:
    size = BODY if len(counts) <= 12 and counts.max() < 1e4 else SMALL
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if shares[row, column] > 35 else INK
            axes.text(column, row, f"{count:.0f}", ha="center", va="center", color=colour, size=size)

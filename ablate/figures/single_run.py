"""The pictures of a single run: its learning curves and its confusion matrix."""

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
from ablate.figures.rows import number, records
from ablate.figures.style import (
    BLUE,
    INK,
    VERMILLION,
    WIDTH,
    Series,
    new_figure,
    plain_log,
    save,
    shared_legend,
    styled,
)

CELLS_WITH_TEXT = 20  # classes up to which the counts are written into the cells
NAMED_CLASSES = 40  # classes up to which each has its name; beyond, every second, third, ... one
SEVERAL_DECADES = 100.0  # a loss whose largest value is this many times its smallest is drawn on a log scale

TRAIN, VALIDATION = Series(BLUE, "--", "o"), Series(VERMILLION, "-", "s")


@styled
def curves(
    history: Sequence[Mapping[str, Any]],
    path: Path | str | None = None,
    *,
    title: str,
    lr_steps: Sequence[float] | None = None,
) -> bytes:
    """Accuracy, loss and learning rate side by side, as PNG bytes, written to `path` if given.

    `history`: a row an epoch with `step` (0 = before training) and any of `train/accuracy`, `val/accuracy` (0 to 1),
    `train/loss`, `val/loss`, `lr`; what is missing, NaN or infinite is not drawn. `lr_steps`: the learning rate of
    every optimiser step, drawn instead of the epochs'. Raises UserError where there is nothing to draw.
    """
    rows = records(history)
    accuracy, loss = (_pair(rows, metric) for metric in ("accuracy", "loss"))
    rates = _steps(lr_steps) if lr_steps is not None and len(lr_steps) else _series(rows, "lr")
    panels = [name for name, there in (("accuracy", accuracy), ("loss", loss), ("lr", len(rates))) if there]
    if not panels:
        raise UserError("there are no curves to draw: the run recorded no accuracy, loss or learning rate")
    figure = new_figure(WIDTH * max(len(panels), 2) / 3, 3.1, title)
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        if panel == "lr":
            _learning_rate(axes, rates, by_step=lr_steps is not None and len(lr_steps) > 0)
        else:
            _metric(axes, panel, accuracy if panel == "accuracy" else loss)
    shared_legend(figure)
    return save(figure, path)


def _pair(rows: list[dict[str, Any]], metric: str) -> dict[str, npt.NDArray[np.float64]]:
    """The finite (step, value) points of a metric in training and validation, empty ones left out."""
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
    axes.set(title="Learning rate", xlabel="step (batch)" if by_step else "epoch", ylabel="learning rate")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))


@styled
def confusion(matrix: npt.ArrayLike, classes: Sequence[str], path: Path | str | None = None, *, title: str) -> bytes:
    """The confusion matrix as PNG bytes, written to `path` if given.

    `matrix`: counts, row = true class, column = predicted class, N x N for the N names of `classes`. The shade of a
    cell is its share of the true class, on a square-root scale, so that rare mistakes show beside a full diagonal.
    """
    counts = np.asarray(matrix, dtype=np.float64)
    if counts.shape != (len(classes), len(classes)):
        raise ValueError(f"a confusion matrix of shape {counts.shape} does not fit {len(classes)} classes")
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(WIDTH, 4.0 + 0.34 * len(classes))
    figure = new_figure(side, side * 0.88, title)
    axes = figure.subplots()
    shades = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 100), interpolation="nearest")
    axes.grid(visible=False)
    bar = figure.colorbar(shades, ax=axes, shrink=0.8, ticks=[0, 1, 5, 10, 25, 50, 100])
    bar.set_label("share of the true class (%), square-root scale")
    _name_classes(axes, classes)
    if len(classes) <= CELLS_WITH_TEXT:
        _write_counts(axes, counts, shares)
    return save(figure, path)


def _name_classes(axes: Axes, classes: Sequence[str]) -> None:
    named = range(0, len(classes), -(-len(classes) // NAMED_CLASSES))
    names = [fit(classes[place], 1.2, lines=1) for place in named]
    axes.set_xticks(named, names, rotation=90 if len(classes) > 5 else 0)
    axes.set_yticks(named, names)
    every = "" if len(named) == len(classes) else f" (one name in {-(-len(classes) // NAMED_CLASSES)} shown)"
    axes.set(xlabel="predicted class" + every, ylabel="true class" + every)


def _write_counts(axes: Axes, counts: npt.NDArray[np.float64], shares: npt.NDArray[np.float64]) -> None:
    size = BODY if len(counts) <= 12 and counts.max() < 1e4 else SMALL
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if shares[row, column] > 35 else INK
            axes.text(column, row, f"{count:.0f}", ha="center", va="center", color=colour, size=size)

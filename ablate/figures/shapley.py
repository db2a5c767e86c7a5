"""Bars of leave-one-out, Shapley value and add-one-in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ablate.figures.labels import BODY, fit, side_name
from ablate.figures.legends import shared_legend
from ablate.figures.media import name_width, page_width
from ablate.figures.style import BLUE, GREEN, GREY, INK, ORANGE, new_figure, save, styled
from ablate.figures.table_cells import number, records, text

ATTRIBUTIONS = (
    ("loo", "leave-one-out", BLUE, ""),
    ("shapley", "Shapley value", ORANGE, "//"),
    ("aoi", "add-one-in", GREEN, ".."),
)


@styled
def shapley_bars(
    shares: Any,
    path: Path | str | None = None,
    *,
    unit: str = "points",
    metric: str = "test accuracy",
    title: str | None = None,
) -> bytes:
    """Plot leave-one-out, Shapley value and add-one-in of every factor as bars, sorted by Shapley value.

    Bars of one factor that differ show that it interacts with others.

    Args:
        shares: A table or sequence of mappings with `factor`, `loo`, `shapley`, `aoi` (the gain from the factor, in
            `unit`) and, if known, the ends of their intervals `loo_low`, `loo_high`, `shapley_low`, ...
        unit: The unit of the shares.
        metric: The metric's name.
        path: PNG file to write.
        title: Figure title.
    """
    rows = sorted(records(shares), key=lambda row: -np.nan_to_num(number(row, "shapley"), nan=-np.inf))
    if not rows:
        raise ValueError("A plot of Shapley values needs at least one factor")
    figure = new_figure(page_width(), 0.55 * len(rows) + 1.2, title)
    axes = figure.subplots()
    for index in range(len(ATTRIBUTIONS)):
        _attribution_bars(axes, rows, index)
    axes.axvline(0, color=GREY, linewidth=1)
    axes.set_yticks(range(len(rows)), [side_name(text(row, "factor"), 2.2) for row in rows])
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(fit(f"contribution to {metric} ({unit})", page_width() - name_width(2.4), size=BODY))
    shared_legend(figure)
    return save(figure, path)


def _attribution_bars(axes: Axes, rows: Sequence[Mapping[str, Any]], index: int) -> None:
    """Draw the bars of one attribution, unless no factor has a value."""
    column, label, colour, hatch = ATTRIBUTIONS[index]
    values = np.array([number(row, column) for row in rows])
    ends = np.array([[number(row, f"{column}_{end}") for row in rows] for end in ("low", "high")])
    if not np.isfinite(values).any():
        return
    axes.barh(
        np.arange(len(rows)) + 0.26 * (index - 1),
        values,
        height=0.25,
        color=colour,
        hatch=hatch,
        edgecolor="white",
        linewidth=0,
        label=label,
        xerr=np.abs(ends - values),
        error_kw={"elinewidth": 1, "ecolor": INK, "capsize": 2},
    )

"""A forest plot for the width of a phone: names and verdicts above the rows, one column."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ablate.figures.forest import rows_of
from ablate.figures.interval_rows import Row, View, draw_row, legend, range_in_view
from ablate.figures.labels import BODY, SMALL, fit, readable, signed
from ablate.figures.style import GREY, PALE, new_figure, save, styled

ON_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85}  # over the lines of the axes
NARROW = 4.2  # inches; displayed at about 360 pixels, 8 points are then 10 pixels high
ROW_HEIGHT = 0.46  # inches
TEXT, LINE = 0.13, 0.32  # inches from the top of a row to the middle of its text and of its interval


@styled
def narrow_forest(
    effects: Any,
    path: Path | str | None = None,
    *,
    margin: float,
    unit: str = "points",
    metric: str = "test accuracy",
    seeds: Mapping[str, Sequence[float]] | None = None,
) -> bytes:
    """Plot the rows of `forest`, with the same arguments, sorted, in a figure for narrow screens."""
    rows = sorted(rows_of(effects, margin, unit, seeds or {}), key=lambda row: (math.isnan(row.delta), row.delta))
    figure = new_figure(NARROW, ROW_HEIGHT * len(rows) + 1.3)
    axes = figure.subplots()
    view = View(*range_in_view(rows, margin), rows)
    axes.set(xlim=(view.low, view.high), ylim=(ROW_HEIGHT * len(rows), 0), yticks=[])
    axes.axvspan(-margin, margin, color=PALE, alpha=0.55, linewidth=0, zorder=0)
    axes.axvline(0, color=GREY, linewidth=1, zorder=1)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    label = f"difference in {metric.rstrip(',')} ({unit}): variant minus reference"
    axes.set_xlabel(fit(label, NARROW - 0.4, size=BODY, lines=2))
    for place, row in enumerate(rows):
        draw_row(axes, row, ROW_HEIGHT * place + LINE, view)
        height = ROW_HEIGHT * place + TEXT
        name, verdict = _texts(row)
        at_edges: dict[str, Any] = {
            "transform": axes.get_yaxis_transform(),
            "verticalalignment": "center",
            "fontsize": SMALL,
            "bbox": ON_WHITE,
        }
        axes.text(0, height, name, **at_edges)
        axes.text(1, height, verdict, horizontalalignment="right", color=readable(row.marker[0]), **at_edges)
    legend(figure, rows, [view], margin, "this comparison alone", columns=2)
    return save(figure, path)


def _texts(row: Row) -> tuple[str, str]:
    verdict = ": ".join(part for part in row.verdict.split(": ") if "unstable in" not in part) or row.verdict
    estimate = "" if math.isnan(row.delta) else f"  {signed(row.delta, row.digits)}"
    return fit(row.name, 1.4, lines=1) + estimate, fit(verdict, 2.1, lines=1)

"""The rows of forest plots: estimates with two intervals, seeds as dots, the margin shaded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ablate.figures.legends import legend_below
from ablate.figures.style import BLUE, GREEN, GREY, INK, PALE, VERMILLION

UNRELIABLE = "trains unreliably"
STRETCH = 4.0  # unstable rows may widen the axis by this factor


@dataclass(frozen=True)
class Row:
    """One comparison to draw. Unknown values are NaN or empty."""

    name: str
    delta: float
    interval: tuple[float, float]
    familywise: tuple[float, float]
    verdict: str = ""
    unstable: bool = False
    seeds: Sequence[float] = ()
    n_seeds: int = 0  # where `seeds` is a selection
    digits: int = 2  # decimals of the estimate

    @property
    def marker(self) -> tuple[str, str]:
        """Colour and marker: filled and coloured for a decided comparison, an open grey circle otherwise."""
        if UNRELIABLE in self.verdict:
            return INK, "X"
        if "loss" in self.verdict:
            return VERMILLION, "v"
        if "gain" in self.verdict:
            return GREEN, "^"
        if "negligible" in self.verdict or "no practically" in self.verdict:
            return BLUE, "s"
        return GREY, "o"

    @property
    def points(self) -> list[float]:
        """The finite values that must be visible: the estimate and the seeds."""
        return [value for value in (self.delta, *self.seeds) if math.isfinite(value)]


class View(NamedTuple):
    """The range of a panel's axis, and the rows drawn in it. Other rows are marked by an arrow."""

    low: float
    high: float
    rows: Sequence[Row]

    @property
    def width(self) -> float:
        """The length of the axis."""
        return self.high - self.low


def legend(figure: Figure, rows: Sequence[Row], views: Sequence[View], margin: float, level: str) -> None:
    """Add a legend of the marks in use, below the panels."""
    entries: list[Line2D | Patch] = [Line2D([], [], color=GREY, linewidth=3.2, label=level)]
    if any(math.isfinite(end) for row in rows for end in row.familywise):
        entries.append(Line2D([], [], color=GREY, linewidth=1, label="family-wise interval"))
    if any(row.seeds for row in rows):
        chosen = any(len(row.seeds) < row.n_seeds for row in rows)
        label = "one seed (a selection)" if chosen else "one seed"
        dot = Line2D([], [], color=INK, alpha=0.55, marker=".", linestyle="", markersize=6, mew=0, label=label)
        entries.append(dot)
    if any(_beyond(row, view) for row in rows for view in views):
        entries.append(Line2D([], [], color=GREY, marker="<", linestyle="", markersize=5, label="outside the axis"))
    if margin > 0:
        entries.append(Patch(facecolor=PALE, alpha=0.55, label=f"margin ±{margin:g}: too small to matter"))
    legend_below(figure, entries, columnspacing=1.5)


def range_in_view(rows: Sequence[Row], margin: float) -> tuple[float, float]:
    """Return the range that shows estimates, seeds, margin, and intervals unless they are much longer.

    Unstable rows count unless they would make the others unreadable.
    """
    counted = rows
    low, high = _range(rows, margin)
    steady = [row for row in rows if not row.unstable]
    core = _range(steady, margin)
    if steady and high - low > STRETCH * (core[1] - core[0]):
        counted, (low, high) = steady, core
    reach = high - low
    ends = [end for row in counted for end in (*row.interval, *row.familywise) if math.isfinite(end)]
    low = max(min([*ends, low]), low - reach)
    high = min(max([*ends, high]), high + reach)
    return low - 0.05 * (high - low), high + 0.05 * (high - low)


def _range(rows: Sequence[Row], margin: float) -> tuple[float, float]:
    values = [value for row in rows for value in row.points]
    return min([*values, -1.2 * margin]), max([*values, 1.2 * margin])


def draw_panel(axes: Axes, rows: Sequence[Row], heights: Sequence[float], view: View, margin: float) -> None:
    """Draw rows at their heights, in inches from the top of the panel; the last of the heights is that of the panel."""
    *levels, end = heights
    axes.axvspan(-margin, margin, color=PALE, alpha=0.55, linewidth=0, zorder=0)
    axes.axvline(0, color=GREY, linewidth=1, zorder=1)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.set(xlim=(view.low, view.high), ylim=(end, 0))
    axes.tick_params(axis="y", length=0)
    axes.set_yticks(levels, [""] * len(levels))
    for row, level in zip(rows, levels, strict=True):
        _draw_row(axes, row, level, view)


def _beyond(row: Row, view: View) -> list[str]:
    """Return the sides, "<" and ">", on which a part of the row is outside the view."""
    if row not in view.rows:
        return ["<" if row.delta < (view.low + view.high) / 2 else ">"] if math.isfinite(row.delta) else []
    values = [value for value in (*row.points, *row.interval, *row.familywise) if math.isfinite(value)]
    sides = (("<", any(value < view.low for value in values)), (">", any(value > view.high for value in values)))
    return [side for side, out in sides if out]


def _draw_row(axes: Axes, row: Row, y: float, view: View) -> None:
    """Draw the intervals above and the seeds below the row's middle, and arrows to values outside the view."""
    colour, above, below = row.marker[0], y - 0.04, y + 0.055
    for side in _beyond(row, view):
        edge = 0.012 if side == "<" else 0.988
        axes.plot(edge, above, side, color=colour, markersize=5, zorder=5, transform=axes.get_yaxis_transform())
    if row not in view.rows:
        return
    for (low, high), width in ((row.familywise, 1.0), (row.interval, 3.2)):
        if math.isfinite(low) and math.isfinite(high):
            axes.plot([low, high], [above, above], color=colour, linewidth=width, solid_capstyle="butt", zorder=3)
    inside = [value for value in row.seeds if view.low <= value <= view.high]
    axes.plot(inside, [below] * len(inside), ".", color=INK, alpha=0.55, markersize=5, mew=0, zorder=4)
    if view.low <= row.delta <= view.high:
        face, rim = ("white", colour) if colour == GREY else (colour, "white")
        axes.plot(row.delta, above, row.marker[1], markersize=5.5, markerfacecolor=face, markeredgecolor=rim, zorder=6)

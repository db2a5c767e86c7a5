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
from matplotlib.ticker import MaxNLocator

from ablate.figures.labels import BODY, SMALL, fit, readable, signed
from ablate.figures.style import BLUE, GREEN, GREY, INK, PALE, VERMILLION, WIDTH, new_figure

NAME_WIDTH, VERDICT_WIDTH = 1.9, 2.0  # inches
LINE_HEIGHT = 0.14  # inches per line of a row's text
ROW_PADDING = 0.15  # inches
UNRELIABLE = "trains unreliably"
STRETCH = 4.0  # unstable rows may widen the axis by this factor
ZOOM_BEYOND = 14  # an axis that spans more margins gets a second panel that enlarges the small effects
MIN_ZOOM = 3  # least factor between the two axes; each panel has half the width, so 3 enlarges by 1.5
NEARBY = 0.1  # share of the enlarged range: rows with an estimate this close to it are included
WIDEST = 1.6  # such rows may widen that range by this factor


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


def rows_figure(
    groups: Sequence[tuple[str, Sequence[Row]]], margin: float, label: str, title: str | None, level: str
) -> Figure:
    """Return a figure with one panel of sorted rows per heading, and a second that enlarges small effects if needed.

    Values outside a panel end in an arrow at its edge. `label` is the axis label, `level` names the thick interval.
    """
    groups = [(heading, sorted(rows, key=lambda row: (math.isnan(row.delta), row.delta))) for heading, rows in groups]
    heights = [sum(_height(row) for row in rows) + 0.1 for _, rows in groups]
    figure = new_figure(WIDTH, sum(heights) + 0.35 * len(groups) + (1.35 if title else 1.05), title)
    views = _views([row for _, rows in groups for row in rows], margin)
    panels = figure.subplots(len(groups), len(views), squeeze=False, sharex="col", height_ratios=heights)
    for line, (heading, rows) in zip(panels, groups, strict=True):
        for axes, view in zip(line, views, strict=True):
            _panel(axes, rows, view, margin)
        _annotate(line[0], line[-1], rows)
        line[0].set_title(heading)
        if len(views) > 1:
            line[1].set_title("small differences, enlarged")
    for axes in panels[-1]:
        axes.set_xlabel(fit(label, 5 / len(views), size=BODY, lines=3))
        axes.xaxis.set_major_locator(MaxNLocator(7 if len(views) == 1 else 5))
    legend(figure, [row for _, rows in groups for row in rows], views, margin, level)
    return figure


def legend(
    figure: Figure, rows: Sequence[Row], views: Sequence[View], margin: float, level: str, *, columns: int = 0
) -> None:
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
    figure.legend(
        handles=entries, loc="outside lower center", ncols=columns or len(entries), columnspacing=1 if columns else 1.5
    )


def _texts(row: Row) -> tuple[str, str]:
    """Return the name and the verdict, with the estimate unless the verdict excludes one."""
    estimate = "" if math.isnan(row.delta) or UNRELIABLE in row.verdict else signed(row.delta, row.digits)
    verdict = " · ".join(part for part in (estimate, row.verdict) if part)
    return fit(row.name, NAME_WIDTH), fit(verdict, VERDICT_WIDTH, lines=3)


def _height(row: Row) -> float:
    return ROW_PADDING + LINE_HEIGHT * max(words.count("\n") + 1 for words in _texts(row))


def _views(rows: Sequence[Row], margin: float) -> list[View]:
    """Return the view of all rows and, if large effects hide small ones, a second view of the small ones."""
    whole = View(*range_in_view(rows, margin), rows)
    small = [row for row in rows if abs(row.delta) < 2 * margin]
    if len(small) < 2 or whole.width < ZOOM_BEYOND * margin:
        return [whole]
    near = _with_neighbours(View(*range_in_view(small, margin), small), rows)
    return [whole, near] if whole.width >= MIN_ZOOM * near.width else [whole]


def _with_neighbours(view: View, rows: Sequence[Row]) -> View:
    """Return the view, widened to include every row whose estimate is in it or close to it, nearest first.

    Family-wise intervals are included if there is room. Rows that would widen the view too much are left out.
    """
    widest = WIDEST * view.width
    others = [row for row in rows if math.isfinite(row.delta) and row not in view.rows]
    for row in sorted(others, key=lambda row: max(view.low - row.delta, row.delta - view.high)):
        reach = NEARBY * view.width
        if not view.low - reach <= row.delta <= view.high + reach:
            continue
        needed = [*row.points, *row.interval]
        wider = (_widened(view, values) for values in ([*needed, *row.familywise], needed))
        low, high = next((ends for ends in wider if ends[1] - ends[0] <= widest), (math.nan, math.nan))
        if math.isfinite(low):
            view = View(low, high, [*view.rows, row])
    return view


def _widened(view: View, values: Sequence[float]) -> tuple[float, float]:
    """Return the ends of a view that shows the finite values at a distance from its edges."""
    finite, pad = [value for value in values if math.isfinite(value)], 0.05 * view.width
    return min([view.low, *(value - pad for value in finite)]), max([view.high, *(value + pad for value in finite)])


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


def _levels(rows: Sequence[Row]) -> list[float]:
    """Return the middle of each row in inches from the top of its panel, then the panel's height."""
    level, levels = 0.0, []
    for row in rows:
        levels.append(level + _height(row) / 2)
        level += _height(row)
    return [*levels, level]


def _panel(axes: Axes, rows: Sequence[Row], view: View, margin: float) -> None:
    *levels, end = _levels(rows)
    axes.axvspan(-margin, margin, color=PALE, alpha=0.55, linewidth=0, zorder=0)
    axes.axvline(0, color=GREY, linewidth=1, zorder=1)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.set(xlim=(view.low, view.high), ylim=(end, 0))
    axes.tick_params(axis="y", length=0)
    axes.set_yticks(levels, [""] * len(levels))
    for row, level in zip(rows, levels, strict=True):
        draw_row(axes, row, level, view)


def _annotate(first: Axes, last: Axes, rows: Sequence[Row]) -> None:
    """Write the names to the left of the first panel and the verdicts to the right of the last."""
    levels = _levels(rows)[:-1]
    first.set_yticks(levels, [_texts(row)[0] for row in rows])
    for row, level in zip(rows, levels, strict=True):
        verdict = last.text(1.03, level, _texts(row)[1], transform=last.get_yaxis_transform(), va="center", size=SMALL)
        verdict.set_color(readable(row.marker[0]))


def _beyond(row: Row, view: View) -> list[str]:
    """Return the sides, "<" and ">", on which a part of the row is outside the view."""
    if row not in view.rows:
        return ["<" if row.delta < (view.low + view.high) / 2 else ">"] if math.isfinite(row.delta) else []
    values = [value for value in (*row.points, *row.interval, *row.familywise) if math.isfinite(value)]
    sides = (("<", any(value < view.low for value in values)), (">", any(value > view.high for value in values)))
    return [side for side, out in sides if out]


def draw_row(axes: Axes, row: Row, y: float, view: View) -> None:
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

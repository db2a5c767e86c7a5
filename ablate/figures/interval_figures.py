"""Figures of interval rows: names and verdicts next to the panels, or above the rows in a narrow figure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ablate.figures.interval_rows import UNRELIABLE, Row, View, draw_panel, legend, range_in_view
from ablate.figures.labels import BODY, SMALL, fit, readable, signed, text_width
from ablate.figures.media import is_narrow, page_width
from ablate.figures.style import new_figure

NAME_WIDTH, VERDICT_WIDTH = 1.9, 2.0  # inches
LINE_HEIGHT = 0.14  # inches per line of a row's text
ROW_PADDING = 0.15  # inches
ZOOM_BEYOND = 14  # an axis that spans more margins gets a second panel that enlarges the small effects
MIN_ZOOM = 3  # least factor between the two axes; each panel has half the width, so 3 enlarges by 1.5
NEARBY = 0.1  # share of the enlarged range: rows with an estimate this close to it are included
WIDEST = 1.6  # such rows may widen that range by this factor

NARROW_ROW = 0.46  # inches per row of a narrow figure
TEXT, LINE = 0.13, 0.32  # inches from the top of such a row to the middle of its text and of its interval
ON_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85}  # over the lines of the axes

Groups = Sequence[tuple[str, Sequence[Row]]]
"""Rows by the heading of their panel, which may be empty."""


def rows_figure(groups: Groups, margin: float, label: str, title: str | None, level: str) -> Figure:
    """Return a figure with one panel of sorted rows per heading.

    Values outside a panel end in an arrow at its edge. `label` is the axis label, `level` names the thick interval.
    """
    groups = [(heading, sorted(rows, key=lambda row: (math.isnan(row.delta), row.delta))) for heading, rows in groups]
    if is_narrow():
        return _narrow(groups, margin, label, title)
    return _wide(groups, margin, label, title, level)


def _wide(groups: Groups, margin: float, label: str, title: str | None, level: str) -> Figure:
    """Return a figure with names and verdicts at its sides, and a second panel that enlarges small effects."""
    heights = [sum(_height(row) for row in rows) + 0.1 for _, rows in groups]
    figure = new_figure(page_width(), sum(heights) + 0.35 * len(groups) + (1.35 if title else 1.05), title)
    views = _views([row for _, rows in groups for row in rows], margin)
    panels = figure.subplots(len(groups), len(views), squeeze=False, sharex="col", height_ratios=heights)
    for line, (heading, rows) in zip(panels, groups, strict=True):
        for axes, view in zip(line, views, strict=True):
            draw_panel(axes, rows, _levels(rows), view, margin)
        _annotate(line[0], line[-1], rows)
        line[0].set_title(heading)
        if len(views) > 1:
            line[1].set_title("small differences, enlarged")
    for axes in panels[-1]:
        axes.set_xlabel(fit(label, (page_width() - 4) / len(views), size=BODY, lines=6))
        axes.xaxis.set_major_locator(MaxNLocator(7 if len(views) == 1 else 5))
    legend(figure, [row for _, rows in groups for row in rows], views, margin, level)
    return figure


def _narrow(groups: Groups, margin: float, label: str, title: str | None) -> Figure:
    """Return a figure with the names and verdicts above the rows."""
    every = [row for _, rows in groups for row in rows]
    heights = [sum(NARROW_ROW + _extra(row) for row in rows) for _, rows in groups]
    headings = 0.3 * sum(bool(heading) for heading, _ in groups)
    figure = new_figure(page_width(), sum(heights) + headings + (1.6 if title else 1.3), title)
    view = View(*range_in_view(every, margin), every)
    panels = figure.subplots(len(groups), 1, squeeze=False, sharex="col", height_ratios=heights)[:, 0]
    for axes, (heading, rows) in zip(panels, groups, strict=True):
        ends = list(itertools.accumulate(NARROW_ROW + _extra(row) for row in rows))
        draw_panel(axes, rows, [*(end - NARROW_ROW + LINE for end in ends), ends[-1]], view, margin)
        axes.set_yticks([])
        axes.set_title(heading)
        for row, end in zip(rows, ends, strict=True):
            _write_above(axes, row, end - NARROW_ROW + TEXT)
    panels[-1].set_xlabel(fit(label, page_width() - 0.4, size=BODY, lines=3))
    panels[-1].xaxis.set_major_locator(MaxNLocator(6))
    legend(figure, every, [view], margin, "this comparison alone")
    return figure


def _texts_above(row: Row) -> tuple[str, str]:
    """Return the name with the estimate, and the verdict, each for one line."""
    room = page_width() - 0.2
    estimate = "" if math.isnan(row.delta) else f"  {signed(row.delta, row.digits)}"
    verdict = ": ".join(part for part in row.verdict.split(": ") if "unstable in" not in part) or row.verdict
    return fit(row.name, room - text_width(estimate), lines=1) + estimate, fit(verdict, room, lines=1)


def _extra(row: Row) -> float:
    """Return the height of a line for the verdict, if the row's texts do not fit in one line."""
    fits = sum(map(text_width, _texts_above(row))) + 0.15 <= page_width() - 0.2
    return 0.0 if fits else LINE_HEIGHT


def _write_above(axes: Axes, row: Row, height: float) -> None:
    """Write name, estimate and verdict of a row, the last line of them at a height."""
    name, verdict = _texts_above(row)
    at_edges: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "center", "size": SMALL}
    axes.text(0, height - _extra(row), name, bbox=ON_WHITE, **at_edges)
    axes.text(1, height, verdict, ha="right", color=readable(row.marker[0]), bbox=ON_WHITE, **at_edges)


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


def _levels(rows: Sequence[Row]) -> list[float]:
    """Return the middle of each row in inches from the top of its panel, then the panel's height."""
    level, levels = 0.0, []
    for row in rows:
        levels.append(level + _height(row) / 2)
        level += _height(row)
    return [*levels, level]


def _annotate(first: Axes, last: Axes, rows: Sequence[Row]) -> None:
    """Write the names to the left of the first panel and the verdicts to the right of the last."""
    levels = _levels(rows)[:-1]
    first.set_yticks(levels, [_texts(row)[0] for row in rows])
    for row, level in zip(rows, levels, strict=True):
        verdict = last.text(1.03, level, _texts(row)[1], transform=last.get_yaxis_transform(), va="center", size=SMALL)
        verdict.set_color(readable(row.marker[0]))

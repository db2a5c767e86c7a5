"""The panels of curves of runs: lines, bands and marks, scales, and a panel in axes of the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ablate.figures.arm_curves import Band
from ablate.figures.labels import fit
from ablate.figures.media import is_narrow
from ablate.figures.run_lines import RunLines, step_text, view_of
from ablate.figures.style import GREY, INK, LINE_STYLES, LineStyle, plain_log, styled
from ablate.figures.training_curves import LINES_IN_ONE_PANEL, SEVERAL_DECADES

DOTTED = (0, (1, 2))
MARKS: Sequence[tuple[str, str, Mapping[str, Any]]] = (
    ("diverged", "a run diverged", {"marker": "x", "markersize": 6, "markeredgewidth": 1.8}),
    ("stopped", "a run ended", {"marker": "|", "markersize": 9, "markeredgewidth": 1.4}),
    ("scored", "score", {"marker": "D", "markersize": 4, "markeredgewidth": 1, "markerfacecolor": "white"}),
)
"""Points of `RunLines`, their meaning, and how they are drawn."""

Shown = tuple[Axes, RunLines, LineStyle]
"""A panel, a variant in it, and its look."""


@styled
def run_curves_axes(
    axes: Axes,
    arms: Sequence[Mapping[str, Any]],
    *,
    label: str,
    axis: str = "step",
    reference: str = "baseline",
    band: Band = "sd",
    scored_step: float | None = None,
) -> None:
    """Plot one metric by step into `axes`, arguments as for `run_curves_figure`.

    Of many variants, the reference and the extremes are named.
    """
    lines = sorted((RunLines(**arm) for arm in arms), key=lambda line: line.name != reference)
    shown = draw_lines(axes, lines, band)
    set_scales([axes], np.concatenate([line.drawn for line in lines]), band)
    if scored_step is not None:
        axes.axvline(scored_step, color=INK, linewidth=1, linestyle=DOTTED, zorder=1)
    for panel, line, look in shown:
        draw_marks(panel, line, look)
    axes.set(xlabel=axis, ylabel=label)
    handles = [named_line(line, look) for _, line, look in shown]
    axes.legend(handles=handles)


def draw_lines(axes: Axes, lines: Sequence[RunLines], band: Band) -> list[Shown]:
    """Draw variants into one panel, and return those to name: all if they are few, else the first and the extremes."""
    named = list(lines)
    if len(lines) > LINES_IN_ONE_PANEL:
        ranked = sorted(lines[1:], key=lambda line: line.end[1])
        named = [lines[0], *ranked[:2], *ranked[-2:]]
    for line in lines:
        if line not in named:
            axes.plot(line.steps, line.mean, color=GREY, linewidth=0.6, alpha=0.5)
    shown = [(axes, line, look) for line, look in zip(named, LINE_STYLES, strict=False)]
    for _, line, look in shown:
        draw_line(axes, line, look, band)
    return shown


def draw_line(axes: Axes, line: RunLines, look: LineStyle, band: Band) -> None:
    """Draw the mean of a variant with its band, and single runs where others have no value."""
    low, high = line.band(band)
    axes.fill_between(line.steps, low, high, color=look.colour, alpha=0.18, linewidth=0)
    every = max(1, len(line.steps) // 8)
    axes.plot(line.steps, line.mean, color=look.colour, linestyle=look.dashes, marker=look.marker, markevery=every)
    width = 0.7 if len(line.values) > 1 else 1.6
    for steps, values in line.singles:
        axes.plot(steps, values, color=look.colour, linestyle=look.dashes, linewidth=width, alpha=0.8)


def draw_marks(axes: Axes, line: RunLines, look: LineStyle) -> None:
    """Draw the ends and the scores of runs; those outside the axis are at its edge."""
    for kind, _, mark in MARKS:
        points = getattr(line, kind)
        heights = [inside(axes, value) for _, value in points]
        if points:
            axes.plot([step for step, _ in points], heights, color=look.colour, linestyle="", zorder=6, **mark)


def inside(axes: Axes, value: float) -> float:
    """Return a height, or the edge of the axis beyond which it is."""
    low, high = axes.get_ylim()
    return min(max(value, low), high)


def set_scales(panels: Sequence[Axes], points: Any, band: Band) -> str | None:
    """Set the scales of the axes, and return a note on values that they cut off."""
    steps, heights = points.T
    is_wide = len(panels) == 1 and not is_narrow()
    for axes in panels:
        axes.xaxis.set_major_locator(
            MaxNLocator(integer=bool((steps == steps.round()).all()), nbins=7 if is_wide else 4, min_n_ticks=1)
        )
        axes.xaxis.set_major_formatter(FuncFormatter(step_text))
    if band == "range" and heights.min() > 0 and heights.max() > SEVERAL_DECADES * heights.min():
        for axes in panels:
            plain_log(axes)
        return None
    low, high = view_of(points)
    for axes in panels:
        axes.set_ylim(low, high)
    sides = {"below": heights.min() < low, "above": heights.max() > high}
    ends = " and ".join(side for side, out in sides.items() if out)
    return f"values {ends} the axis are cut off" if ends else None


def named_line(line: RunLines, look: LineStyle) -> Line2D:
    """Return the entry of a variant for a legend."""
    handle = Line2D([], [], color=look.colour, marker=look.marker, label=fit(line.name, 2.6, lines=1))
    handle.set_linestyle(look.dashes)  # type: ignore[arg-type]  # one of the literals
    return handle

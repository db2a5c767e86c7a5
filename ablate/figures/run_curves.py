"""Curves of runs of other software by variant: mean and band where all runs have a value, single runs elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ablate.figures.arm_curves import Band
from ablate.figures.labels import BODY, SMALL, fit, margin_labels
from ablate.figures.media import chart_height, is_narrow, page_width, panels_across
from ablate.figures.run_lines import RunLines, step_text, view_of
from ablate.figures.style import (
    BLUE,
    GREY,
    INK,
    LINE_STYLES,
    LineStyle,
    legend_below,
    new_figure,
    panel_grid,
    plain_log,
    save,
    styled,
)
from ablate.figures.training_curves import LINES_IN_ONE_PANEL, MAX_PANELS, PANELS_ACROSS, SEVERAL_DECADES

BANDS: Mapping[Band, str] = {"sd": "± 1 standard deviation over runs", "range": "lowest to highest run"}
DOTTED = (0, (1, 2))
MARKS: Sequence[tuple[str, str, Mapping[str, Any]]] = (
    ("diverged", "a run diverged", {"marker": "x", "markersize": 6, "markeredgewidth": 1.8}),
    ("stopped", "a run ended", {"marker": "|", "markersize": 9, "markeredgewidth": 1.4}),
    ("scored", "score", {"marker": "D", "markersize": 4, "markeredgewidth": 1, "markerfacecolor": "white"}),
)
"""Points of `RunLines`, their meaning, and how they are drawn."""

Shown = tuple[Axes, RunLines, LineStyle]
"""A panel, a variant in it, and its look."""


@dataclass(frozen=True)
class _Page:
    """A figure with its panels.

    Attributes:
        figure: The figure.
        shown: The variants in the panels.
        share_panel: Whether all variants share one panel, so that lines are named.
        behind: The reference, if it is drawn in the panels of the others.
    """

    figure: Figure
    shown: Sequence[Shown]
    share_panel: bool
    behind: RunLines | None = None

    @property
    def panels(self) -> list[Axes]:
        """The panels in order."""
        return list(dict.fromkeys(axes for axes, _, _ in self.shown))


@styled
def run_curves(
    arms: Sequence[Mapping[str, Any]],
    path: Path | str | None = None,
    *,
    label: str,
    axis: str = "step",
    reference: str = "baseline",
    band: Band = "sd",
    scored_step: float | None = None,
) -> bytes:
    """Plot one metric by step for every variant.

    Up to five variants share a panel, up to forty have a panel each with the reference in grey, of more the extremes
    are named.

    Args:
        arms: The fields of `RunLines` by variant, in the order of the figure.
        path: File to write.
        label: Name and unit of the metric.
        axis: Name of the steps.
        reference: Name of the reference variant.
        band: The band around the mean: "sd" (one standard deviation) or "range" (lowest to highest run, as for losses).
        scored_step: The step of all scores, if it is one.
    """
    lines = [RunLines(**arm) for arm in arms]
    several_panels = LINES_IN_ONE_PANEL < len(lines) <= MAX_PANELS
    page = _panel_per_arm(lines, band, reference) if several_panels else _one_panel(lines, band)
    note = _set_scales(page, np.concatenate([line.drawn for line in lines]), band)
    _set_labels(page, label, axis)
    for panel in page.panels:
        if scored_step is not None:
            panel.axvline(scored_step, color=INK, linewidth=1, linestyle=DOTTED, zorder=1)
    for panel, line, look in page.shown:
        _draw_marks(panel, line, look)
    entries = list(_entries(page, lines, band))
    if scored_step is not None:
        entries.append(Line2D([], [], color=INK, linewidth=1, linestyle=DOTTED, label=f"{axis} of the scores"))
    legend_below(page.figure, entries, most=5, grow=is_narrow(), title=note, title_fontsize=SMALL)
    if page.share_panel and not is_narrow():
        ends = [(line.end[0], _inside(panel, line.end[1])) for panel, line, _ in page.shown]
        names = [fit(line.name, 1.9, lines=3) for _, line, _ in page.shown]
        margin_labels(page.panels[0], ends, names, [look.colour for _, _, look in page.shown])
    return save(page.figure, path)


def _one_panel(lines: Sequence[RunLines], band: Band) -> _Page:
    figure = new_figure(page_width(), chart_height(4.2))
    axes = figure.subplots()
    named = list(lines)
    if len(lines) > LINES_IN_ONE_PANEL:
        ranked = sorted(lines[1:], key=lambda line: line.end[1])
        named = [lines[0], *ranked[:2], *ranked[-2:]]
    for line in lines:
        if line not in named:
            axes.plot(line.steps, line.mean, color=GREY, linewidth=0.6, alpha=0.5)
    shown = [(axes, line, look) for line, look in zip(named, LINE_STYLES, strict=False)]
    for _, line, look in shown:
        _draw(axes, line, look, band)
    return _Page(figure, shown, share_panel=True)


def _panel_per_arm(lines: Sequence[RunLines], band: Band, reference: str) -> _Page:
    behind = next((line for line in lines if line.name == reference), None)
    own = [line for line in lines if line is not behind]
    columns = min(panels_across(PANELS_ACROSS), len(own))
    figure, panels, _ = panel_grid(len(own), columns, 1.95, sharex=True, sharey=True)
    shown: list[Shown] = []
    for axes, line in zip(panels, own, strict=True):
        if behind is not None:
            shown.append((axes, behind, LineStyle(GREY, "--", "")))
            axes.plot(behind.steps, behind.mean, color=GREY, linestyle="--", zorder=1.9)
        shown.append((axes, line, LineStyle(BLUE, "-", "")))
        _draw(axes, line, LineStyle(BLUE, "-", ""), band)
        axes.set_title(fit(line.name, page_width() / columns - 0.45, size=BODY))
        axes.tick_params(labelbottom=True)
    return _Page(figure, shown, share_panel=False, behind=behind)


def _draw(axes: Axes, line: RunLines, look: LineStyle, band: Band) -> None:
    low, high = line.band(band)
    axes.fill_between(line.steps, low, high, color=look.colour, alpha=0.18, linewidth=0)
    every = max(1, len(line.steps) // 8)
    axes.plot(line.steps, line.mean, color=look.colour, linestyle=look.dashes, marker=look.marker, markevery=every)
    width = 0.7 if len(line.values) > 1 else 1.6
    for steps, values in line.singles:
        axes.plot(steps, values, color=look.colour, linestyle=look.dashes, linewidth=width, alpha=0.8)


def _draw_marks(axes: Axes, line: RunLines, look: LineStyle) -> None:
    """Draw the ends and the scores of runs; those outside the axis are at its edge."""
    for kind, _, mark in MARKS:
        points = getattr(line, kind)
        heights = [_inside(axes, value) for _, value in points]
        if points:
            axes.plot([step for step, _ in points], heights, color=look.colour, linestyle="", zorder=6, **mark)


def _inside(axes: Axes, value: float) -> float:
    low, high = axes.get_ylim()
    return min(max(value, low), high)


def _set_scales(page: _Page, points: Any, band: Band) -> str | None:
    """Set the scales of the axes, and return a note on values that they cut off."""
    steps, heights = points.T
    is_wide = len(page.panels) == 1 and not is_narrow()
    for axes in page.panels:
        axes.xaxis.set_major_locator(
            MaxNLocator(integer=bool((steps == steps.round()).all()), nbins=7 if is_wide else 4, min_n_ticks=1)
        )
        axes.xaxis.set_major_formatter(FuncFormatter(step_text))
    if band == "range" and heights.min() > 0 and heights.max() > SEVERAL_DECADES * heights.min():
        for axes in page.panels:
            plain_log(axes)
        return None
    low, high = view_of(points)
    for axes in page.panels:
        axes.set_ylim(low, high)
    sides = {"below": heights.min() < low, "above": heights.max() > high}
    ends = " and ".join(side for side, out in sides.items() if out)
    return f"values {ends} the axis are cut off" if ends else None


def _set_labels(page: _Page, label: str, axis: str) -> None:
    specs = [axes.get_subplotspec() for axes in page.panels]
    across = sum(spec is not None and spec.is_first_row() for spec in specs)
    for place, (axes, spec) in enumerate(zip(page.panels, specs, strict=True)):
        if spec is not None and spec.is_first_col():
            axes.set_ylabel(fit(label, 1.5 if len(specs) > 1 else chart_height(4.2) - 0.8, size=BODY))
        if place + across >= len(specs):
            axes.set_xlabel(fit(axis, page_width() / across - 0.5, size=BODY, lines=1))


def _entries(page: _Page, lines: Sequence[RunLines], band: Band) -> Iterator[Artist]:
    """Yield the entries of the legend, for the marks in use."""
    if page.share_panel and is_narrow():
        for _, line, look in page.shown:
            handle = Line2D([], [], color=look.colour, marker=look.marker, label=fit(line.name, 2.6, lines=1))
            handle.set_linestyle(look.dashes)  # type: ignore[arg-type]  # one of the literals
            yield handle
    colour = INK if page.share_panel else BLUE
    several = any(len(line.values) > 1 for line in lines)
    yield Line2D([], [], color=colour, label="mean over runs" if several else "one run")
    if any(len(line.values) > 1 and np.isfinite(line.mean).any() for line in lines):
        yield Patch(facecolor=GREY if page.share_panel else BLUE, alpha=0.25, label=BANDS[band])
    if several and any(line.singles for line in lines):
        yield Line2D([], [], color=colour, linewidth=0.7, label="single run")
    if page.share_panel and len(lines) > len(page.shown):
        others = f"{len(lines) - len(page.shown)} other variants"
        yield Line2D([], [], color=GREY, linewidth=0.6, alpha=0.5, label=others)
    if page.behind is not None:
        yield Line2D([], [], color=GREY, linestyle="--", label=fit(page.behind.name, 2, lines=1))
    for kind, words, mark in MARKS:
        if any(getattr(line, kind) for _, line, _ in page.shown):
            yield Line2D([], [], color=colour, linestyle="", label=words, **mark)

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

from ablate.figures.arm_curves import Band
from ablate.figures.labels import BODY, SMALL, fit, margin_labels
from ablate.figures.legends import legend_below
from ablate.figures.media import chart_height, is_narrow, page_width, panels_across
from ablate.figures.run_lines import RunLines
from ablate.figures.run_panels import (
    DOTTED,
    MARKS,
    Shown,
    draw_line,
    draw_lines,
    draw_marks,
    inside,
    named_line,
    set_scales,
)
from ablate.figures.style import (
    BLUE,
    GREY,
    INK,
    LineStyle,
    new_figure,
    panel_grid,
    save,
    styled,
)
from ablate.figures.training_curves import LINES_IN_ONE_PANEL, MAX_PANELS, PANELS_ACROSS

BANDS: Mapping[Band, str] = {"sd": "± 1 standard deviation over runs", "range": "lowest to highest run"}


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
    """Draw `run_curves_figure`, and write it to `path` (PNG, PDF or SVG) if given."""
    return save(
        run_curves_figure(arms, label=label, axis=axis, reference=reference, band=band, scored_step=scored_step), path
    )


@styled
def run_curves_figure(
    arms: Sequence[Mapping[str, Any]],
    *,
    label: str,
    axis: str = "step",
    reference: str = "baseline",
    band: Band = "sd",
    scored_step: float | None = None,
) -> Figure:
    """Plot one metric by step for every variant.

    Up to five variants share a panel, up to forty have a panel each with the reference in grey, of more the extremes
    are named.

    Args:
        arms: The fields of `RunLines` by variant, in the order of the figure.
        label: Name and unit of the metric.
        axis: Name of the steps.
        reference: Name of the reference variant.
        band: The band around the mean: "sd" (one standard deviation) or "range" (lowest to highest run, as for losses).
        scored_step: The step of all scores, if it is one.
    """
    lines = [RunLines(**arm) for arm in arms]
    several_panels = LINES_IN_ONE_PANEL < len(lines) <= MAX_PANELS
    page = _panel_per_arm(lines, band, reference) if several_panels else _one_panel(lines, band)
    note = set_scales(page.panels, np.concatenate([line.drawn for line in lines]), band)
    _set_labels(page, label, axis)
    for panel in page.panels:
        if scored_step is not None:
            panel.axvline(scored_step, color=INK, linewidth=1, linestyle=DOTTED, zorder=1)
    for panel, line, look in page.shown:
        draw_marks(panel, line, look)
    entries = list(_entries(page, lines, band))
    if scored_step is not None:
        entries.append(Line2D([], [], color=INK, linewidth=1, linestyle=DOTTED, label=f"{axis} of the scores"))
    legend_below(page.figure, entries, most=5, grow=is_narrow(), title=note, title_fontsize=SMALL)
    if page.share_panel and not is_narrow():
        ends = [(line.end[0], inside(panel, line.end[1])) for panel, line, _ in page.shown]
        names = [fit(line.name, 1.9, lines=3) for _, line, _ in page.shown]
        margin_labels(page.panels[0], ends, names, [look.colour for _, _, look in page.shown])
    return page.figure


def _one_panel(lines: Sequence[RunLines], band: Band) -> _Page:
    figure = new_figure(page_width(), chart_height(4.2))
    return _Page(figure, draw_lines(figure.subplots(), lines, band), share_panel=True)


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
        draw_line(axes, line, LineStyle(BLUE, "-", ""), band)
        axes.set_title(fit(line.name, page_width() / columns - 0.45, size=BODY, lines=4 if is_narrow() else 2))
        axes.tick_params(labelbottom=True)
    return _Page(figure, shown, share_panel=False, behind=behind)


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
            yield named_line(line, look)
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

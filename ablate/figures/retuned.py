"""Plots of re-tuned ablations: drop-in and re-tuned differences, expected best score by number of trials."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from ablate.figures.labels import BODY, SMALL, fit, margin_labels, side_name
from ablate.figures.legends import shared_legend
from ablate.figures.media import chart_height, name_width, page_width
from ablate.figures.style import BLUE, GREY, LINE_STYLES, PALE, VERMILLION, new_figure, save, styled


@styled
def estimands(
    pairs: Sequence[Mapping[str, Any]], path: Path | str | None = None, *, margin: float, metric: str, unit: str
) -> bytes:
    """Plot the drop-in and the re-tuned difference of each comparison, with intervals.

    `pairs`: mappings with `name`, and for `drop-in` and `re-tuned` the difference and the ends of its interval (NaN or
    None if unknown).
    """
    figure = new_figure(page_width(), 1.2 + 0.55 * len(pairs))
    axes = figure.subplots()
    axes.axvspan(-margin, margin, color=PALE, alpha=0.6, linewidth=0)
    axes.axvline(0, color=GREY, linewidth=1)
    ordered = sorted(pairs, key=lambda row: -row["drop-in"][0])
    for kind, shift, colour, marker in (("drop-in", 0.14, VERMILLION, "s"), ("re-tuned", -0.14, BLUE, "o")):
        for index, row in enumerate(ordered):
            delta, low, high = (math.nan if value is None else float(value) for value in row[kind])
            if math.isfinite(low) and math.isfinite(high):
                axes.plot([low, high], [index + shift] * 2, color=colour, linewidth=2)
            axes.plot(delta, index + shift, marker, color=colour, markersize=6, label=kind if index == 0 else None)
    axes.set_yticks(range(len(ordered)), [side_name(row["name"], 2.0) for row in ordered])
    axes.set_ylim(-0.6, len(ordered) - 0.4)
    axes.grid(visible=False, axis="y")
    label = f"difference in {metric} ({unit}), 95 % intervals conditional on the chosen settings"
    axes.set_xlabel(fit(label, page_width() - name_width(2.2), size=BODY, lines=4))
    shared_legend(figure)
    return save(figure, path)


@styled
def budget_curves(curves: Mapping[str, Sequence[float]], path: Path | str | None = None, *, metric: str) -> bytes:
    """Plot the expected best score of n trials for each arm."""
    figure = new_figure(page_width(), chart_height(4.0))
    axes = figure.subplots()
    ends, names, colours = [], [], []
    for index, (label, curve) in enumerate(curves.items()):
        style = LINE_STYLES[index % len(LINE_STYLES)]
        trials = np.arange(1, len(curve) + 1)
        axes.plot(
            trials,
            curve,
            color=style.colour,
            linestyle=style.dashes,
            marker=style.marker,
            markevery=max(1, len(curve) // 8),
        )
        ends.append((float(trials[-1]), float(curve[-1])))
        names.append(side_name(label, 2.0))
        colours.append(style.colour)
    axes.set(xlabel="trials (n)", ylabel=fit(f"expected best {metric}", chart_height(4.0) - 0.6))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(labelsize=SMALL)
    if len(curves) > 1:
        margin_labels(axes, ends, names, colours)
    return save(figure, path)

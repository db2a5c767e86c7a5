"""Plots of factorial designs: main effects, interactions, half-normal plot."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ablate.figures.interval_figures import rows_figure
from ablate.figures.interval_rows import Row
from ablate.figures.labels import BODY, decimals, fit, margin_labels, side_name
from ablate.figures.legends import shared_legend
from ablate.figures.media import chart_height, is_narrow, page_width, panels_across
from ablate.figures.style import (
    BLUE,
    GREY,
    INK,
    VERMILLION,
    LineStyle,
    new_figure,
    panel_grid,
    save,
    styled,
)
from ablate.figures.table_cells import number, records, text

PANELS_ACROSS = 5
OFF, ON = LineStyle(VERMILLION, "--", "s"), LineStyle(BLUE, "-", "o")


@styled
def main_effects(
    effects: Any,
    path: Path | str | None = None,
    *,
    margin: float = 0.0,
    unit: str = "points",
    metric: str = "test accuracy",
    seeds: Mapping[str, Sequence[float]] | None = None,
    title: str | None = None,
) -> bytes:
    """Plot factorial effects with both intervals, sorted, one panel per kind of effect.

    Args:
        effects: A table or sequence of mappings with `factor` (or the name of a pair), `effect`, `ci_low`, `ci_high`
            and, if known, `fw_low`, `fw_high`, `kind` ("main effects", "interactions") and `verdict`.
        margin: The smallest difference that matters, in `unit`; 0 for none.
        unit: The unit of the effects.
        metric: The metric's name.
        seeds: The contrast at every seed, by factor.
        path: PNG file to write.
        title: Figure title.
    """
    groups: dict[str, list[Row]] = {}
    for record in records(effects):
        name = text(record, "factor")
        row = Row(
            name=name,
            delta=number(record, "effect"),
            interval=(number(record, "ci_low"), number(record, "ci_high")),
            familywise=(number(record, "fw_low"), number(record, "fw_high")),
            verdict=text(record, "verdict"),
            seeds=[float(value) for value in (seeds or {}).get(name, ())],
            digits=decimals(margin, unit),
        )
        groups.setdefault(text(record, "kind"), []).append(row)
    if not groups:
        raise ValueError("A plot of main effects needs at least one effect")
    label = f"effect of the component on {metric} ({unit})"
    figure = rows_figure(list(groups.items()), margin, label, title, "95 % interval")
    return save(figure, path)


@styled
def interaction_grid(
    cells: Any,
    path: Path | str | None = None,
    *,
    metric: str = "test accuracy (%)",
    notes: Mapping[tuple[str, str], str] | None = None,
    title: str | None = None,
) -> bytes:
    """Plot the means of the four combinations of every pair of factors, one panel per pair.

    Parallel lines mean no interaction. All panels share one scale and follow the order of the rows.

    Args:
        cells: A table or sequence of mappings with `first`, `second` (factors), `first_on`, `second_on` (booleans),
            `mean` and, if known, `ci_low`, `ci_high`.
        metric: The label of the y axis.
        notes: An additional line in the title of a (first, second) panel, such as its synergy.
        path: PNG file to write.
        title: Figure title.
    """
    pairs: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for record in records(cells):
        pairs.setdefault((text(record, "first"), text(record, "second")), []).append(record)
    if not pairs:
        raise ValueError("An interaction plot needs at least one pair of factors")
    columns = min(panels_across(PANELS_ACROSS), max(3, len(pairs)))
    figure, panels, first_column = panel_grid(len(pairs), columns, 2.3, title, sharey=True)
    width = page_width() / columns - 0.5
    for axes, (pair, members) in zip(panels, pairs.items(), strict=True):
        _pair_panel(axes, members)
        note = (notes or {}).get(pair, "")
        first, second = (fit(factor, width - 0.2, size=BODY, lines=1) for factor in pair)
        lines_of_title = [first, f"\N{MULTIPLICATION SIGN} {second}", *([fit(note, width)] if note else [])]
        axes.set(title="\n".join(lines_of_title), xlabel=second)
    for axes in first_column:
        axes.set_ylabel(metric)
    shared_legend(figure)
    return save(figure, path)


def _pair_panel(axes: Axes, members: Sequence[Mapping[str, Any]]) -> None:
    for on, look in ((False, OFF), (True, ON)):
        chosen = sorted((row for row in members if bool(row["first_on"]) is on), key=lambda row: bool(row["second_on"]))
        means = np.array([number(row, "mean") for row in chosen])
        around = np.array([[number(row, "mean") - number(row, "ci_low") for row in chosen],
                           [number(row, "ci_high") - number(row, "mean") for row in chosen]])  # fmt: skip
        x = [float(bool(row["second_on"])) + (0.03 if on else -0.03) for row in chosen]
        axes.errorbar(
            x,
            means,
            yerr=around if np.isfinite(around).any() else None,
            color=look.colour,
            linestyle=look.dashes,
            marker=look.marker,
            elinewidth=1,
            capsize=2,
            label=f"first factor {'on' if on else 'off'}",
        )
    axes.set_xlim(-0.35, 1.35)
    axes.set_xticks([0, 1], ["off", "on"])
    axes.grid(visible=False, axis="x")


@styled
def half_normal(
    contrasts: Sequence[float],
    names: Sequence[str],
    me: float,
    sme: float,
    path: Path | str | None = None,
    *,
    unit: str = "points",
    title: str | None = None,
) -> bytes:
    """Plot absolute contrasts by half-normal quantile (Daniel, 1959) with Lenth's (1989) margins of error.

    Args:
        contrasts: The contrasts; pure noise is on a line through the origin. Values that are not finite are left out.
        names: Their names, shown for contrasts beyond `me`, or for the largest if there are none.
        me: Margin of error of one contrast.
        sme: Simultaneous margin of error of all contrasts.
        unit: The unit of the contrasts.
        path: PNG file to write.
        title: Figure title.
    """
    ranked = sorted((abs(value), name) for value, name in zip(contrasts, names, strict=True) if math.isfinite(value))
    if not ranked:
        raise ValueError("A half-normal plot needs at least one contrast")
    sizes, quantiles = [size for size, _ in ranked], half_normal_quantiles(len(ranked))
    named = [rank for rank, size in enumerate(sizes) if size > me] or [len(ranked) - 1]
    row = 0.4 if is_narrow() else 0.2  # inches
    figure = new_figure(page_width(), max(chart_height(4.2), row * len(named) + 1.4), title)
    axes = figure.subplots()
    for chosen, colour, marker in ((sizes, GREY, "o"), ([size for size in sizes if size > me], BLUE, "D")):
        axes.plot(quantiles[len(sizes) - len(chosen) :], chosen, marker, color=colour, markersize=5)
    limits = (
        {"ME" if is_narrow() else "ME (one contrast)": me, "SME" if is_narrow() else "SME (all contrasts)": sme}
        if math.isfinite(me + sme)
        else {}
    )
    for level, dashes in zip(limits.values(), ("--", ":"), strict=False):
        axes.axhline(level, color=VERMILLION, linestyle=dashes, linewidth=1.2)
    edge, top = 1.06 * quantiles[-1], 1.08 * max(sizes[-1], *limits.values(), 1e-9)
    axes.set(xlim=(0, edge), ylim=(0, top), xlabel="half-normal quantile", ylabel=f"absolute contrast ({unit})")
    ends = [(quantiles[rank], sizes[rank]) for rank in named] + [(edge, level) for level in limits.values()]
    texts = [side_name(ranked[rank][1], 2.0, lines=1) for rank in named] + list(limits)
    margin_labels(axes, ends, texts, [INK] * len(named) + [VERMILLION] * len(limits))
    return save(figure, path)


def half_normal_quantiles(count: int) -> list[float]:
    """Return the half-normal quantiles of `count` ordered values: the (1 + (i - .5)/m)/2 quantiles of the normal."""
    return [NormalDist().inv_cdf(0.5 + (rank + 0.5) / (2 * count)) for rank in range(count)]

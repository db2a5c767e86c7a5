"""Dose-response: differences from the baseline by the value of a setting, with intervals and the margin."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.markers import CARETDOWN, CARETUP
from matplotlib.patches import Patch

from ablate.figures.interval_rows import Row, range_in_view
from ablate.figures.labels import BODY, SMALL, decimals, fit, text_width
from ablate.figures.legends import legend_below
from ablate.figures.media import page_width, panels_across
from ablate.figures.scales import Scale, scale_of
from ablate.figures.style import BLUE, GREY, INK, PALE, panel_grid, save, styled
from ablate.figures.table_cells import Differences, differences_of, number, records, text

PANELS_ACROSS = 2
PANEL_HEIGHT = 3.1  # inches
DOTS_ASIDE = 0.075  # inches
MOST_DOTS = 50
"""Seeds per value up to which each is a dot."""

KINDS = {
    "v": "clear and important loss",
    "^": "clear and important gain",
    "s": "too small to matter",
    "o": "open: inconclusive, or of unresolved importance",
    "X": "trains unreliably",
}
"""The verdicts by the markers of `Row`."""


@dataclass(frozen=True)
class Dose:
    """A value of a setting and the difference that it makes."""

    value: float
    row: Row


@styled
def dose_response(
    effects: Any,
    path: Path | str | None = None,
    *,
    margin: float,
    unit: str = "points",
    metric: str = "test accuracy",
    seeds: Differences | None = None,
    title: str | None = None,
) -> bytes:
    """Plot differences by the value of a setting, one panel per setting and reference.

    The axis of values is logarithmic if they span a decade. An arrow at the edge marks values outside the axis.

    Args:
        effects: A table or sequence of mappings with `factor`, `value`, `reference_value` and the columns of
            effects.csv: `variant`, `reference`, `delta`, `level`, `ci_low`, `ci_high`, `fw_low`, `fw_high`,
            `n_unstable`, `verdict`.
        margin: The smallest difference that matters, in `unit`.
        unit: The unit of the differences.
        metric: The metric's name.
        seeds: The paired differences of each variant, or of each (variant, reference).
        path: PNG file to write.
        title: Figure title.
    """
    groups: dict[tuple[str, str], list[Dose]] = {}
    references: dict[tuple[str, str], float] = {}
    for record in records(effects):
        key = text(record, "factor"), text(record, "reference", "baseline")
        row = _row(record, differences_of(record, seeds or {}), decimals(margin, unit))
        groups.setdefault(key, []).append(Dose(number(record, "value"), row))
        references[key] = number(record, "reference_value")
    if not groups:
        raise ValueError("A dose-response plot needs at least one value")
    columns = min(panels_across(PANELS_ACROSS), len(groups))
    figure, panels, first_column = panel_grid(len(groups), columns, PANEL_HEIGHT, title)
    width, repeated = page_width() / columns - 0.9, len({name for name, _ in groups}) < len(groups)
    for axes, (key, doses) in zip(panels, groups.items(), strict=True):
        _draw(axes, doses, references[key], margin, width)
        if repeated:
            axes.set_title(fit(f"{key[0]}, against {key[1]}", width, size=BODY))
        axes.set_xlabel(fit(f"{key[0]}{scale_of(_values(doses, references[key])).note}", width, size=BODY))
    names = list(dict.fromkeys(name for _, name in groups))
    reference = names[0] if len(names) == 1 else "reference"
    for axes in first_column:
        label = f"difference in {metric} from {'the reference' if len(names) > 1 else reference} ({unit})"
        axes.set_ylabel(fit(label, PANEL_HEIGHT - 0.6, size=BODY, lines=3))
    entries = [_mark("D", INK, reference, rim="white")]
    entries += _entries([dose.row for doses in groups.values() for dose in doses], margin, _level(records(effects)))
    if any(line.get_marker() in (CARETUP, CARETDOWN) for axes in panels for line in axes.lines):
        entries.append(_mark(CARETDOWN, GREY, "outside the axis"))
    legend_below(figure, entries, columnspacing=1.5, grow=True)
    return save(figure, path)


def _row(record: Mapping[str, Any], seeds: Sequence[float], digits: int) -> Row:
    return Row(
        name=text(record, "variant"),
        delta=number(record, "delta"),
        interval=(number(record, "ci_low"), number(record, "ci_high")),
        familywise=(number(record, "fw_low"), number(record, "fw_high")),
        verdict=text(record, "verdict"),
        unstable=number(record, "n_unstable") > 0,
        seeds=tuple(seeds) if len(seeds) <= MOST_DOTS else (),
        n_seeds=len(seeds),
        digits=digits,
    )


def _level(rows: Sequence[Mapping[str, Any]]) -> str:
    levels = {number(row, "level") for row in rows if "level" in row} or {0.95}
    return f"{100 * levels.pop():.4g} % interval" if len(levels) == 1 else "interval (level by value)"


def _values(doses: Sequence[Dose], reference: float) -> list[float]:
    known = [reference] if math.isfinite(reference) else []
    return sorted({dose.value for dose in doses} | set(known))


def _draw(axes: Axes, doses: Sequence[Dose], reference: float, margin: float, width: float) -> None:
    """Draw a panel: the margin, the line through the estimates, and each value with its intervals and seeds."""
    values = _values(doses, reference)
    scale, (low, high) = scale_of(values), range_in_view([dose.row for dose in doses], margin)
    places = [scale.position(value) for value in values]
    reach = places[-1] - places[0] or 1.0
    ends = places[0] - 0.07 * reach, places[-1] + 0.07 * reach
    axes.axhspan(-margin, margin, color=PALE, alpha=0.55, linewidth=0, zorder=0)
    axes.axhline(0, color=GREY, linewidth=1, zorder=1)
    axes.set(xlim=ends, ylim=(low, high))
    axes.grid(visible=False, axis="x")
    known = {dose.value: dose.row.delta for dose in doses if low <= dose.row.delta <= high}
    _draw_line(axes, known | ({reference: 0.0} if math.isfinite(reference) else {}), scale)
    for dose in doses:
        _draw_dose(axes, dose.row, scale.position(dose.value), (low, high), DOTS_ASIDE * (ends[1] - ends[0]) / width)
    if math.isfinite(reference):
        axes.plot(scale.position(reference), 0, "D", markersize=6, color=INK, markeredgecolor="white", zorder=7)
    _label_values(axes, values, places, width, reference)


def _draw_line(axes: Axes, known: Mapping[float, float], scale: Scale) -> None:
    """Draw the line through the estimates in view, dotted where the axis is not to scale."""
    points = [(scale.position(value), known[value]) for value in sorted(known)]
    for (x, y), (other, end) in itertools.pairwise(points):
        style = ":" if x == scale.zero else "-"
        axes.plot([x, other], [y, end], color=BLUE, linewidth=1, linestyle=style, alpha=0.6, zorder=2)


def _draw_dose(axes: Axes, row: Row, x: float, limits: tuple[float, float], aside: float) -> None:
    """Draw the intervals of a value, its seeds `aside`, and arrows to what is outside the limits."""
    low, high = limits
    colour, marker = row.marker
    parts = [value for value in (*row.points, *row.interval, *row.familywise) if math.isfinite(value)]
    for is_outside, edge, arrow in (
        (any(value > high for value in parts), 0.985, CARETUP),
        (any(value < low for value in parts), 0.015, CARETDOWN),
    ):
        if is_outside:
            at_edge = axes.get_xaxis_transform()
            axes.plot(x, edge, marker=arrow, color=colour, markersize=7, zorder=5, transform=at_edge, clip_on=False)
    for (lower, upper), thickness in ((row.familywise, 1.0), (row.interval, 3.2)):
        if math.isfinite(lower) and math.isfinite(upper):
            axes.plot([x, x], [lower, upper], color=colour, linewidth=thickness, solid_capstyle="butt", zorder=3)
    inside = [value for value in row.seeds if low <= value <= high]
    axes.plot([x + aside] * len(inside), inside, ".", color=INK, alpha=0.55, markersize=5, mew=0, zorder=4)
    if low <= row.delta <= high:
        face, rim = ("white", colour) if colour == GREY else (colour, "white")
        axes.plot(x, row.delta, marker, markersize=6.5, markerfacecolor=face, markeredgecolor=rim, zorder=6)


def _label_values(axes: Axes, values: Sequence[float], places: Sequence[float], width: float, reference: float) -> None:
    """Label the values as far as there is room: the reference, then the ends, then the others."""
    start, end = axes.get_xlim()
    first = [reference, values[0], values[-1]]
    order = sorted(range(len(values)), key=lambda place: (values[place] not in first, place))
    taken: list[tuple[float, float]] = []
    labels = [""] * len(values)
    for place in order:
        words = f"{values[place]:.12g}"
        middle, half = (places[place] - start) / (end - start) * width, text_width(words) / 2 + 0.04
        if all(middle + half <= low or middle - half >= high for low, high in taken):
            taken.append((middle - half, middle + half))
            labels[place] = words
    axes.set_xticks(places, labels, size=SMALL)


def _mark(marker: Any, colour: str, label: str, rim: str = "") -> Artist:
    """Return an entry of the legend for a marker."""
    return Line2D(
        [], [], color=colour, marker=marker, linestyle="", markersize=6, markeredgecolor=rim or colour, label=label
    )


def _entries(rows: Sequence[Row], margin: float, level: str) -> list[Artist]:
    """Return the legend of the marks in use."""
    entries: list[Artist] = []
    for marker, name in KINDS.items():
        colour = next((row.marker[0] for row in rows if row.marker[1] == marker), None)
        if colour:
            entries.append(_mark(marker, "white" if colour == GREY else colour, name, rim=colour))
    entries.append(Line2D([], [], color=GREY, linewidth=3.2, label=level))
    if any(math.isfinite(end) for row in rows for end in row.familywise):
        entries.append(Line2D([], [], color=GREY, linewidth=1, label="family-wise interval"))
    if any(row.seeds for row in rows):
        dot = Line2D([], [], color=INK, alpha=0.55, marker=".", linestyle="", markersize=6, mew=0, label="one seed")
        entries.append(dot)
    entries.append(Patch(facecolor=PALE, alpha=0.55, label=f"margin ±{margin:g}"))
    return entries

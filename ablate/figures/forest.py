"""Forest plot of effects with intervals and verdicts, and slopes of the paired scores by seed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ablate.figures.interval_figures import rows_figure
from ablate.figures.interval_rows import Row, View, draw_panel, range_in_view
from ablate.figures.labels import BODY, SMALL, decimals, fit
from ablate.figures.media import page_width, panels_across
from ablate.figures.style import BLUE, GREY, panel_grid, save, styled
from ablate.figures.table_cells import Differences, differences_of, number, records, text

PANELS_ACROSS = 5
LEAST_HEIGHT = 0.2
"""Least height of a row in inches, for the distance between its interval and its seeds."""

MOST_DOTS = 200
"""Dots per row of a forest plot, and lines per panel of slopes; of more seeds, those at even ranks are drawn."""


@styled
def forest(
    effects: Any,
    path: Path | str | None = None,
    *,
    margin: float,
    unit: str = "points",
    metric: str = "test accuracy",
    seeds: Differences | None = None,
    title: str | None = None,
) -> bytes:
    """Draw `forest_figure`, and write it to `path` (PNG, PDF or SVG) if given."""
    return save(forest_figure(effects, margin=margin, unit=unit, metric=metric, seeds=seeds, title=title), path)


@styled
def forest_figure(
    effects: Any,
    *,
    margin: float,
    unit: str = "points",
    metric: str = "test accuracy",
    seeds: Differences | None = None,
    title: str | None = None,
) -> Figure:
    """Plot differences with both intervals, sorted, one panel per reference; names are above the rows if it is narrow.

    An arrow at the edge marks values outside the axis, such as unstable arms or intervals from very few seeds. Of more
    than 200 seeds, 200 at even ranks are drawn, with the lowest and the highest.

    Args:
        effects: A table or sequence of mappings with the columns of effects.csv: `variant`, `reference`, `delta`,
            `level`, `ci_low`, `ci_high`, `fw_low`, `fw_high`, `n_unstable`, `verdict`. Missing values are not drawn.
        margin: The smallest difference that matters, in `unit`.
        unit: The unit of the differences.
        metric: The metric's name.
        seeds: The paired differences of each variant, or of each (variant, reference).
        title: Figure title.
    """
    table = records(effects)
    if not table:
        raise ValueError("A forest plot needs at least one comparison")
    groups: dict[str, list[Row]] = {}
    for record in table:
        groups.setdefault(text(record, "reference", "baseline"), []).append(
            _row(record, seeds or {}, decimals(margin, unit))
        )
    alone = len(groups) == 1
    against = fit(next(iter(groups)), 2.5, lines=1) if alone else "the reference"
    headed = [("" if alone else f"against {fit(name, 2.5, lines=1)}", rows) for name, rows in groups.items()]
    levels = {number(row, "level") for row in table} if "level" in table[0] else {0.95}
    level = f"{100 * levels.pop():.4g} % interval" if len(levels) == 1 else "interval (level by row)"
    return rows_figure(headed, margin, f"difference in {metric} from {against} ({unit})", title, level)


@styled
def forest_axes(
    axes: Axes,
    effects: Any,
    *,
    margin: float,
    unit: str = "points",
    metric: str = "test accuracy",
    seeds: Differences | None = None,
) -> None:
    """Plot differences with both intervals into `axes`, sorted; arguments as for `forest_figure`.

    Colours and markers show the verdicts. The rows of several references are named with their reference.
    """
    table, digits = records(effects), decimals(margin, unit)
    references = {text(record, "reference", "baseline") for record in table}
    rows = []
    for record in table:
        row = _row(record, seeds or {}, digits)
        name = row.name if len(references) == 1 else f"{row.name} - {text(record, 'reference', 'baseline')}"
        rows.append(replace(row, name=name))
    rows.sort(key=lambda row: (math.isnan(row.delta), row.delta))
    height = max(LEAST_HEIGHT, axes.bbox.height / axes.figure.dpi / max(1, len(rows)))
    levels = [height * (place + 0.5) for place in range(len(rows))]
    view = View(*range_in_view(rows, margin), rows)
    draw_panel(axes, rows, [*levels, height * len(rows)], view, margin)
    axes.set_yticks(levels, [fit(row.name, 2.5, lines=2) for row in rows])
    against = fit(references.pop(), 2.5, lines=1) if len(references) == 1 else "the reference"
    axes.set_xlabel(f"difference in {metric} from {against} ({unit})")


def _at_even_ranks(ordered: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return up to MOST_DOTS of the ordered values, with the first and the last."""
    if len(ordered) <= MOST_DOTS:
        return ordered
    return np.take(ordered, np.linspace(0, len(ordered) - 1, MOST_DOTS).round().astype(int), axis=0)


def _row(record: Mapping[str, Any], seeds: Differences, digits: int) -> Row:
    name = text(record, "variant") or text(record, "factor")
    differences = differences_of(record, seeds)
    return Row(
        name=name,
        delta=number(record, "delta"),
        interval=(number(record, "ci_low"), number(record, "ci_high")),
        familywise=(number(record, "fw_low"), number(record, "fw_high")),
        verdict=text(record, "verdict"),
        unstable=number(record, "n_unstable") > 0,
        seeds=_at_even_ranks(np.sort(np.asarray(differences, dtype=np.float64))).tolist(),
        n_seeds=len(differences),
        digits=digits,
    )


@styled
def slopes(
    pairs: Mapping[str, Sequence[tuple[float, float]]],
    path: Path | str | None = None,
    *,
    reference: str = "baseline",
    metric: str = "test accuracy (%)",
    rho: Mapping[str, float] | None = None,
    title: str | None = None,
) -> bytes:
    """Plot paired scores, one panel per variant and one line per seed from the reference to the variant.

    Parallel lines mean that pairing removes noise. Each panel has its own scale; sizes are compared by the forest plot.
    Of more than 200 seeds, 200 at even ranks of the difference are drawn; the mean is that of all.

    Args:
        pairs: The (reference, variant) scores of each variant, in the unit that `metric` names. Pairs with a NaN are
            left out.
        reference: Name of the reference.
        metric: The label of the y axis.
        rho: The correlation over seeds of each variant; Pearson's by default.
        path: PNG file to write.
        title: Figure title.
    """
    if not pairs:
        raise ValueError("A plot of paired scores needs at least one variant")
    columns = min(panels_across(PANELS_ACROSS), len(pairs))
    figure, panels, first_column = panel_grid(len(pairs), columns, 2.35, title)
    for axes, (variant, values) in zip(panels, pairs.items(), strict=True):
        points = np.asarray(values, dtype=np.float64).reshape(-1, 2)
        points = points[np.isfinite(points).all(axis=1)]
        known = rho[variant] if rho and variant in rho else _correlation(points)
        _slope_panel(axes, points, reference, page_width() / columns)
        described = f"rho = {known:.2f}" if np.isfinite(known) else "rho undefined"
        room = page_width() / columns - 0.5
        words = f"{described}, n = {len(points)}".replace(" = ", "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}")
        axes.set_title(f"{fit(variant, room, size=BODY, lines=3)}\n{fit(words, room, size=BODY)}")
    for axes in first_column:
        axes.set_ylabel(fit(metric, 1.9, size=BODY))
    drawn, mean = "seeds", "their mean"
    if max(map(len, pairs.values())) > MOST_DOTS:
        drawn, mean = f"{MOST_DOTS} seeds at even ranks of the difference", "mean of all seeds"
    words = f"thin lines: {drawn}; thick line: {mean}; each panel has its own scale"
    figure.supxlabel(fit(words, page_width() - 0.2, lines=3), fontsize=SMALL)
    return save(figure, path)


def _correlation(points: npt.NDArray[np.float64]) -> float:
    """Return Pearson's correlation of the pairs. NaN for fewer than 3 pairs or if a side does not vary."""
    largest = np.abs(points).max(axis=0, initial=0.0)
    if len(points) < 3 or not largest.all():
        return float("nan")
    scaled = points / largest
    if np.ptp(scaled, axis=0).min() < 1e-12:
        return float("nan")
    return float(np.corrcoef(scaled.T)[0, 1])


def _slope_panel(axes: Axes, points: npt.NDArray[np.float64], reference: str, width: float) -> None:
    drawn = _at_even_ranks(points[np.argsort(points[:, 1] - points[:, 0], kind="stable")])
    axes.plot([0, 1], drawn.T, color=GREY, linewidth=1, alpha=0.7, marker="o", markersize=3)
    if len(points) > 1:
        axes.plot([0, 1], np.mean(points, axis=0), color=BLUE, linewidth=2.4, marker="s", markersize=5, zorder=5)
    axes.set_xlim(-0.35, 1.35)
    axes.set_xticks([0, 1], [fit(reference, (width - 0.6) / 2), "variant"])
    axes.grid(visible=False, axis="x")
    if not len(points):
        axes.text(0.5, 0.5, "no shared seeds", transform=axes.transAxes, ha="center", va="center", color=GREY)
        axes.set_yticks([])

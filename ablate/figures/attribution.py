"""How the components work together: main effects, pairs, the half-normal plot and three ways to share the credit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ablate.figures.interval_rows import Row, rows_figure
from ablate.figures.labels import BODY, decimals, fit, margin_labels
from ablate.figures.rows import number, records, text
from ablate.figures.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    VERMILLION,
    WIDTH,
    Series,
    new_figure,
    save,
    shared_legend,
    styled,
)

PANELS_ACROSS = 5
OFF, ON = Series(VERMILLION, "--", "s"), Series(BLUE, "-", "o")
CREDITS = (
    ("loo", "leave-one-out", BLUE, ""),
    ("shapley", "Shapley value", ORANGE, "//"),
    ("aoi", "add-one-in", GREEN, ".."),
)


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
    """Factorial effects with both intervals, sorted, a panel a kind, as PNG bytes, written to `path` if given.

    `effects`: a table or sequence of mappings with `factor` (or a pair's name), `effect`, `ci_low`, `ci_high` and,
    where known, `fw_low`, `fw_high`, `kind` (say "main effects" and "interactions"), `verdict`. `seeds`: the contrast
    of every seed, by the same names.
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
        raise ValueError("there is no effect to draw")
    label = f"effect on {metric} of having it ({unit})"
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
    """Means of the four cells of every pair of factors, a panel a pair, as PNG bytes, written to `path` if given.

    `cells`: a table or sequence of mappings with `first`, `second` (factors), `first_on`, `second_on` (booleans),
    `mean`, and, where known, `ci_low`, `ci_high`. Parallel lines: no interaction. `notes`: a line for the title of a
    (first, second) panel, such as its synergy. All panels share one scale and come in the order of the rows.
    """
    pairs: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for record in records(cells):
        pairs.setdefault((text(record, "first"), text(record, "second")), []).append(record)
    if not pairs:
        raise ValueError("there is no pair of factors to draw")
    columns = min(PANELS_ACROSS, max(3, len(pairs)))
    lines = -(-len(pairs) // columns)
    figure = new_figure(WIDTH, 2.3 * lines + 0.6, title)
    grid = figure.subplots(lines, columns, squeeze=False, sharey=True)
    width = WIDTH / columns - 0.5
    for axes, (pair, members) in zip(grid.flat, pairs.items(), strict=False):
        _pair_panel(axes, members)
        note = (notes or {}).get(pair, "")
        first, second = (fit(factor, width - 0.2, size=BODY, lines=1) for factor in pair)
        words = [first, f"\N{MULTIPLICATION SIGN} {second}", *([fit(note, width)] if note else [])]
        axes.set(title="\n".join(words), xlabel=second)
    for axes in grid.flat[len(pairs) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel(metric)
    shared_legend(figure)
    return save(figure, path)


def _pair_panel(axes: Axes, members: Sequence[Mapping[str, Any]]) -> None:
    for on, look in ((False, OFF), (True, ON)):
        chosen = sorted((row for row in members if bool(row["first_on"]) is on), key=lambda row: bool(row["second_on"]))
        means = np.array([number(row, "mean") for row in chosen])
        around = np.array([[number(row, "mean") - number(row, "ci_low") for row in chosen],
                           [number(row, "ci_high") - number(row, "mean") for row in chosen]])  # fmt: skip
        places = [float(bool(row["second_on"])) + (0.03 if on else -0.03) for row in chosen]
        axes.errorbar(
            places,
            means,
            yerr=around,
            color=look.colour,
            linestyle=look.dashes,
            marker=look.marker,
            elinewidth=1,
            capsize=2,
            label=f"the first of the two is {'on' if on else 'off'}",
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
    """The half-normal plot (Daniel, 1959) with the margins of error of Lenth (1989), as PNG bytes.

    Sizes of the finite contrasts, in `unit`, against half-normal quantiles: pure noise lies on a line through 0.
    Beyond `me` a contrast stands out alone, beyond `sme` among all of them. Those beyond `me` are named, or the largest
    if there is none.
    """
    ranked = sorted((abs(value), name) for value, name in zip(contrasts, names, strict=True) if math.isfinite(value))
    if not ranked:
        raise ValueError("there is no contrast to draw")
    sizes = [size for size, _ in ranked]
    quantiles = [NormalDist().inv_cdf(0.5 + (rank + 0.5) / (2 * len(ranked))) for rank in range(len(ranked))]
    named = [rank for rank, size in enumerate(sizes) if size > me] or [len(ranked) - 1]
    figure = new_figure(WIDTH, max(4.2, 0.2 * len(named) + 1.4), title)
    axes = figure.subplots()
    for chosen, colour, marker in ((sizes, GREY, "o"), ([size for size in sizes if size > me], BLUE, "D")):
        axes.plot(quantiles[len(sizes) - len(chosen) :], chosen, marker, color=colour, markersize=5)
    limits = [(me, "ME: one alone"), (sme, "SME: among all")] if math.isfinite(me + sme) else []
    for (level, _), dashes in zip(limits, ("--", ":"), strict=False):
        axes.axhline(level, color=VERMILLION, linestyle=dashes, linewidth=1.2)
    edge = 1.06 * quantiles[-1]
    axes.set(xlim=(0, edge), ylim=(0, 1.08 * max(sizes[-1], *(level for level, _ in limits), 1e-9)))
    axes.set(xlabel="half-normal quantile", ylabel=f"size of the contrast ({unit})")
    margin_labels(
        axes,
        [(quantiles[rank], sizes[rank]) for rank in named] + [(edge, level) for level, _ in limits],
        [fit(ranked[rank][1], 2.0, lines=1) for rank in named] + [words for _, words in limits],
        [INK] * len(named) + [VERMILLION] * len(limits),
    )
    return save(figure, path)


@styled
def shapley_bars(
    shares: Any,
    path: Path | str | None = None,
    *,
    unit: str = "points",
    metric: str = "test accuracy",
    title: str | None = None,
) -> bytes:
    """Leave-one-out, Shapley value and add-one-in of every factor beside each other, as PNG bytes.

    `shares`: a table or sequence of mappings with `factor`, `loo`, `shapley`, `aoi` (what having the factor brings, in
    `unit`) and, where known, their ends `loo_low`, `loo_high`, `shapley_low`, ... Sorted by Shapley value. Bars of one
    factor that differ show its interactions.
    """
    rows = sorted(records(shares), key=lambda row: -np.nan_to_num(number(row, "shapley"), nan=-np.inf))
    if not rows:
        raise ValueError("there is no factor to draw")
    figure = new_figure(WIDTH, 0.55 * len(rows) + 1.2, title)
    axes = figure.subplots()
    for place in range(len(CREDITS)):
        _credit_bars(axes, rows, place)
    axes.axvline(0, color=GREY, linewidth=1)
    axes.set_yticks(range(len(rows)), [fit(text(row, "factor"), 2.2) for row in rows])
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(f"what it brings to {metric} ({unit})")
    shared_legend(figure)
    return save(figure, path)


def _credit_bars(axes: Axes, rows: Sequence[Mapping[str, Any]], place: int) -> None:
    """The bars of one way to share the credit, unless no factor has a value of it."""
    column, label, colour, hatch = CREDITS[place]
    values = np.array([number(row, column) for row in rows])
    ends = np.array([[number(row, f"{column}_{end}") for row in rows] for end in ("low", "high")])
    if not np.isfinite(values).any():
        return
    axes.barh(
        np.arange(len(rows)) + 0.26 * (place - 1),
        values,
        height=0.25,
        color=colour,
        hatch=hatch,
        edgecolor="white",
        linewidth=0,
        label=label,
        xerr=np.abs(ends - values),
        error_kw={"elinewidth": 1, "ecolor": INK, "capsize": 2},
    )

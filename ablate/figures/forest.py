"""What a study found: effects with their verdicts, and the paired seeds that they rest on."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from ablate.figures.interval_rows import Row, rows_figure
from ablate.figures.labels import BODY, SMALL, decimals, fit
from ablate.figures.rows import number, records, text
from ablate.figures.style import BLUE, GREY, WIDTH, new_figure, save, styled

PANELS_ACROSS = 5


@styled
def forest(
    effects: Any,
    path: Path | str | None = None,
    *,
    margin: float,
    unit: str = "points",
    metric: str = "test accuracy",
    seeds: Mapping[str, Sequence[float]] | None = None,
    title: str | None = None,
) -> bytes:
    """Differences with both intervals, sorted, a panel a reference, as PNG bytes, written to `path` if given.

    `effects`: a table or sequence of mappings with the columns of effects.csv (`variant`, `reference`, `delta`,
    `level`, `ci_low`, `ci_high`, `fw_low`, `fw_high`, `n_unstable`, `verdict`; what is missing or NaN is not drawn).
    `margin`: the smallest difference that matters, in `unit`. `seeds`: the paired differences of each variant. What
    lies outside the axis, of unstable arms or of intervals from very few seeds, ends in an arrow at its edge.
    """
    table = records(effects)
    if not table:
        raise ValueError("a forest plot needs at least one comparison")
    groups: dict[str, list[Row]] = {}
    for record in table:
        groups.setdefault(text(record, "reference", "baseline"), []).append(
            _row(record, seeds or {}, decimals(margin, unit))
        )
    alone = len(groups) == 1
    against = fit(next(iter(groups)), 2.5, lines=1) if alone else "the reference"
    headed = [("" if alone else f"against {fit(name, 2.5, lines=1)}", rows) for name, rows in groups.items()]
    levels = {number(row, "level") for row in table} if "level" in table[0] else {0.95}
    level = f"{100 * levels.pop():.4g} % interval" if len(levels) == 1 else "interval at its row's level"
    figure = rows_figure(headed, margin, f"difference in {metric} from {against} ({unit})", title, level)
    return save(figure, path)


def _row(record: Mapping[str, Any], seeds: Mapping[str, Sequence[float]], digits: int) -> Row:
    name = text(record, "variant") or text(record, "factor")
    return Row(
        name=name,
        delta=number(record, "delta"),
        interval=(number(record, "ci_low"), number(record, "ci_high")),
        familywise=(number(record, "fw_low"), number(record, "fw_high")),
        verdict=text(record, "verdict"),
        unstable=number(record, "n_unstable") > 0,
        seeds=[float(value) for value in seeds.get(name, ())],
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
    """A panel a variant, a line a seed from the reference's value to the variant's, as PNG bytes, written to `path`.

    `pairs`: for each variant its (reference, variant) values, in the unit that `metric` names; pairs with a NaN are
    left out. `rho`: the correlation over seeds for each variant; computed (Pearson) where it is not given. Each panel
    has its own scale: parallel lines mean that pairing removes noise, and the forest plot compares the sizes.
    """
    if not pairs:
        raise ValueError("paired slopes need at least one variant")
    columns = min(PANELS_ACROSS, len(pairs))
    lines = -(-len(pairs) // columns)
    figure = new_figure(WIDTH, 2.35 * lines + 0.4, title)
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes, (variant, values) in zip(grid.flat, pairs.items(), strict=False):
        points = np.asarray(values, dtype=np.float64).reshape(-1, 2)
        points = points[np.isfinite(points).all(axis=1)]
        known = (rho or {}).get(variant, _correlation(points))
        _slope_panel(axes, points, reference, WIDTH / columns)
        described = f"rho = {known:.2f}" if np.isfinite(known) else "no rho"
        axes.set_title(f"{fit(variant, WIDTH / columns - 0.5, size=BODY, lines=3)}\n{described}, n = {len(points)}")
    for axes in grid.flat[len(pairs) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel(metric)
    figure.supxlabel("a line a seed, the thick one their mean; every panel has its own scale", fontsize=SMALL)
    return save(figure, path)


def _correlation(points: npt.NDArray[np.float64]) -> float:
    """Pearson's correlation of the pairs; NaN for fewer than 3 of them or where either side does not vary."""
    if len(points) < 3 or min(np.ptp(points[:, 0]), np.ptp(points[:, 1])) < 1e-12:
        return float("nan")
    return statistics.correlation(points[:, 0].tolist(), points[:, 1].tolist())


def _slope_panel(axes: Axes, points: npt.NDArray[np.float64], reference: str, width: float) -> None:
    axes.plot([0, 1], points.T, color=GREY, linewidth=1, alpha=0.7, marker="o", markersize=3)
    if len(points) > 1:
        axes.plot([0, 1], np.mean(points, axis=0), color=BLUE, linewidth=2.4, marker="s", markersize=5, zorder=5)
    axes.set_xlim(-0.35, 1.35)
    axes.set_xticks([0, 1], [fit(reference, (width - 0.6) / 2), "variant"])
    axes.grid(visible=False, axis="x")
    if not len(points):
        axes.text(0.5, 0.5, "no shared seeds", transform=axes.transAxes, ha="center", va="center", color=GREY)
        axes.set_yticks([])

"""Training curves of a study by arm: the mean over seeds with a band, and a label at the end of each line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from ablate.errors import UserError
from ablate.figures.arm_curves import Arm, Band, early_stops, merge_equal, read_arm
from ablate.figures.labels import BODY, SMALL, fit, margin_labels, side_name
from ablate.figures.legends import legend_below
from ablate.figures.media import chart_height, is_narrow, page_width, panels_across
from ablate.figures.run_lines import EARLY, WORTH_CUTTING
from ablate.figures.style import (
    BLUE,
    GREY,
    INK,
    LINE_STYLES,
    LineStyle,
    new_figure,
    panel_grid,
    plain_log,
    save,
    styled,
)

LINES_IN_ONE_PANEL = 5
PANELS_ACROSS = 4
MAX_PANELS = 40  # more arms share one panel, with few of them labelled
SEVERAL_DECADES = 100.0  # as for the loss of a single run
BANDS: dict[Band, str] = {"sd": "± 1 standard deviation over seeds", "range": "lowest to highest seed"}


@styled
def training_curves(
    histories: Mapping[str, Sequence[Any]],
    path: Path | str | None = None,
    metric: str = "val/accuracy",
    *,
    reference: str = "baseline",
    band: Band = "sd",
    title: str | None = None,
) -> bytes:
    """Plot one metric by epoch for every arm.

    Up to five arms share a panel, up to forty have a panel each, of more the extremes are labelled. Arms with equal
    curves are drawn once. A cross marks an early stop. Raises UserError if no history has the metric.

    Args:
        histories: The histories of each arm's seeds: tables or sequences of mappings with `step` and the metrics.
        path: PNG file to write.
        metric: Name of the metric, such as `val/accuracy`.
        reference: Name of the reference arm.
        band: The band around the mean: "sd" (one standard deviation) or "range" (lowest to highest seed).
        title: Figure title.
    """
    scale = 100 if "accuracy" in metric else 1
    arms = [arm for name, seeds in histories.items() if (arm := read_arm(name, seeds, metric, scale)) is not None]
    if not arms:
        raise UserError(f"No run of this study recorded {metric}")
    arms = merge_equal(sorted(arms, key=lambda arm: reference not in arm.names))
    last = max(float(arm.steps[-1]) for arm in arms)
    if LINES_IN_ONE_PANEL < len(arms) <= MAX_PANELS:
        figure = _panel_per_arm(arms, band, last, title, reference)
        _finish(figure, arms, metric)
        _legend(figure, arms, band, last, reference if reference in arms[0].names else None)
    else:
        named = _labelled(arms)
        figure = _one_panel(arms, named, band, last, title)
        _finish(figure, arms, metric)
        _legend(figure, arms, band, last, None)
        _name_lines(figure.axes[0], named)
    return save(figure, path)


def _draw(axes: Axes, arm: Arm, look: LineStyle, band: Band, last: float) -> None:
    mean, low, high = arm.middle_and_band(band)
    axes.fill_between(arm.steps, low, high, color=look.colour, alpha=0.18, linewidth=0)
    every = max(1, len(arm.steps) // 8)
    axes.plot(arm.steps, mean, color=look.colour, linestyle=look.dashes, marker=look.marker, markevery=every)
    for step, value in early_stops(arm, last):
        axes.plot(step, value, "x", color=look.colour, markersize=7, markeredgewidth=1.8, zorder=6)


def _labelled(arms: Sequence[Arm]) -> list[Arm]:
    """Return the arms to label: all if they are few, else the reference and the two lowest and highest."""
    if len(arms) <= LINES_IN_ONE_PANEL:
        return list(arms)
    others = sorted(arms[1:], key=lambda arm: arm.envelope[0, -1])
    return [arms[0], *others[:2], *others[-2:]]


def _one_panel(arms: Sequence[Arm], named: Sequence[Arm], band: Band, last: float, title: str | None) -> Figure:
    figure = new_figure(page_width(), chart_height(4.2), title)
    axes = figure.subplots()
    for arm in arms:
        if arm not in named:
            axes.plot(arm.steps, arm.envelope[0], color=GREY, linewidth=0.6, alpha=0.5)
    for arm, look in zip(named, LINE_STYLES, strict=False):
        _draw(axes, arm, look, band, last)
    axes.set_xlabel("epoch")
    return figure


def _name_lines(axes: Axes, arms: Sequence[Arm]) -> None:
    ends = [(float(arm.steps[-1]), float(arm.envelope[0, -1])) for arm in arms]
    names = [side_name(arm.label, 1.9, lines=3) for arm in arms]
    margin_labels(axes, ends, names, [look.colour for look in LINE_STYLES[: len(arms)]])


def _panel_per_arm(arms: Sequence[Arm], band: Band, last: float, title: str | None, reference: str) -> Figure:
    """Draw one panel per arm, with the reference in dashed grey."""
    behind = arms[0] if reference in arms[0].names else None
    own = [arm for arm in arms if arm is not behind]
    columns = min(panels_across(PANELS_ACROSS), len(own))
    figure, panels, _ = panel_grid(len(own), columns, 1.95, title, sharex=True, sharey=True)
    for index, (axes, arm) in enumerate(zip(panels, own, strict=True)):
        if behind is not None:
            _draw(axes, behind, LineStyle(GREY, "--", ""), band, last)
        _draw(axes, arm, LineStyle(BLUE, "-", ""), band, last)
        axes.set_title(fit(arm.label, page_width() / columns - 0.45, size=BODY, lines=4 if is_narrow() else 2))
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("epoch" if index + columns >= len(own) else "")
    return figure


def _finish(figure: Figure, arms: Sequence[Arm], metric: str) -> None:
    """Set the scale and the labels of the axes."""
    part, _, quantity = metric.rpartition("/")
    words = {"lr": "learning rate"}.get(quantity, quantity.replace("_", " "))
    kind = {"train": "training ", "val": "validation ", "test": "test "}.get(part, "")
    name = kind + words + (" (%)" if "accuracy" in metric else "")
    means = np.concatenate([np.nanmean(arm.values, axis=0) for arm in arms])
    decades = "loss" in metric and means.min() > 0 and means.max() > SEVERAL_DECADES * means.min()
    for axes in figure.axes:
        if decades:
            plain_log(axes)
        elif quantity != "lr":
            axes.set_ylim(*_view(arms))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8 if len(figure.axes) == 1 else 4, min_n_ticks=1))
        if axes.get_subplotspec().is_first_col():  # type: ignore[union-attr]  # every panel here is of a grid
            axes.set_ylabel(fit(name, 1.6 if len(figure.axes) > 1 else 3, size=BODY))


def _view(arms: Sequence[Arm]) -> tuple[float, float]:
    """Return the range of all values, or of those after the first fifth of the training if it is much shorter."""
    start = EARLY * max(float(arm.steps[-1]) for arm in arms)
    late = np.concatenate([arm.envelope[:, arm.steps >= min(start, arm.steps[-1])].ravel() for arm in arms])
    every = np.concatenate([arm.envelope.ravel() for arm in arms])
    shown = late if np.ptp(every) > WORTH_CUTTING * np.ptp(late) else every
    pad = 0.06 * np.ptp(shown) or 0.5
    return float(shown.min() - pad), float(shown.max() + pad)


def _cut(axes: Axes, arms: Sequence[Arm]) -> str | None:
    """Return a note on values that the axis cuts off, if any."""
    low, high = axes.get_ylim()
    sides = {"below": min(arm.envelope.min() for arm in arms) < low,
             "above": max(arm.envelope.max() for arm in arms) > high}  # fmt: skip
    ends = " and ".join(side for side, out in sides.items() if out)
    return f"early values {ends} the axis are cut off" if ends else None


def _legend(figure: Figure, arms: Sequence[Arm], band: Band, last: float, reference: str | None) -> None:
    """Add a legend of the marks in use below the panels, with a note if the axis cuts off values."""
    several = any(len(arm.values) > len(arm.names) for arm in arms)
    colour = BLUE if reference else INK
    entries: list[Line2D | Patch] = [Line2D([], [], color=colour, label="mean over seeds" if several else "one seed")]
    if any(arm.varies for arm in arms):
        entries.append(Patch(facecolor=BLUE if reference else GREY, alpha=0.25, label=BANDS[band]))
    if len(arms) > MAX_PANELS:
        others = f"{len(arms) - LINES_IN_ONE_PANEL} other arms"
        entries.append(Line2D([], [], color=GREY, linewidth=0.6, alpha=0.5, label=others))
    if reference:
        entries.append(Line2D([], [], color=GREY, linestyle="--", label=fit(reference, 2, lines=1)))
    if any(early_stops(arm, last) for arm in arms):
        entries.append(Line2D([], [], color=INK, marker="x", linestyle="", mew=1.8, label="a seed stopped here"))
    cut = _cut(figure.axes[0], arms)
    legend_below(figure, entries, title=cut, title_fontsize=SMALL)

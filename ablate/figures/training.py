"""Training curves of a study by arm: the mean over seeds with a band, lines labelled where they end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from ablate.errors import UserError
from ablate.figures.labels import BODY, SMALL, fit, margin_labels
from ablate.figures.rows import number, records
from ablate.figures.style import BLUE, GREY, INK, SERIES, WIDTH, Series, new_figure, plain_log, save, styled

Band = Literal["sd", "range"]
Values = npt.NDArray[np.float64]

LINES_IN_ONE_PANEL = 5
PANELS_ACROSS = 4
PANELS_AT_MOST = 40  # beyond, all lines share one panel again, and few are named
EARLY = 0.2  # of the training: what of it lies far from the rest may be left out of view
WORTH_CUTTING = 2.0  # how many times narrower the axis must get by that
SEVERAL_DECADES = 100.0  # as in a single run's loss
BANDS: dict[Band, str] = {"sd": "± 1 standard deviation over seeds", "range": "lowest to highest seed"}


@dataclass(frozen=True, eq=False)
class Arm:
    """The seeds of one or several equal arms: `values` is seeds x steps, NaN where a seed has no value."""

    names: tuple[str, ...]
    steps: Values
    values: Values

    @property
    def label(self) -> str:
        """The name, or the first name and how many arms have the very same curve."""
        others = len(self.names) - 1
        return self.names[0] + (f" and {others} other{'s' * (others > 1)}, the same" if others else "")

    @property
    def envelope(self) -> Values:
        """Mean, lowest and highest value at each step: 3 x steps."""
        return np.array(self.middle_and_band("range"))

    @property
    def varies(self) -> bool:
        """Whether its seeds differ, beyond rounding, so that a band is to be seen."""
        mean, low, high = self.envelope
        return bool((high - low > 1e-9 * np.abs(mean)).any())

    def middle_and_band(self, band: Band) -> tuple[Values, Values, Values]:
        """Mean, lower and upper edge at each step, over the seeds that have a value there (at least one has)."""
        mean = np.nanmean(self.values, axis=0)
        if band == "range":
            return mean, np.nanmin(self.values, axis=0), np.nanmax(self.values, axis=0)
        count = np.isfinite(self.values).sum(axis=0)
        squares = np.nansum((self.values - mean) ** 2, axis=0)
        spread = np.sqrt(squares / np.maximum(count - 1, 1))
        return mean, mean - spread, mean + spread


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
    """One metric by epoch for every arm, as PNG bytes, written to `path` if given.

    `histories`: for each arm the histories of its seeds, each a table or sequence of mappings with `step` and metrics.
    Up to five different curves share a panel; up to forty get a panel each, with the `reference` in grey behind; of
    more the extremes are named. Arms whose curves are equal are drawn once. Metrics named accuracy are in percent.
    Where the values of the first fifth of the training would take most of the axis, it ends at those that follow, and
    the legend says so; a cross marks where a seed stopped before the others did. Raises UserError where no history has
    the metric.
    """
    scale = 100 if "accuracy" in metric else 1
    arms = [arm for name, seeds in histories.items() if (arm := _arm(name, seeds, metric, scale)) is not None]
    if not arms:
        raise UserError(f"there are no curves to draw: no run of this study recorded {metric}")
    arms = _merge_equal(sorted(arms, key=lambda arm: reference not in arm.names))
    last = max(float(arm.steps[-1]) for arm in arms)
    if LINES_IN_ONE_PANEL < len(arms) <= PANELS_AT_MOST:
        figure = _apart(arms, band, last, title, reference)
        _finish(figure, arms, metric)
        _legend(figure, arms, band, last, reference if reference in arms[0].names else None)
    else:
        named = _notable(arms)
        figure = _together(arms, named, band, last, title)
        _finish(figure, arms, metric)
        _legend(figure, arms, band, last, None)
        _name_lines(figure.axes[0], named)
    return save(figure, path)


def _arm(name: str, seeds: Sequence[Any], metric: str, scale: float) -> Arm | None:
    points = [{number(row, "step"): number(row, metric) * scale for row in records(history)} for history in seeds]
    steps = sorted({step for seed in points for step, value in seed.items() if math.isfinite(step + value)})
    if not steps:
        return None
    values = np.array([[seed.get(step, math.nan) for step in steps] for seed in points], dtype=np.float64)
    return Arm((name,), np.array(steps, dtype=np.float64), values)


def _merge_equal(arms: Sequence[Arm]) -> list[Arm]:
    """Arms whose mean, lowest and highest curves are the same become one with all their names and seeds."""
    kept: list[Arm] = []
    for arm in arms:
        for place, other in enumerate(kept):
            if np.array_equal(arm.steps, other.steps) and np.allclose(arm.envelope, other.envelope, rtol=1e-9, atol=0):
                kept[place] = Arm(other.names + arm.names, other.steps, np.concatenate([other.values, arm.values]))
                break
        else:
            kept.append(arm)
    return kept


def _draw(axes: Axes, arm: Arm, look: Series, band: Band, last: float) -> None:
    mean, low, high = arm.middle_and_band(band)
    axes.fill_between(arm.steps, low, high, color=look.colour, alpha=0.18, linewidth=0)
    every = max(1, len(arm.steps) // 8)
    axes.plot(arm.steps, mean, color=look.colour, linestyle=look.dashes, marker=look.marker, markevery=every)
    for step, value in _stops(arm, last):
        axes.plot(step, value, "x", color=look.colour, markersize=7, markeredgewidth=1.8, zorder=6)


def _stops(arm: Arm, last: float) -> list[tuple[float, float]]:
    """The last point of every seed that ends before the study's last step."""
    ends = []
    for seed in arm.values:
        there = np.flatnonzero(np.isfinite(seed))
        if len(there) and arm.steps[there[-1]] < last:
            ends.append((float(arm.steps[there[-1]]), float(seed[there[-1]])))
    return ends


def _notable(arms: Sequence[Arm]) -> list[Arm]:
    """All arms where they are few; else the first, which is the reference, and the two that end lowest and highest."""
    if len(arms) <= LINES_IN_ONE_PANEL:
        return list(arms)
    others = sorted(arms[1:], key=lambda arm: arm.envelope[0, -1])
    return [arms[0], *others[:2], *others[-2:]]


def _together(arms: Sequence[Arm], named: Sequence[Arm], band: Band, last: float, title: str | None) -> Figure:
    figure = new_figure(WIDTH, 4.2, title)
    axes = figure.subplots()
    for arm in arms:
        if arm not in named:
            axes.plot(arm.steps, arm.envelope[0], color=GREY, linewidth=0.6, alpha=0.5)
    for arm, look in zip(named, SERIES, strict=False):
        _draw(axes, arm, look, band, last)
    axes.set_xlabel("epoch")
    return figure


def _name_lines(axes: Axes, arms: Sequence[Arm]) -> None:
    ends = [(float(arm.steps[-1]), float(arm.envelope[0, -1])) for arm in arms]
    names = [fit(arm.label, 1.9, lines=3) for arm in arms]
    margin_labels(axes, ends, names, [look.colour for look in SERIES[: len(arms)]])


def _apart(arms: Sequence[Arm], band: Band, last: float, title: str | None, reference: str) -> Figure:
    """A panel an arm in `BLUE`, the reference behind each in dashed grey."""
    behind = arms[0] if reference in arms[0].names else None
    own = [arm for arm in arms if arm is not behind]
    columns = min(PANELS_ACROSS, len(own))
    lines = -(-len(own) // columns)
    figure = new_figure(WIDTH, 1.95 * lines + 0.9, title)
    grid = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
    for place, (axes, arm) in enumerate(zip(grid.flat, own, strict=False)):
        if behind is not None:
            _draw(axes, behind, Series(GREY, "--", ""), band, last)
        _draw(axes, arm, Series(BLUE, "-", ""), band, last)
        axes.set_title(fit(arm.label, WIDTH / columns - 0.45, size=BODY))
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("epoch" if place + columns >= len(own) else "")
    for axes in grid.flat[len(own) :]:
        axes.set_visible(False)
    return figure


def _finish(figure: Figure, arms: Sequence[Arm], metric: str) -> None:
    """Axis names and scale: one name for the whole grid where there are several panels."""
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
    """The range of all values, or of those after the first fifth of the training where it is far narrower."""
    start = EARLY * max(float(arm.steps[-1]) for arm in arms)
    late = np.concatenate([arm.envelope[:, arm.steps >= min(start, arm.steps[-1])].ravel() for arm in arms])
    every = np.concatenate([arm.envelope.ravel() for arm in arms])
    shown = late if np.ptp(every) > WORTH_CUTTING * np.ptp(late) else every
    air = 0.06 * np.ptp(shown) or 0.5
    return float(shown.min() - air), float(shown.max() + air)


def _cut(axes: Axes, arms: Sequence[Arm]) -> str | None:
    """In words, at which end the axis leaves out values."""
    low, high = axes.get_ylim()
    sides = {"below": min(arm.envelope.min() for arm in arms) < low,
             "above": max(arm.envelope.max() for arm in arms) > high}  # fmt: skip
    ends = " and ".join(side for side, out in sides.items() if out)
    return f"early values {ends} the axis are cut off" if ends else None


def _legend(figure: Figure, arms: Sequence[Arm], band: Band, last: float, reference: str | None) -> None:
    """What the marks mean, below the panels: only those that are there; above them, whether the axis is cut."""
    several = any(len(arm.values) > len(arm.names) for arm in arms)
    colour = BLUE if reference else INK
    entries: list[Line2D | Patch] = [Line2D([], [], color=colour, label="mean over seeds" if several else "one seed")]
    if any(arm.varies for arm in arms):
        entries.append(Patch(facecolor=BLUE if reference else GREY, alpha=0.25, label=BANDS[band]))
    if len(arms) > PANELS_AT_MOST:
        others = f"the other {len(arms) - LINES_IN_ONE_PANEL} arms"
        entries.append(Line2D([], [], color=GREY, linewidth=0.6, alpha=0.5, label=others))
    if reference:
        entries.append(Line2D([], [], color=GREY, linestyle="--", label=fit(reference, 2, lines=1)))
    if any(_stops(arm, last) for arm in arms):
        entries.append(Line2D([], [], color=INK, marker="x", linestyle="", mew=1.8, label="a seed stopped here"))
    cut = _cut(figure.axes[0], arms)
    figure.legend(handles=entries, loc="outside lower center", ncols=len(entries), title=cut, title_fontsize=SMALL)

"""Plot of the interactions of components with levels."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from ablate.figures.labels import BODY, fit, margin_labels
from ablate.figures.media import is_narrow, page_width
from ablate.figures.style import LINE_STYLES, panel_grid, save, styled

PANELS_ACROSS = 3
_LABELS = 0.8
"""Width of the names of the levels next to a panel, in inches."""


@styled
def level_interactions(
    pairs: Sequence[Mapping[str, Any]],
    path: Path | str | None = None,
    *,
    metric: str = "test accuracy (%)",
    title: str | None = None,
) -> bytes:
    """Plot the means of the combinations of two components' levels: a panel per pair, a line per level of the first.

    Parallel lines mean no interaction. All panels share one scale.

    Args:
        pairs: Mappings with `first`, `second` (names), `lines`, `places` (texts of their levels) and `means` (a row per
            line).
        path: PNG file to write.
        metric: The label of the y axis.
        title: Figure title.
    """
    if not pairs:
        raise ValueError("An interaction plot needs at least one pair of components")
    columns = 1 if is_narrow() else min(PANELS_ACROSS, len(pairs))
    figure, panels, first_column = panel_grid(len(pairs), columns, 2.6, title, sharey=True)
    width = page_width() / columns - 0.5 - _LABELS
    for axes, pair in zip(panels, pairs, strict=True):
        _draw(axes, pair, width)
    for axes in first_column:
        axes.set_ylabel(metric)
    for axes, pair in zip(panels, pairs, strict=True):
        ends = [(float(len(pair["places"]) - 1), row[-1]) for row in pair["means"]]
        colours = [look.colour for look, _ in zip(itertools.cycle(LINE_STYLES), ends, strict=False)]
        margin_labels(axes, ends, [fit(name, _LABELS, lines=1) for name in pair["lines"]], colours)
    return save(figure, path)


def _draw(axes: Axes, pair: Mapping[str, Any], width: float) -> None:
    places = range(len(pair["places"]))
    for look, means in zip(itertools.cycle(LINE_STYLES), pair["means"], strict=False):
        axes.plot(places, means, color=look.colour, linestyle=look.dashes, marker=look.marker)
    room = width / max(1, len(places))
    axes.set_xticks(list(places), [fit(name, room, lines=2) for name in pair["places"]])
    axes.set_xlim(-0.3, len(places) - 0.7)
    first, second = (fit(pair[side], width, size=BODY, lines=1) for side in ("first", "second"))
    axes.set(title=f"lines: {first}", xlabel=second)
    axes.grid(visible=False, axis="x")

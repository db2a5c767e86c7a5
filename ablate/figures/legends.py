"""Legends below the panels of a figure, where they cover no data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from ablate.figures.labels import SMALL, fit, text_width
from ablate.figures.media import page_width


def shared_legend(figure: Figure) -> None:
    """Add one legend for all panels below them, where it covers no data."""
    entries: dict[str, Artist] = {}
    for axes in figure.axes:
        entries.update((label, handle) for handle, label in zip(*axes.get_legend_handles_labels(), strict=True))
    legend_below(figure, list(entries.values()), list(entries), most=4)


def legend_below(
    figure: Figure,
    handles: Sequence[Artist],
    labels: Sequence[str] = (),
    *,
    most: int = 20,
    grow: bool = False,
    **more: Any,
) -> None:
    """Add a legend below the panels, with as many columns as fit, up to `most`; `grow` makes room for it."""
    if not handles:
        return
    room = page_width() - 0.6
    texts = [fit(text, room) for text in (labels or [str(handle.get_label()) for handle in handles])]
    columns = _legend_columns(texts, min(most, len(texts)))
    if grow:
        lines = (
            1.6 * SMALL / 72 * (-(-sum(text.count("\n") + 1 for text in texts) // columns) + bool(more.get("title")))
        )
        figure.set_figheight(figure.get_figheight() + lines)
    figure.legend(list(handles), texts, loc="outside lower center", ncols=columns, **more)


def _legend_columns(texts: Sequence[str], most: int) -> int:
    """Return the largest number of columns of a legend that fits the width of the figure."""
    for columns in range(most, 1, -1):
        widths = [max(text_width(line) for line in text.split("\n")) for text in texts]
        names = sum(max(group) for group in np.array_split(widths, columns))
        if names + (4.8 * columns - 1) * SMALL / 72 <= page_width() - 0.1:  # handles, and space between columns
            return columns
    return 1

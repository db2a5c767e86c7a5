"""Average ranks of variants over data sets, with the critical difference."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ablate.figures.labels import BODY, fit, side_name
from ablate.figures.media import is_narrow, name_width, page_width
from ablate.figures.style import BLUE, GREY, INK, new_figure, save, styled


@styled
def critical_difference(
    ranks: Mapping[str, float],
    difference: float,
    path: Path | str | None = None,
    *,
    data_sets: int = 0,
    title: str | None = None,
) -> bytes:
    """Plot the average rank of each variant, best first, with a bar as long as the critical difference.

    Two variants whose ranks are further apart than the bar differ (Demsar, 2006).

    Args:
        ranks: The average rank by variant; 1 is the best.
        difference: The critical difference of two average ranks.
        path: PNG file to write.
        data_sets: Number of data sets.
        title: Figure title.
    """
    if not ranks:
        raise ValueError("A plot of ranks needs at least one variant")
    ordered = sorted(ranks.items(), key=lambda row: row[1])
    row, room = (0.5, 0.25) if is_narrow() else (0.32, 0.12)  # inches; share of the axis left of the best rank
    figure = new_figure(page_width(), row * len(ordered) + 1.1, title)
    axes = figure.subplots()
    for place, (_, rank) in enumerate(ordered):
        axes.plot([rank, rank + difference], [place, place], color=BLUE, linewidth=3, alpha=0.45, solid_capstyle="butt")
        axes.plot(rank, place, marker="o", markersize=6, color=INK)
        axes.annotate(f"{rank:.2f}", (rank, place), xytext=(-6, 0), textcoords="offset points", ha="right", va="center")
    axes.set_yticks(range(len(ordered)), [side_name(name, 2.2) for name, _ in ordered])
    axes.set_ylim(len(ordered) - 0.4, -0.6)
    axes.set_xlim(1 - room * len(ordered), len(ordered) + 0.3)
    axes.axvline(1, color=GREY, linewidth=0.8)
    axes.grid(visible=False, axis="y")
    over = f" over {data_sets} data sets" if data_sets else ""
    label = f"average rank{over}, 1 is the best; bars: critical difference, {difference:.2f}"
    axes.set_xlabel(fit(label, page_width() - name_width(2.4), size=BODY))
    return save(figure, path)

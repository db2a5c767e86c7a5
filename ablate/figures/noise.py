"""Standard error of a difference by number of seeds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from ablate.figures.labels import BODY, fit, margin_labels, side_name
from ablate.figures.legends import shared_legend
from ablate.figures.media import chart_height, page_width
from ablate.figures.style import BLUE, GREY, INK, VERMILLION, new_figure, plain_log, save, styled

MIN_SEEDS, MAX_SEEDS = 2, 100
MAX_LINES = 200  # of more variants, those at even ranks are drawn
DENSE_TICKS = 1e4  # range of the y axis from which on only powers of ten are labelled
MAX_LABELLED = 4  # with more variants, only three lines are labelled
CHOSEN = "variants with the lowest, median and highest noise"


@styled
def noise_budget(
    sds: Mapping[str, float],
    path: Path | str | None = None,
    *,
    image_se: float | None = None,
    margin: float = 0.0,
    unit: str = "points",
    title: str | None = None,
) -> bytes:
    """Plot the standard error of a difference by number of seeds, SD/sqrt(n), one line per variant.

    With more than four variants only those with the lowest, median and highest noise are labelled.

    Args:
        sds: The standard deviation over seeds of each variant's paired difference.
        image_se: The part of the standard error due to the test images, which more seeds do not reduce. A dashed line
            adds it to the median variant.
        margin: The margin; a dotted line marks a standard error of this size. 0 for none.
        unit: The unit of the differences.
        path: PNG file to write.
        title: Figure title.
    """
    named = {name: sd for name, sd in sds.items() if np.isfinite(sd) and sd > 0}
    figure = new_figure(page_width(), chart_height(4.2), title)
    axes = figure.subplots()
    marks = _lines(axes, named, image_se)
    if margin > 0:
        axes.axhline(margin, color=INK, linewidth=0.9, linestyle=":")
        marks.append((margin, f"standard error equal to the margin ({margin:g})", INK))
    plain_log(axes, "x")
    sizes = [*named.values(), *([margin] if margin > 0 else [])]
    wide = sizes and max(sizes) / DENSE_TICKS > min(sizes)
    plain_log(axes, ticks=(1,) if wide else (1, 2, 5))
    axes.set_xlim(MIN_SEEDS, MAX_SEEDS)
    axes.set_xticks([2, 3, 5, 10, 20, 50, 100])
    axes.set_xlabel("seeds per arm (n)")
    axes.set_ylabel(fit(f"standard error of the difference ({unit})", chart_height(4.2) - 0.6, size=BODY))
    shared_legend(figure)
    levels, texts, colours = zip(*marks, strict=True) if marks else ((), (), ())
    margin_labels(
        axes,
        [(MAX_SEEDS, level) for level in levels],
        [side_name(words, 2.3) for words in texts],
        colours,
    )
    return save(figure, path)


def _lines(axes: Axes, sds: Mapping[str, float], image_se: float | None) -> list[tuple[float, str, str]]:
    """Draw SD/sqrt(n) for every variant. Return the end, label and colour of each labelled line."""
    seeds = np.geomspace(MIN_SEEDS, MAX_SEEDS, 60)
    ordered = sorted(sds, key=lambda name: sds[name])
    if not ordered:
        return []
    median = ordered[(len(ordered) - 1) // 2]
    chosen = ordered if len(ordered) <= MAX_LABELLED else [ordered[0], median, ordered[-1]]
    others = f"{len(ordered) - len(chosen)} other variants"
    drawn = ordered
    if len(ordered) > MAX_LINES:
        places = np.linspace(0, len(ordered) - 1, MAX_LINES).round().astype(int)
        drawn = list(dict.fromkeys([*(ordered[place] for place in places), *chosen]))
        others = f"{len(drawn) - len(chosen)} of {len(ordered) - len(chosen):,} other variants"
    marks = []
    for name in drawn:
        colour, width, layer = (BLUE, 1.8, 2.1) if name in chosen else (GREY, 0.7, 2)
        label = None if len(chosen) == len(ordered) else CHOSEN if name in chosen else others
        axes.plot(seeds, sds[name] / np.sqrt(seeds), color=colour, linewidth=width, zorder=layer, label=label)
        if name in chosen:
            marks.append((sds[name] / MAX_SEEDS**0.5, f"{name}: SD\N{NO-BREAK SPACE}{sds[name]:.2g}", BLUE))
    if image_se is not None:
        total = np.sqrt(sds[median] ** 2 / seeds + image_se**2)
        axes.plot(seeds, total, color=VERMILLION, linestyle="--")
        marks.append((float(total[-1]), f"{median}, new seeds and images", VERMILLION))
    return marks

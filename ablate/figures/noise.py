"""How many seeds buy how much certainty."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from ablate.figures.labels import fit, margin_labels
from ablate.figures.style import BLUE, GREY, INK, VERMILLION, WIDTH, new_figure, plain_log, save, shared_legend, styled

FEWEST, MOST = 2, 100  # seeds
NAMED = 4  # variants up to which each line has its name
CHOSEN = "the least, the median and the most noisy variant"


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
    """The standard error of a difference against the number of seeds, as PNG bytes, written to `path` if given.

    `sds`: the SD over seeds of each variant's paired difference; its line is SD/sqrt(n). Beyond four variants only the
    least, the median and the most noisy are named. `image_se`: the part that the test images bring and no seed lowers;
    a dashed line adds it to the median variant. A dotted line marks a standard error equal to the `margin`, if any.
    """
    named = {name: sd for name, sd in sds.items() if np.isfinite(sd) and sd > 0}
    figure = new_figure(WIDTH, 4.2, title)
    axes = figure.subplots()
    marks = _lines(axes, named, image_se)
    if margin > 0:
        axes.axhline(margin, color=INK, linewidth=0.9, linestyle=":")
        marks.append((margin, f"a standard error equal to the margin of {margin:g}", INK))
    plain_log(axes, "x")
    plain_log(axes, ticks=(1, 2, 5))
    axes.set_xlim(FEWEST, MOST)
    axes.set_xticks([2, 3, 5, 10, 20, 50, 100])
    axes.set(xlabel="seeds in each arm (n)", ylabel=f"standard error of the difference ({unit})")
    shared_legend(figure)
    levels, texts, colours = zip(*marks, strict=True) if marks else ((), (), ())
    margin_labels(axes, [(MOST, level) for level in levels], [fit(words, 2.3) for words in texts], colours)
    return save(figure, path)


def _lines(axes: Axes, sds: Mapping[str, float], image_se: float | None) -> list[tuple[float, str, str]]:
    """Draw SD/sqrt(n) for every variant; where each named line ends, what it is called, and its colour."""
    seeds = np.geomspace(FEWEST, MOST, 60)
    ordered = sorted(sds, key=lambda name: sds[name])
    if not ordered:
        return []
    median = ordered[(len(ordered) - 1) // 2]
    chosen = ordered if len(ordered) <= NAMED else [ordered[0], median, ordered[-1]]
    others = f"the other {len(ordered) - len(chosen)} variants"
    marks = []
    for name in ordered:
        colour, width, layer = (BLUE, 1.8, 2.1) if name in chosen else (GREY, 0.7, 2)
        label = None if len(chosen) == len(ordered) else CHOSEN if name in chosen else others
        axes.plot(seeds, sds[name] / np.sqrt(seeds), color=colour, linewidth=width, zorder=layer, label=label)
        if name in chosen:
            marks.append((sds[name] / MOST**0.5, f"{name}: SD {sds[name]:.2g}", BLUE))
    if image_se is not None:
        total = np.sqrt(sds[median] ** 2 / seeds + image_se**2)
        axes.plot(seeds, total, color=VERMILLION, linestyle="--")
        marks.append((float(total[-1]), f"{median}, for new images too", VERMILLION))
    return marks

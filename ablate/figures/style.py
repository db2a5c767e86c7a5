"""The style of every figure: palette, sizes, layout, PNG output.

Figures are about 9 inches wide at 160 dots per inch and are displayed at about 880 pixels, where 8 points are still
readable. The palette is that of Okabe and Ito (2008, "Color Universal Design"), which is safe for colour-blind readers;
line style and marker always repeat the meaning of a colour. Pyplot is not used, so there is no global figure or window.
"""

from __future__ import annotations

import functools
import io
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

import matplotlib.style
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ablate.figures.labels import BODY, HEADING, SMALL, fit

WIDTH = 9.0  # inches
DPI = 160
LARGEST_SIDE = 60_000  # pixels; Agg draws at most 2**16

INK, GREY, PALE = "#222222", "#6E6E6E", "#D9D9D9"
BLUE, ORANGE, VERMILLION, GREEN, PURPLE, SKY = "#0072B2", "#E69F00", "#D55E00", "#009E73", "#CC79A7", "#56B4E9"


class LineStyle(NamedTuple):
    """Colour, dashes and marker of a line."""

    colour: str
    dashes: str
    marker: str


class PanelGrid(NamedTuple):
    """A figure with a grid of panels, in order, and the panels of the first column."""

    figure: Figure
    panels: list[Axes]
    first_column: list[Axes]


LINE_STYLES = (
    LineStyle(BLUE, "-", "o"),
    LineStyle(VERMILLION, "--", "s"),
    LineStyle(GREEN, "-.", "^"),
    LineStyle(PURPLE, ":", "D"),
    LineStyle(INK, "--", "v"),
    LineStyle(ORANGE, "-", "P"),
)

STYLE: dict[str, Any] = {
    "font.size": BODY,
    "axes.titlesize": BODY,
    "axes.titlelocation": "left",
    "axes.labelsize": BODY,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "figure.titlesize": HEADING,
    "text.color": INK,
    "text.parse_math": False,  # names may contain dollar signs
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E8E8E8",
    "grid.linewidth": 0.7,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 1.6,
    "lines.markersize": 4,
}

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def styled(draw: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Run `draw` with this style only, regardless of the user's matplotlibrc, which stays unchanged."""

    @functools.wraps(draw)
    def drawn(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with matplotlib.style.context(["default", STYLE]), np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="constrained_layout not applied")  # a panel without room
            return draw(*args, **kwargs)

    return drawn


def new_figure(width: float, height: float, title: str | None = None) -> Figure:
    """Return a figure of `width` x `height` inches whose layout leaves room for every label."""
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(wspace=0.04))
    FigureCanvasAgg(figure)
    if title:
        figure.suptitle(fit(title, width - 0.3, size=HEADING), x=0.01, horizontalalignment="left")
    return figure


def panel_grid(
    count: int, columns: int, height: float, title: str | None = None, *, sharex: bool = False, sharey: bool = False
) -> PanelGrid:
    """Return a figure with `count` panels in rows of `columns`, each row `height` inches high."""
    rows = -(-count // columns)
    figure = new_figure(WIDTH, height * rows + 0.6, title)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey)
    for axes in grid.flat[count:]:
        axes.set_visible(False)
    return PanelGrid(figure, list(grid.flat[:count]), list(grid[:, 0]))


def shared_legend(figure: Figure) -> None:
    """Add one legend for all panels below them, where it covers no data."""
    entries: dict[str, Artist] = {}
    for axes in figure.axes:
        entries.update((label, handle) for handle, label in zip(*axes.get_legend_handles_labels(), strict=True))
    if entries:
        figure.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=min(len(entries), 4))


def save(figure: Figure, path: Path | str | None) -> bytes:
    """Return the figure as PNG, written to `path` if given. Missing folders are created."""
    content = render(figure)
    if path is not None:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return content


def render(figure: Figure) -> bytes:
    """Return a figure as PNG. Equal figures give equal bytes, without date or software."""
    buffer = io.BytesIO()
    dots = min(DPI, LARGEST_SIDE / max(figure.get_size_inches()))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # drawn as a box
        figure.dpi = dots
        if figure.axes and (layout := figure.get_layout_engine()):
            layout.execute(figure)  # otherwise savefig draws twice to compute the layout
            figure.set_layout_engine("none")
        figure.savefig(buffer, format="png", dpi=dots, metadata={"Software": None})
    return buffer.getvalue()


def plain_log(axes: Axes, axis: str = "y", ticks: Sequence[float] = (1.0,)) -> None:
    """Set a logarithmic axis with plain numbers as tick labels. `ticks` are the multiples within each decade."""
    (axes.set_yscale if axis == "y" else axes.set_xscale)("log")
    chosen = axes.yaxis if axis == "y" else axes.xaxis
    chosen.set_major_locator(LogLocator(subs=ticks))
    chosen.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    chosen.set_minor_formatter(NullFormatter())

"""How every figure looks and is saved: palette, sizes, layout, PNG bytes.

Figures are about 9 inches wide at 160 dots an inch and are shown at about 880 pixels, where 8 points are still
readable. Colours are those of Okabe and Ito (2008, "Color Universal Design"), which the colour-blind can tell apart;
line style and marker always repeat what a colour says. Nothing of pyplot is used: no global figure, no window.
"""

from __future__ import annotations

import functools
import io
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

import matplotlib.style
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


class Series(NamedTuple):
    """How one line is told from the others: by colour, by dashes and by marker."""

    colour: str
    dashes: str
    marker: str


SERIES = (
    Series(BLUE, "-", "o"),
    Series(VERMILLION, "--", "s"),
    Series(GREEN, "-.", "^"),
    Series(PURPLE, ":", "D"),
    Series(INK, "--", "v"),
    Series(ORANGE, "-", "P"),
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
    "text.parse_math": False,  # a dollar in the name of an arm is a dollar
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
    """Run `draw` under our style alone: a reader's own matplotlibrc changes nothing, and gets nothing from us."""

    @functools.wraps(draw)
    def drawn(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with matplotlib.style.context(["default", STYLE]):
            return draw(*args, **kwargs)

    return drawn


def new_figure(width: float, height: float, title: str | None = None) -> Figure:
    """A figure of `width` x `height` inches whose layout makes room for every label, with its title at the left."""
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(wspace=0.04))
    FigureCanvasAgg(figure)
    if title:
        figure.suptitle(fit(title, width - 0.3, size=HEADING), x=0.01, horizontalalignment="left")
    return figure


def shared_legend(figure: Figure) -> None:
    """One legend for all panels, below them, where it can cover no data."""
    entries: dict[str, Artist] = {}
    for axes in figure.axes:
        entries.update((label, handle) for handle, label in zip(*axes.get_legend_handles_labels(), strict=True))
    if entries:
        figure.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=min(len(entries), 4))


def save(figure: Figure, path: Path | str | None) -> bytes:
    """Render to PNG, write it to `path` (its folders are made) unless that is None, and return its bytes."""
    content = render(figure)
    if path is not None:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return content


def render(figure: Figure) -> bytes:
    """Return a figure as PNG: the same one gives the same bytes, nothing of the time or the machine is in them."""
    buffer = io.BytesIO()
    dots = min(DPI, LARGEST_SIDE / max(figure.get_size_inches()))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # drawn as a box; a picture still
        figure.dpi = dots
        if figure.axes and (layout := figure.get_layout_engine()):
            layout.execute(figure)  # savefig would draw all of it once more to find out how it lies
            figure.set_layout_engine("none")
        figure.savefig(buffer, format="png", dpi=dots, metadata={"Software": None})
    return buffer.getvalue()


def plain_log(axes: Axes, axis: str = "y", ticks: Sequence[float] = (1.0,)) -> None:
    """A logarithmic axis whose ticks read 0.01, not a power of ten; `ticks` are those of each decade."""
    (axes.set_yscale if axis == "y" else axes.set_xscale)("log")
    chosen = axes.yaxis if axis == "y" else axes.xaxis
    chosen.set_major_locator(LogLocator(subs=ticks))
    chosen.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    chosen.set_minor_formatter(NullFormatter())

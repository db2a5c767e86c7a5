"""The style of every figure: palette, sizes, layout, output as PNG, PDF or SVG.

Figures for a screen are 9 inches wide at 160 dots per inch and are displayed at about 880 pixels, where 8 points are
still readable. The palette is that of Okabe and Ito (2008, "Color Universal Design"), which is safe for colour-blind
readers; line style and marker always repeat the meaning of a colour. Pyplot is not used, so there is no global figure
or window.
"""

from __future__ import annotations

import functools
import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from PIL import Image

from ablate.figures.labels import BODY, HEADING, SMALL, fit
from ablate.figures.media import page_width

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
    "pdf.fonttype": 42,  # TrueType, which journals ask for
    "svg.fonttype": "none",  # text as text
    "svg.hashsalt": "ablate",  # identifiers in the file, which are random otherwise
}

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def styled(draw: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Run `draw` with this style only, regardless of the user's matplotlibrc, which stays unchanged."""

    @functools.wraps(draw)
    def drawn(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with matplotlib.style.context(["default", STYLE]), np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="constrained_layout not applied")  # a panel without room
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # drawn as a box
            return draw(*args, **kwargs)

    return drawn


class ShownAxes(Axes):
    """Axes that a notebook shows as the picture of their figure."""

    def _repr_png_(self) -> bytes:
        figure = self.get_figure(root=True)
        assert figure is not None
        return rendered(figure)


class _ShownFigure(Figure):
    """A figure, not one of pyplot, that a notebook shows as a picture, by itself or by one of its axes."""

    def add_subplot(self, *args: Any, **kwargs: Any) -> Axes:
        """Add axes that a notebook shows."""
        axes: Axes = super().add_subplot(*args, **{"axes_class": ShownAxes, **kwargs})
        return axes

    def _repr_png_(self) -> bytes:
        return rendered(self)


def new_figure(width: float, height: float, title: str | None = None) -> Figure:
    """Return a figure of `width` x `height` inches whose layout leaves room for every label."""
    figure = _ShownFigure(figsize=(width, height), layout=ConstrainedLayoutEngine(wspace=0.04))
    FigureCanvasAgg(figure)
    if title:
        figure.suptitle(fit(title, width - 0.3, size=HEADING), x=0.01, horizontalalignment="left")
    return figure


def panel_grid(
    count: int, columns: int, height: float, title: str | None = None, *, sharex: bool = False, sharey: bool = False
) -> PanelGrid:
    """Return a figure with `count` panels in rows of `columns`, each row `height` inches high."""
    rows = -(-count // columns)
    figure = new_figure(page_width(), height * rows + 0.6, title)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey)
    for axes in grid.flat[count:]:
        axes.set_visible(False)
    return PanelGrid(figure, list(grid.flat[:count]), list(grid[:, 0]))


def save(figure: Figure, path: Path | str | None) -> bytes:
    """Return the figure as PNG, or as PDF or SVG by the suffix of `path`, to which it is written if given.

    Missing folders are created.
    """
    kind = Path(path).suffix.lower() if path is not None else ""
    content = render_vector(figure, kind) if kind in (".pdf", ".svg") else render(figure)
    if path is not None:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return content


@styled
def rendered(figure: Figure) -> bytes:
    """Return a figure as PNG, in the style of this package whatever the user's settings are. It can change later."""
    dots, layout = figure.dpi, figure.get_layout_engine()
    try:
        return render(figure)
    finally:
        figure.dpi = dots
        figure.set_layout_engine(layout)


def render(figure: Figure) -> bytes:
    """Return a figure as PNG. Equal figures give equal bytes, without date or software."""
    dots = min(DPI, LARGEST_SIDE / max(figure.get_size_inches()))
    if figure.images:
        return _saved(figure, "png", dots, {"Software": None})
    pixels = _saved(figure, "rgba", dots, {})
    return _with_palette(Image.frombytes("RGBA", figure.canvas.get_width_height(), pixels))


def _with_palette(picture: Image.Image) -> bytes:
    """Return a PNG of a chart with at most 256 colours, which is a quarter as large and looks the same."""
    picture = picture.convert("RGB")
    reduced = picture.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    palette = reduced.getpalette() or []
    reduced.putpalette([255 if level > 252 else level for level in palette])  # the background stays white
    buffer = io.BytesIO()
    reduced.save(buffer, "png", compress_level=7, dpi=(DPI, DPI))  # higher levels take five times as long, for 3 %
    return buffer.getvalue()


def render_vector(figure: Figure, kind: str) -> bytes:
    """Return a figure as PDF or SVG. Equal figures give equal bytes, without date or software.

    Fonts in a PDF are embedded as TrueType. Text in an SVG remains text: it can be searched and edited, and is drawn
    with the viewer's fonts, which are rarely wider than DejaVu Sans, the font of the layout.
    """
    names = ("Creator", "Producer", "CreationDate") if kind == ".pdf" else ("Date", "Creator")
    return _saved(figure, kind.removeprefix("."), DPI, dict.fromkeys(names))


def _saved(figure: Figure, kind: str, dots: float, metadata: Mapping[str, None]) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.dpi = dots
        if figure.axes and (layout := figure.get_layout_engine()):
            layout.execute(figure)
            figure.set_layout_engine(None)  # savefig draws a figure with any other engine twice
        figure.savefig(buffer, format=kind, dpi=dots, metadata=dict(metadata) or None)
    return buffer.getvalue()


def plain_log(axes: Axes, axis: str = "y", ticks: Sequence[float] = (1.0,)) -> None:
    """Set a logarithmic axis with plain numbers as tick labels. `ticks` are the multiples within each decade."""
    (axes.set_yscale if axis == "y" else axes.set_xscale)("log")
    chosen = axes.yaxis if axis == "y" else axes.xaxis
    chosen.set_major_locator(LogLocator(subs=ticks))
    chosen.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    chosen.set_minor_formatter(NullFormatter())

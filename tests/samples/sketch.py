"""Figures that are not drawn."""

from __future__ import annotations

import inspect
import io
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from ablate import figures
from ablate.figures import style
from ablate.report.plots import render


def sketch(_figure: Figure) -> bytes:
    """Return a dot instead of the figure."""
    content = io.BytesIO()
    Image.new("L", (1, 1)).save(content, "PNG")
    return content.getvalue()


def sketch_plot(plot: render.Plot, folder: Path) -> str:
    """Check the arguments of a plot of a report, and write a dot."""
    path = folder / plot.path
    inspect.signature(getattr(figures, plot.function)).bind(**plot.arguments, path=path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(sketch(Figure()))
    return ""


SKETCHES: tuple[tuple[Any, str, Any], ...] = (
    (style, "render", sketch),
    (Figure, "draw_without_rendering", lambda _figure: None),
    (render, "_draw", sketch_plot),
)
"""Replacements of what draws figures, as arguments of `setattr`."""

FULL = tuple((owner, name, getattr(owner, name)) for owner, name, _ in SKETCHES)
"""What they replace."""

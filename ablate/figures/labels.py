"""Words in a figure: cut to fit, kept apart, joined to what they name."""

from __future__ import annotations

import functools
import math
import re
import warnings
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text
from matplotlib.textpath import text_to_path

SMALL, BODY, HEADING = 8.0, 9.0, 10.5  # points

LEADER: dict[str, Any] = {  # the line from a point to its name, which it meets at the left
    "arrowstyle": "-", "linewidth": 0.6, "alpha": 0.6, "shrinkA": 1, "shrinkB": 3, "relpos": (0, 0.5),
}  # fmt: skip


def decimals(margin: float, unit: str) -> int:
    """Digits after the point of a difference, so that a hundredth of the margin shows; at least 2 for points."""
    least = 2 if unit == "points" else 0
    return max(least, 1 - math.floor(math.log10(margin))) if margin > 0 else 2


def signed(value: float, digits: int = 2) -> str:
    """A difference with its sign, a true minus included."""
    return f"{value:+.{digits}f}".replace("-", "\N{MINUS SIGN}")


@functools.cache
def _advance(character: str) -> float:
    """The width of one character, in units of the font size."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        width, _, _ = text_to_path.get_text_width_height_descent(character, FontProperties(size=100), ismath=False)
    return float(width) / 100 or 0.32  # a blank measures nothing, but takes about a third


def text_width(line: str, size: float = SMALL) -> float:
    """The width of one line of text in inches (an upper estimate by about 5 %)."""
    return sum(_advance(character) + 0.03 for character in line) * size / 72


def fit(name: object, inches: float, *, size: float = SMALL, lines: int = 2) -> str:
    """Break a name into at most `lines` lines of `inches`; what is still too long loses its middle to an ellipsis."""
    whole = re.sub(r" (?=%)", "\N{NO-BREAK SPACE}", " ".join(str(name).split()))
    for kept in range(len(whole), 2, -1):
        head, tail = (kept + 1) // 2, kept // 2
        candidate = whole if kept == len(whole) else f"{whole[:head].rstrip()}…{whole[-tail:].lstrip()}"
        broken = _break(candidate, inches, size)
        if len(broken) <= lines and all(text_width(line, size) <= inches for line in broken):
            return "\n".join(broken)
    return whole[:1] + "…" if len(whole) > 2 else whole


def _break(name: str, inches: float, size: float) -> list[str]:
    lines = [""]
    for piece in re.findall(r"[^ +\-_/]*[ +\-_/]|[^ +\-_/]+$", name):
        if lines[-1] and text_width((lines[-1] + piece).rstrip(), size) > inches:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]


def spread(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move positions as little as needed to lie `gap` apart within [low, high] (below `low` if there are too many).

    Neighbours that would touch form a block around their mean: isotonic regression, by pooling adjacent violators.
    """
    order = sorted(range(len(positions)), key=lambda place: positions[place])
    blocks: list[tuple[float, int]] = []  # mean of (position - rank * gap), size
    for rank, place in enumerate(order):
        mean, size = positions[place] - rank * gap, 1
        while blocks and blocks[-1][0] > mean:
            before, count = blocks.pop()
            mean, size = (before * count + mean * size) / (count + size), count + size
        blocks.append((mean, size))
    slack = high - (len(positions) - 1) * gap
    moved = [min(max(mean, low), slack) for mean, size in blocks for _ in range(size)]
    result = [0.0] * len(positions)
    for rank, place in enumerate(order):
        result[place] = moved[rank] + rank * gap
    return result


def readable(colour: str) -> tuple[float, float, float]:
    """The colour of words that belong to a mark of this colour: darker, for thin strokes on white need contrast."""
    red, green, blue = to_rgb(colour)
    return 0.7 * red, 0.7 * green, 0.7 * blue


def margin_labels(
    axes: Axes, points: Sequence[tuple[float, float]], texts: Sequence[str], colours: Sequence[str]
) -> None:
    """Write each text in the right margin, level with its point where there is room, with a thin line to the point."""
    notes = [
        axes.annotate(
            words,
            xy=point,
            xycoords="data",
            xytext=(1.04, 0.5),
            textcoords="axes fraction",
            color=readable(colour),
            size=SMALL,
            verticalalignment="center",
            annotation_clip=False,
            arrowprops=LEADER | {"color": colour},
        )
        for words, point, colour in zip(texts, points, colours, strict=True)
    ]
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()  # the layout settles here: only now is the height of a label known
    height = axes.get_window_extent().height  # a label's own extent is asked of Text: an annotation adds its line
    tallest = max((Text.get_window_extent(note).height for note in notes), default=0.0) / height
    levels = [axes.transAxes.inverted().transform(axes.transData.transform(point))[1] for point in points]
    for note, level in zip(notes, spread(levels, 1.15 * tallest, 0.0, 1.0), strict=True):
        note.set_position((1.04, level))

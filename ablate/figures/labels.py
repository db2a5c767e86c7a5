"""Text in figures: fit it into a width, keep labels apart, connect them to their points."""

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

from ablate.figures.media import is_narrow, name_width
from ablate.wording import fixed

SMALL, BODY, HEADING = 8.0, 9.0, 10.5  # points

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\ufffe\uffff]")
"""Characters without a glyph: some of them are not allowed in SVG, others change the direction of text."""

_PIECE = re.compile(r"(?:(?<![^ ])[+\-])?+[^ +\-_/]*(?:[ +\-_/]|$)")
"""Text up to where a line may break; a sign that begins a word belongs to its number."""

LEADER: dict[str, Any] = {  # the line from a point to the left end of its label
    "arrowstyle": "-", "linewidth": 0.6, "alpha": 0.6, "shrinkA": 1, "shrinkB": 3, "relpos": (0, 0.5),
}  # fmt: skip


def decimals(margin: float, unit: str) -> int:
    """Return the decimals of a difference that resolve a hundredth of the margin, at least 2 for points."""
    least = 2 if unit == "points" else 0
    return max(least, 1 - math.floor(math.log10(margin))) if margin > 0 else 2


def signed(value: float, digits: int = 2) -> str:
    """Return a difference with its sign (a minus sign, not a hyphen)."""
    return fixed(value, digits, "+").replace("-", "\N{MINUS SIGN}")


@functools.cache
def _advance(character: str) -> float:
    """Return the width of a character in units of the font size."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        width, _, _ = text_to_path.get_text_width_height_descent(character, FontProperties(size=100), ismath=False)
    return float(width) / 100 or 0.32  # a space has no extent, but advances by about a third


def text_width(line: str, size: float = SMALL) -> float:
    """Return the width of one line of text in inches, overestimated by about 5 %."""
    return sum(_advance(character) + 0.03 for character in line) * size / 72


def fit(name: object, inches: float, *, size: float = SMALL, lines: int = 2) -> str:
    """Return a name broken into at most `lines` lines of `inches`, its middle replaced by an ellipsis if too long.

    Lines break after spaces and after hyphens and the like within words, but neither at no-break spaces nor after the
    sign of a number.
    """
    whole = re.sub(r"[^\S\xa0]+", " ", _CONTROL.sub(" ", str(name))).strip()
    whole = re.sub(r" (?=%)", "\N{NO-BREAK SPACE}", whole)
    for kept in range(len(whole), 2, -1):
        head, tail = (kept + 1) // 2, kept // 2
        candidate = whole if kept == len(whole) else f"{whole[:head].rstrip()}…{whole[-tail:].lstrip()}"
        broken = _break(candidate, inches, size)
        if len(broken) <= lines and all(text_width(line, size) <= inches for line in broken):
            return "\n".join(broken).replace("\N{NO-BREAK SPACE}", " ")
    return whole[:1] + "…" if len(whole) > 2 else whole


def side_name(name: object, inches: float, *, lines: int = 2) -> str:
    """Return a name next to a panel with `inches` of room on a screen; in a narrow figure it has two more lines."""
    return fit(name, name_width(inches), lines=lines + 2 if is_narrow() else lines)


def _break(name: str, inches: float, size: float) -> list[str]:
    lines = [""]
    for piece in _PIECE.findall(name):
        if lines[-1] and text_width((lines[-1] + piece).rstrip(), size) > inches:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]


def spread(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return positions moved as little as needed to be `gap` apart within [low, high].

    Overlapping neighbours form a block around their mean (isotonic regression by pooling adjacent violators). If there
    are too many positions, the lowest are below `low`.
    """
    order = sorted(range(len(positions)), key=lambda index: positions[index])
    blocks: list[tuple[float, int]] = []  # mean of (position - rank * gap), size
    for rank, index in enumerate(order):
        mean, size = positions[index] - rank * gap, 1
        while blocks and blocks[-1][0] > mean:
            before, count = blocks.pop()
            mean, size = (before * count + mean * size) / (count + size), count + size
        blocks.append((mean, size))
    slack = high - (len(positions) - 1) * gap
    moved = [min(max(mean, low), slack) for mean, size in blocks for _ in range(size)]
    result = [0.0] * len(positions)
    for rank, index in enumerate(order):
        result[index] = moved[rank] + rank * gap
    return result


def readable(colour: str) -> tuple[float, float, float]:
    """Return a darker colour for text next to marks of this colour, since thin strokes need contrast."""
    red, green, blue = to_rgb(colour)
    return 0.7 * red, 0.7 * green, 0.7 * blue


def margin_labels(
    axes: Axes, points: Sequence[tuple[float, float]], texts: Sequence[str], colours: Sequence[str]
) -> None:
    """Write each text in the right margin, at the height of its point if possible, with a thin line to the point."""
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
    if layout := figure.get_layout_engine():
        layout.execute(figure)  # and thus the height of labels
    height = axes.get_window_extent().height  # extents come from Text, since an annotation's include its line
    tallest = max((Text.get_window_extent(note).height for note in notes), default=0.0) / height
    levels = [axes.transAxes.inverted().transform(axes.transData.transform(point))[1] for point in points]
    for note, level in zip(notes, spread(levels, 1.15 * tallest, 0.0, 1.0), strict=True):
        note.set_position((1.04, level))

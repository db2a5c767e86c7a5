"""Grids of small images, enlarged by whole factors without smoothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from PIL import Image

from ablate.figures.labels import BODY, HEADING, SMALL, fit, text_width
from ablate.figures.media import page_width
from ablate.figures.style import DPI, GREY, new_figure, save, styled

Pixels = npt.NDArray[np.uint8]

GAP = 8  # pixels between images
LINE = 1.35 * SMALL / 72 * DPI  # height of a line of small text in pixels
MARGIN = 10  # pixels around the page
LARGEST_CELL = 224  # pixels


def existing(picture: Path | str, path: Path | str) -> bytes:
    """Copy a picture in a PNG file to `path`, and return it."""
    content = Path(picture).read_bytes()
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return content


@styled
def image_grid(
    images: npt.ArrayLike,
    path: Path | str | None = None,
    *,
    titles: Sequence[str] | None = None,
    columns: int = 8,
    heading: str | None = None,
) -> bytes:
    """Draw images in rows of `columns`, each below its title.

    Args:
        images: uint8, N x H x W x 3 (or x 1, or N x H x W for grey). Small images are enlarged by a whole factor.
        path: PNG file to write.
        titles: N titles. Line breaks are kept, long lines are shortened.
        columns: Images per row.
        heading: Figure title.
    """
    pixels = _checked(images, titles)
    columns = max(1, min(columns, len(pixels)))
    rows = [range(start, min(start + columns, len(pixels))) for start in range(0, len(pixels), columns)]
    layout = [(pixels[row.start : row.stop], [titles[index] for index in row] if titles else [], "") for row in rows]
    return save(_page(layout, columns, heading), path)


@styled
def before_after(
    before: npt.ArrayLike,
    after: npt.ArrayLike,
    path: Path | str | None = None,
    *,
    titles: Sequence[str] | None = None,
    names: tuple[str, str] = ("before", "after"),
    columns: int = 8,
    heading: str | None = None,
) -> bytes:
    """Draw each image above its transformed version.

    Args:
        before: Images, as in `image_grid`.
        after: Their transformed versions.
        path: PNG file to write.
        titles: Title of each image.
        names: Labels of the two kinds of rows.
        columns: Images per row.
        heading: Figure title.
    """
    first, second = _checked(before, titles), _checked(after, None)
    if len(first) != len(second):
        raise ValueError(f"Expected as many images after as before, not {len(second)} and {len(first)}")
    columns = max(1, min(columns, len(first)))
    layout: list[tuple[Pixels, Sequence[str], str]] = []
    for start in range(0, len(first), columns):
        row = slice(start, start + columns)
        layout.append((first[row], titles[row] if titles else [], names[0]))
        layout.append((second[row], [], names[1]))
    return save(_page(layout, columns, heading), path)


def _checked(images: npt.ArrayLike, titles: Sequence[str] | None) -> Pixels:
    pixels = np.asarray(images)
    if pixels.ndim == 3:
        pixels = pixels[..., None]
    if pixels.ndim != 4 or pixels.dtype != np.uint8 or pixels.shape[-1] not in (1, 3) or not len(pixels):
        raise ValueError(f"Images must be uint8, N x H x W x 3, not {pixels.dtype}, {pixels.shape}")
    if titles is not None and len(titles) != len(pixels):
        raise ValueError(f"Expected {len(pixels)} titles, one per image, not {len(titles)}")
    return np.broadcast_to(pixels, (*pixels.shape[:3], 3))


def _page(layout: Sequence[tuple[Pixels, Sequence[str], str]], columns: int, heading: str | None) -> Figure:
    """Return a page with rows of (images, titles, name of the row), aligned to pixels to avoid smoothing."""
    side = max(round(DPI * text_width(name, BODY)) + 12 if name else 0 for _, _, name in layout)
    room = (page_width() * DPI - 2 * MARGIN - side) // columns - GAP
    shape = _cell(layout[0][0].shape[1:3], int(room))
    shown = [[_fit_lines(title, shape[1]) for title in titles] for _, titles, _ in layout]
    heads = [LINE * max((title.count("\n") + 1 for title in row), default=0) for row in shown]
    top = 2 * MARGIN + (1.4 * HEADING / 72 * DPI if heading else 0)
    height = round(top + sum(head + shape[0] + GAP for head in heads))
    width = max(2 * MARGIN + side + columns * (shape[1] + GAP), 3 * DPI)
    figure = new_figure(width / DPI, height / DPI)
    figure.set_layout_engine("none")
    page = np.full((height, width, 3), 255, dtype=np.uint8)
    if heading:
        _write(
            figure,
            MARGIN,
            height - 0.75 * MARGIN,
            fit(heading, (width - 2 * MARGIN) / DPI, size=HEADING, lines=1),
            size=HEADING,
        )
    level = top
    for (images, _, name), titles, head in zip(layout, shown, heads, strict=True):
        level += head
        line = round(level)
        for index, image in enumerate(images):
            left = MARGIN + side + index * (shape[1] + GAP)
            page[line : line + shape[0], left : left + shape[1]] = _resized(image, shape)
            if titles:
                _write(figure, left, height - line + 3, titles[index], size=SMALL, va="bottom")
        if name:
            _write(figure, MARGIN, height - line - shape[0] / 2, name, size=BODY, va="center", color=GREY)
        level = line + shape[0] + GAP
    figure.figimage(page)
    return figure


def _cell(shape: tuple[int, int], room: int) -> tuple[int, int]:
    """Return the displayed height and width: a whole multiple of the image's size, or smaller for large images."""
    height, width = shape
    factor = min(room, LARGEST_CELL) / max(width, height)
    factor = int(factor) if factor >= 1 else factor
    return max(1, round(height * factor)), max(1, round(width * factor))


def _resized(image: Pixels, shape: tuple[int, int]) -> Pixels:
    way = Image.Resampling.NEAREST if shape[0] >= image.shape[0] else Image.Resampling.LANCZOS
    return np.asarray(Image.fromarray(image).resize(shape[::-1], way))


def _fit_lines(title: str, pixels: int) -> str:
    """Return a title with each line shortened to a width in pixels."""
    return "\n".join(fit(line, pixels / DPI, lines=1) for line in title.splitlines())


def _write(figure: Figure, left: float, bottom: float, text: str, **look: Any) -> None:
    """Write text at a position in pixels from the lower left corner."""
    width, height = figure.get_size_inches() * DPI
    figure.text(left / width, bottom / height, text, **{"va": "top", **look})

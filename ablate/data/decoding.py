"""Decode image files to arrays of pixels."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ablate.data.types import ImageBlock, Labels, Pixels, printable
from ablate.errors import UserError

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
"""Formats with a decoder in Pillow itself; its EPS reader, for example, would start another program."""

FILE_LIMIT = 256 * 2**20
"""Most bytes in a file or archive member; the largest legitimate one, in CIFAR-100, has 155 MB."""

BLOCK_SIZE = 1000


def decode(data: bytes, image_size: int, where: str) -> tuple[Pixels, str]:
    """Return the image in `data` as uint8 pixels, 3 x image_size x image_size, and the name of its format.

    Greyscale, palette and transparent images become RGB: transparency is dropped, and 16-bit greyscale keeps its upper
    8 bits. Of an animation, the first frame is used. As in torchvision, orientation tags are not applied. Images of
    another size are resized to the square with Pillow's BILINEAR filter, which averages over the source pixels when it
    shrinks; images that have the size already are unchanged.

    Raises:
        UserError: if the data is not an image, is damaged or has too many pixels; the message contains `where`.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return to_pixels(to_rgb(image), image_size), image.format or "unknown"
    except Exception as error:  # decoders raise nearly any exception on damaged input
        if isinstance(error, UnidentifiedImageError):
            reason = f"is not an image in a known format ({', '.join(FORMATS)})"
        elif isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
            reason = f"has more than {Image.MAX_IMAGE_PIXELS:,} pixels, the limit"
        else:
            reason = f"is damaged or truncated ({printable(error) or type(error).__name__})"
        raise UserError(f"{printable(where)} {reason}. Repair or remove the file") from error


def to_rgb(image: Image.Image) -> Image.Image:
    """Return `image` in 8-bit RGB."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError("it has 32 bits per pixel, expected 8 or 16")
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")


def to_pixels(image: Image.Image, image_size: int) -> Pixels:
    """Return an RGB image as uint8 pixels, 3 x image_size x image_size."""
    from PIL import Image

    if image.size != (image_size, image_size):
        image = image.resize((image_size, image_size), Image.Resampling.BILINEAR)
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))


def resize_all(images: Pixels, image_size: int) -> Pixels:
    """Return uint8 images, n x H x W or n x 3 x H x W, as n x 3 x image_size x image_size."""
    from PIL import Image

    if images.ndim == 4 and images.shape[1:] == (3, image_size, image_size):
        return np.ascontiguousarray(images)
    channels_last = images.transpose(0, 2, 3, 1) if images.ndim == 4 else images
    squares = (Image.fromarray(np.ascontiguousarray(image)).convert("RGB") for image in channels_last)
    return np.stack([to_pixels(square, image_size) for square in squares])


def array_blocks(split: str, position: int, images: Pixels, labels: Labels, image_size: int) -> Iterator[ImageBlock]:
    """Yield images that are in memory, in the shapes that `resize_all` accepts, in blocks of `BLOCK_SIZE`."""
    for start in range(0, len(labels), BLOCK_SIZE):
        part = slice(start, start + BLOCK_SIZE)
        yield ImageBlock(split, position + start, resize_all(images[part], image_size), labels[part], "lossless")


def read_image(path: Path, image_size: int) -> Pixels:
    """Return one image file as uint8 pixels, 3 x image_size x image_size, decoded in the same way as data sets."""
    with strict_pillow():
        return decode(read_file(path), image_size, str(path))[0]


def read_file(path: Path) -> bytes:
    """Return the content of a file.

    Raises:
        UserError: if the file cannot be read, is not a regular file or is larger than `FILE_LIMIT`.
    """
    try:
        if not path.is_file():
            raise UserError(f"{printable(path)} {'is not a regular file' if path.exists() else 'does not exist'}")
        if path.stat().st_size > FILE_LIMIT:
            raise UserError(f"{printable(path)} is larger than {FILE_LIMIT // 2**20} MiB, the limit for an image file")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"Cannot read {printable(path)}: {error.strerror or error}") from error


@contextmanager
def strict_pillow() -> Iterator[None]:
    """Turn Pillow's decompression-bomb warning into an error, and silence its warnings about metadata."""
    from PIL import Image

    logger, silence = logging.getLogger("PIL"), logging.NullHandler()  # without a handler, Python prints the records
    logger.addHandler(silence)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="PIL")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    finally:
        logger.removeHandler(silence)

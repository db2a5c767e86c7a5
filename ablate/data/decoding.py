"""One image file -> one array of pixels."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ablate.data.types import Block, Labels, Pixels, shown
from ablate.errors import UserError

if TYPE_CHECKING:
    from PIL import Image

# Only decoders that parse pictures: Pillow's EPS reader, for one, would start another program.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
FILE_LIMIT = 256 * 2**20  # bytes in one file or archive member; the largest honest one, CIFAR-100's, has 155 MB


def decode(data: bytes, image_size: int, where: str) -> tuple[Pixels, str]:
    """Return the image in `data` as uint8 pixels, 3 x image_size x image_size, and the name of its format.

    Greyscale, palette and transparent images become RGB (transparency is dropped, 16-bit greyscale keeps its upper 8
    bits), of an animation the first picture counts, and orientation tags are not applied, as in torchvision. Other
    sizes are squeezed to the square with Pillow's BILINEAR filter, which averages over the source pixels when it
    shrinks; images that have the size are not touched.

    Raises:
        UserError: naming `where`, if this is not an image, or it is damaged or absurdly large.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return to_pixels(to_rgb(image), image_size), image.format or "unknown"
    except Exception as error:  # decoders raise nearly anything on damaged input
        if isinstance(error, UnidentifiedImageError):
            reason = f"is not an image in a known format ({', '.join(FORMATS)})"
        elif isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
            reason = f"claims more than {Image.MAX_IMAGE_PIXELS:,} pixels, which is refused"
        else:
            reason = f"is damaged or truncated ({shown(error) or type(error).__name__})"
        raise UserError(f"{shown(where)} {reason}: repair or remove it") from error


def to_rgb(image: Image.Image) -> Image.Image:
    """Return `image` in 8-bit RGB."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError("its pixels have 32 bits, 8 or 16 are expected")
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


def sliced(split: str, position: int, images: Pixels, labels: Labels, image_size: int) -> Iterator[Block]:
    """Yield images that are in memory, as `resize_all` takes them, in blocks of a thousand."""
    for start in range(0, len(labels), 1000):
        some = slice(start, start + 1000)
        yield Block(split, position + start, resize_all(images[some], image_size), labels[some], "lossless")


def read_image(path: Path, image_size: int) -> Pixels:
    """Return one image file as uint8 pixels, 3 x image_size x image_size, exactly as data sets are decoded."""
    with strict_pillow():
        return decode(read_file(path), image_size, str(path))[0]


def read_file(path: Path) -> bytes:
    """Return the content of a file.

    Raises:
        UserError: if it cannot be read, is no regular file or is too large to be an image.
    """
    try:
        if not path.is_file():
            raise UserError(f"{shown(path)} is {'not a file' if path.exists() else 'not there'}")
        if path.stat().st_size > FILE_LIMIT:
            raise UserError(f"{shown(path)} is larger than {FILE_LIMIT // 2**20} MiB, which no image here should be")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{shown(path)} cannot be read: {error.strerror or error}") from error


@contextmanager
def strict_pillow() -> Iterator[None]:
    """Turn Pillow's warning of a decompression bomb into an error and silence its remarks on odd metadata."""
    from PIL import Image

    logger, silence = logging.getLogger("PIL"), logging.NullHandler()  # else Python prints what nobody handles
    logger.addHandler(silence)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="PIL")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    finally:
        logger.removeHandler(silence)

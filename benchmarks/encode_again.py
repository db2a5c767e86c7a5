"""Encode JPEG images once more: python -m benchmarks.encode_again SOURCE TARGET.

Trainings on the images before and after show how much accuracy one more encoding costs, an estimate of what the first
one cost. The blocks of the second encoding are shifted by four pixels; otherwise it would hardly change anything.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console

SHIFT, QUALITY = 4, 75


def encode_again(source: Path, target: Path, path: Path) -> float:
    """Write the re-encoded image as PNG under `target`, and return the mean squared error of its pixels."""
    pixels = np.asarray(Image.open(path).convert("RGB"))
    height, width, _ = pixels.shape
    padded = np.pad(pixels, ((SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0)), mode="reflect")
    encoded = io.BytesIO()
    Image.fromarray(padded).save(encoded, "JPEG", quality=QUALITY)
    decoded = np.asarray(Image.open(encoded).convert("RGB"))[SHIFT : SHIFT + height, SHIFT : SHIFT + width]
    written = (target / path.relative_to(source)).with_suffix(".png")
    written.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(decoded).save(written, compress_level=1)
    return float(((pixels.astype(float) - decoded) ** 2).mean())


def main(arguments: Sequence[str] | None = None) -> None:
    """Encode all images of a folder again, and print the error."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.encode_again", description=__doc__)
    parser.add_argument("source", type=Path, help="folder of JPEG images")
    parser.add_argument("target", type=Path, help="new folder")
    given = parser.parse_args(arguments)
    images = sorted(given.source.rglob("*.jpg"))
    if not images:
        parser.error(f"No *.jpg in {given.source}")
    with ProcessPoolExecutor() as pool:
        errors = list(pool.map(partial(encode_again, given.source, given.target), images, chunksize=500))
    Console().print(f"{len(images):,} images, root mean squared error {np.sqrt(np.mean(errors)):.1f} of 255")


if __name__ == "__main__":
    main()

"""Writing a stream of images to `.npy` files, and what is then known of them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ablate.data.normalisation import measure, published
from ablate.data.types import SPLITS, Labels, Pixels, Stream

FORMAT = 1
FACTS = "dataset.json"
FILES = {f"{split}_{what}.npy" for split in SPLITS for what in ("images", "labels")}
CHANNELS = 3
CHUNK = 256  # images read at once for the fingerprint and the moments


class PixelFile:
    """A `.npy` file of uint8 images, n x 3 x H x W, written in any order.

    By plain writes: on a full disk these fail with an error, where a memory map would kill the process, and they count
    for nothing in its memory.
    """

    def __init__(self, file: BinaryIO, count: int, image_size: int) -> None:
        self.file = file
        self.shape = (count, CHANNELS, image_size, image_size)
        description = {"descr": "|u1", "fortran_order": False, "shape": self.shape}
        np.lib.format.write_array_header_1_0(file, description)
        self.start = file.tell()

    def put(self, position: int, pixels: Pixels) -> None:
        """Write images from `position` on."""
        self.file.seek(self.start + position * pixels[0].size)
        self.file.write(pixels.tobytes())

    def chunks(self) -> Iterator[Pixels]:
        """Yield the images in order, a few at a time."""
        self.file.flush()
        self.file.seek(self.start)
        size = CHUNK * int(np.prod(self.shape[1:]))
        while data := self.file.read(size):
            yield np.frombuffer(data, dtype=np.uint8).reshape(-1, *self.shape[1:])


def write_arrays(folder: Path, stream: Stream, image_size: int, report: Callable[[int, int], None]) -> None:
    """Write the images and labels of `stream` into `folder` and, last, the facts about them."""
    labels = {split: np.full(stream.counts[split], -1, dtype=np.int64) for split in SPLITS}
    with contextlib.ExitStack() as stack:
        files = {
            split: PixelFile(
                stack.enter_context((folder / f"{split}_images.npy").open("w+b")), stream.counts[split], image_size
            )
            for split in SPLITS
        }
        encodings = fill(files, labels, stream, report)
        facts = facts_of(files, labels, stream.classes) | {"encoding": ", ".join(sorted(encodings))}
        for file in files.values():
            settle(file.file)
    for split in SPLITS:
        with (folder / f"{split}_labels.npy").open("wb") as array:
            np.save(array, labels[split])
            settle(array)
    facts["sizes"] = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    with (folder / FACTS).open("w") as text:
        json.dump(facts, text, indent=1)
        settle(text)


def fill(
    files: dict[str, PixelFile], labels: dict[str, Labels], stream: Stream, report: Callable[[int, int], None]
) -> set[str]:
    """Put every block of `stream` at its place; return the encodings that were met."""
    encodings = set()
    done, told, total = 0, 0, sum(stream.counts.values())
    report(0, total)
    for split, position, pixels, block_labels, encoding in stream.blocks:
        files[split].put(position, pixels)
        labels[split][position : position + len(block_labels)] = block_labels
        encodings.add(encoding)
        done += len(block_labels)
        if done - told >= 100 or done == total:
            told = done
            report(done, total)
    assert all(bool((values >= 0).all()) for values in labels.values()), "a stream fills every position"
    return encodings


def facts_of(files: dict[str, PixelFile], labels: dict[str, Labels], classes: tuple[str, ...]) -> dict[str, Any]:
    """Return the fingerprint and the normalisation of what was written."""
    digest = hashlib.sha256(json.dumps(classes).encode())
    for split in SPLITS:
        digest.update(f"{split} {files[split].shape}".encode())
        for chunk in files[split].chunks():
            digest.update(chunk.data)
        digest.update(labels[split].astype("<i8").tobytes())
    known = published(classes)
    mean, std = known[1] if known else measure(files["train"].chunks())
    return {
        "format": FORMAT,
        "classes": classes,
        "counts": {split: len(labels[split]) for split in SPLITS},
        "mean": mean,
        "std": std,
        "fingerprint": digest.hexdigest()[:12],
    }


def settle(file: Any) -> None:
    """Bring a file to the disk, so that no rename overtakes its content."""
    file.flush()
    os.fsync(file.fileno())

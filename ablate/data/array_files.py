"""Write a stream of images to `.npy` files, with their metadata."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ablate.data.cifar_identity import recognise
from ablate.data.normalisation import PUBLISHED, measure
from ablate.data.splits import shared_note
from ablate.data.types import SPLITS, ImageStream, Labels, Pixels

FORMAT = 1
METADATA = "dataset.json"
ARRAY_FILES = {f"{split}_{part}.npy" for split in SPLITS for part in ("images", "labels")}
CHANNELS = 3
CHUNK = 256  # images per read when computing the fingerprint and the moments
REPORT_EVERY = 100  # images


class PixelFile:
    """A `.npy` file of uint8 images, n x 3 x H x W, written in any order.

    Uses plain writes instead of a memory map: on a full disk they raise an error, whereas writing to a map kills the
    process, and they do not count towards the process's memory.
    """

    def __init__(self, file: BinaryIO, count: int, image_size: int) -> None:
        self.file = file
        self.shape = (count, CHANNELS, image_size, image_size)
        header = {"descr": "|u1", "fortran_order": False, "shape": self.shape}
        np.lib.format.write_array_header_1_0(file, header)
        self.start = file.tell()

    def write(self, position: int, pixels: Pixels) -> None:
        """Write images from index `position` on."""
        self.file.seek(self.start + position * pixels[0].size)
        self.file.write(pixels.tobytes())

    def chunks(self) -> Iterator[Pixels]:
        """Yield the images in order, `CHUNK` at a time."""
        self.file.flush()
        self.file.seek(self.start)
        size = CHUNK * int(np.prod(self.shape[1:]))
        while data := self.file.read(size):
            yield np.frombuffer(data, dtype=np.uint8).reshape(-1, *self.shape[1:])


def write_arrays(folder: Path, stream: ImageStream, image_size: int, report: Callable[[int, int], None]) -> None:
    """Write the images and labels of `stream` into `folder` and, last, their metadata."""
    labels = {split: np.full(stream.counts[split], -1, dtype=np.int64) for split in SPLITS}
    with contextlib.ExitStack() as stack:
        files = {
            split: PixelFile(
                stack.enter_context((folder / f"{split}_images.npy").open("w+b")), stream.counts[split], image_size
            )
            for split in SPLITS
        }
        encodings = write_blocks(files, labels, stream, report)
        metadata = describe_arrays(files, labels, stream) | {"encoding": ", ".join(sorted(encodings))}
        for file in files.values():
            flush_to_disk(file.file)
    for split in SPLITS:
        with (folder / f"{split}_labels.npy").open("wb") as array:
            np.save(array, labels[split])
            flush_to_disk(array)
    metadata["sizes"] = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    with (folder / METADATA).open("w", encoding="utf-8") as text:
        json.dump(metadata, text, indent=1)
        flush_to_disk(text)


def write_blocks(
    files: dict[str, PixelFile], labels: dict[str, Labels], stream: ImageStream, report: Callable[[int, int], None]
) -> set[str]:
    """Write every block of `stream` at its position; return the encodings of the images."""
    encodings = set()
    done, reported, total = 0, 0, sum(stream.counts.values())
    report(0, total)
    for split, position, pixels, block_labels, encoding in stream.blocks:
        files[split].write(position, pixels)
        labels[split][position : position + len(block_labels)] = block_labels
        encodings.add(encoding)
        done += len(block_labels)
        if done - reported >= REPORT_EVERY or done == total:
            reported = done
            report(done, total)
    assert all(bool((values >= 0).all()) for values in labels.values()), "a stream covers every index"
    return encodings


def describe_arrays(files: dict[str, PixelFile], labels: dict[str, Labels], stream: ImageStream) -> dict[str, Any]:
    """Return the metadata of the written arrays: classes, counts, normalisation, fingerprint, well-known name, notes.

    The fingerprint covers the normalisation where the class names are CIFAR's and the images are not: earlier versions
    normalised such images as CIFAR's.
    """
    classes = stream.classes
    digest = hashlib.sha256(json.dumps(classes).encode())
    for split in SPLITS:
        digest.update(f"{split} {files[split].shape}".encode())
        for chunk in files[split].chunks():
            digest.update(chunk.data)
        digest.update(labels[split].astype("<i8").tobytes())
    published = stream.published or recognise(classes, labels, lambda split: files[split].chunks())
    mean, std = PUBLISHED[classes][1] if published else measure(files["train"].chunks())
    if classes in PUBLISHED and not published:
        digest.update(f"normalisation {mean} {std}".encode())
    return {
        "format": FORMAT,
        "classes": classes,
        "counts": {split: len(labels[split]) for split in SPLITS},
        "mean": mean,
        "std": std,
        "fingerprint": digest.hexdigest()[:12],
        "published": published,
        "notes": [*stream.notes, *filter(None, [shared_note(files["train"].chunks(), files["test"].chunks())])],
    }


def flush_to_disk(file: Any) -> None:
    """Flush a file to the disk, so that its content is there before the folder is renamed."""
    file.flush()
    os.fsync(file.fileno())

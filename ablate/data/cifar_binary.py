"""Read CIFAR-10 and CIFAR-100 in their binary format: records of label bytes and 3,072 bytes of pixels."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from ablate.data.cifar_batches import SIZES
from ablate.data.decoding import array_blocks
from ablate.data.normalisation import CIFAR10, CIFAR100
from ablate.data.source_files import SourceFiles
from ablate.data.types import ImageBlock, ImageStream
from ablate.errors import UserError
from ablate.wording import listed

PIXELS = 3 * 32 * 32
LABEL_BYTES = {"cifar10": 1, "cifar100": 2}  # CIFAR-100: the coarse, then the fine label
CLASSES = {"cifar10": CIFAR10, "cifar100": CIFAR100}
FILES: dict[str, dict[str, tuple[str, ...]]] = {
    "cifar10": {"train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)), "test": ("test_batch.bin",)},
    "cifar100": {"train": ("train.bin",), "test": ("test.bin",)},
}
MARKS = {"cifar10": FILES["cifar10"]["train"] + FILES["cifar10"]["test"], "cifar100": ("fine_label_names.txt",)}
"""Files by any of which the folder is recognised."""


@dataclass(frozen=True)
class BinaryBatches:
    """The name of a CIFAR set and the path of its binary files, which ends in "/" or is ""."""

    name: str
    folder: str


def find_binary(names: Iterable[str]) -> BinaryBatches | None:
    """Return the binary batches among the names of files, or None."""
    known = set(names)
    for path in sorted(known):
        folder, slash, file = path.rpartition("/")
        for name, marks in MARKS.items():
            files = (*FILES[name]["train"], *FILES[name]["test"])
            if file in marks and any(f"{folder}{slash}{batch}" in known for batch in files):
                return BinaryBatches(name, folder + slash)
    return None


def read_binary(batches: BinaryBatches, files: SourceFiles, image_size: int) -> ImageStream:
    """Return the images of binary batches.

    Raises:
        UserError: if a file is missing, has another number of images than the published one or a label out of range.
    """
    slots = {
        batches.folder + file: (split, number * SIZES[split] // len(parts), SIZES[split] // len(parts))
        for split, parts in FILES[batches.name].items()
        for number, file in enumerate(parts)
    }
    if missing := sorted(slots.keys() - set(files.names)):
        raise UserError(f"{files.where} has no {listed(missing)}. Download the data set again")
    width, classes = LABEL_BYTES[batches.name], CLASSES[batches.name]

    def blocks() -> Generator[ImageBlock, None, None]:
        with closing(files.contents(slots)) as found:
            for name, content in found:
                split, position, rows = slots[name]
                if len(content) != rows * (width + PIXELS):
                    raise UserError(f"{files.label(name)} does not have {rows:,} images. Download the data set again")
                records = np.frombuffer(content, dtype=np.uint8).reshape(rows, width + PIXELS)
                labels = records[:, width - 1].astype(np.int64)
                if labels.max() >= len(classes):
                    raise UserError(f"{files.label(name)} has the label {labels.max()}. Download the data set again")
                yield from array_blocks(split, position, records[:, width:].reshape(-1, 3, 32, 32), labels, image_size)

    return ImageStream(classes, dict(SIZES), blocks())

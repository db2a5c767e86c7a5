"""Read CIFAR-10 and CIFAR-100 in their published format: pickled batches, verified by MD5 checksums."""

from __future__ import annotations

import contextlib
import hashlib
import pickle
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ablate.data.decoding import array_blocks
from ablate.data.normalisation import CIFAR10, CIFAR100
from ablate.data.source_files import SourceFiles
from ablate.data.types import ImageBlock, ImageStream
from ablate.errors import UserError

SIZES = {"train": 50_000, "test": 10_000}  # of either set
FOLDERS = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}


@dataclass(frozen=True)
class BatchFiles:
    """The files of a CIFAR set: `parts` are (split, file, md5), with the same number of images within a split."""

    name: str
    folder: str
    classes: tuple[str, ...]
    label_key: str
    parts: tuple[tuple[str, str, str], ...]

    def rows(self, split: str) -> int:
        """Return the number of images in each file of `split`."""
        return SIZES[split] // sum(part[0] == split for part in self.parts)


def batch_files(name: str) -> BatchFiles:
    """Return the files of "cifar10" or "cifar100", with torchvision's checksums."""
    from torchvision import datasets

    published, classes, label_key = {
        "cifar10": (datasets.CIFAR10, CIFAR10, "labels"),
        "cifar100": (datasets.CIFAR100, CIFAR100, "fine_labels"),
    }[name]
    train = tuple(("train", file, md5) for file, md5 in published.train_list)
    test = tuple(("test", file, md5) for file, md5 in published.test_list)
    return BatchFiles(name, FOLDERS[name], classes, label_key, train + test)


def find_batches(path: Path) -> tuple[str, Path] | None:
    """Return the CIFAR set's name and the folder of its batches if `path` is or contains one."""
    for name, folder in FOLDERS.items():
        for candidate in (path, path / folder):
            if candidate.absolute().name == folder and candidate.is_dir():
                return name, candidate
    return None


def find_batches_in(names: Iterable[str]) -> tuple[str, str] | None:
    """Return the CIFAR set's name and the path of its folder, which ends in "/", if it is among these names."""
    found = set()
    for path in names:
        for name, folder in FOLDERS.items():
            start = f"/{path}".find(f"/{folder}/")
            if start >= 0:
                found.add((name, path[: start + len(folder) + 1]))
    return min(found, default=None)


def read_batches(batches: BatchFiles, files: SourceFiles, folder: str, image_size: int) -> ImageStream:
    """Return the images of the batch files in `folder`, which ends in "/" or is "".

    Unpickling can run code, so each file's checksum is verified first: only the published content is loaded.

    Raises:
        UserError: during iteration over the blocks, if a file is missing or its checksum differs.
    """
    slots, counts = {}, {"train": 0, "test": 0}
    for split, file, md5 in batches.parts:
        slots[folder + file] = (split, counts[split], md5)
        counts[split] += batches.rows(split)

    def blocks() -> Generator[ImageBlock, None, None]:
        missing = set(slots)
        with contextlib.closing(files.contents(slots)) as found:
            for name, content in found:
                split, position, md5 = slots[name]
                file = name.removeprefix(folder)
                if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
                    raise UserError(
                        f"Checksum mismatch in {files.where}: {file} differs from the published file. Download it again"
                    )
                batch = pickle.loads(content, encoding="latin1")  # noqa: S301  # the checksum proves that it is CIFAR's own
                labels = np.asarray(batch[batches.label_key], dtype=np.int64)
                missing.discard(name)
                yield from array_blocks(split, position, batch["data"].reshape(-1, 3, 32, 32), labels, image_size)
        if missing:
            names = ", ".join(name.removeprefix(folder) for name in sorted(missing))
            raise UserError(f"{files.where} has no {names}. Download the data set again")

    return ImageStream(batches.classes, counts, blocks(), published=batches.name)

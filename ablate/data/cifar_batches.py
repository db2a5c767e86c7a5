"""CIFAR-10 and CIFAR-100 as their authors publish them and torchvision keeps them: pickled batches, checked by md5."""

from __future__ import annotations

import contextlib
import hashlib
import pickle
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from ablate.data.archives import members
from ablate.data.decoding import read_file, sliced
from ablate.data.normalisation import CIFAR10, CIFAR100
from ablate.data.types import Block, Stream, shown
from ablate.errors import UserError

SIZES = {"train": 50_000, "test": 10_000}  # of either set
FOLDERS = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}


@dataclass(frozen=True)
class Batches:
    """How a CIFAR set is laid out: `parts` are (split, file, md5), equally large within a split."""

    folder: str
    classes: tuple[str, ...]
    label_key: str
    parts: tuple[tuple[str, str, str], ...]

    def rows(self, split: str) -> int:
        """Return how many images each file of `split` holds."""
        return SIZES[split] // sum(part[0] == split for part in self.parts)


def batches_of(name: str) -> Batches:
    """Return the layout of "cifar10" or "cifar100", with torchvision's checksums."""
    from torchvision import datasets

    published, classes, label_key = {
        "cifar10": (datasets.CIFAR10, CIFAR10, "labels"),
        "cifar100": (datasets.CIFAR100, CIFAR100, "fine_labels"),
    }[name]
    train = tuple(("train", file, md5) for file, md5 in published.train_list)
    test = tuple(("test", file, md5) for file, md5 in published.test_list)
    return Batches(FOLDERS[name], classes, label_key, train + test)


def find_batches(path: Path) -> tuple[str, Path] | None:
    """Return the CIFAR set's name and the folder of its batches if `path` is or holds one."""
    for name, folder in FOLDERS.items():
        for candidate in (path, path / folder):
            if candidate.absolute().name == folder and candidate.is_dir():
                return name, candidate
    return None


def find_batches_in(names: Iterable[str]) -> str | None:
    """Return the CIFAR set's name if these names of an archive's members hold its folder."""
    folders = {part for name in names for part in PurePosixPath(name).parts[:2]}
    return next((name for name, folder in FOLDERS.items() if folder in folders), None)


def read_batches_folder(layout: Batches, folder: Path, image_size: int) -> Stream:
    """Return the images in a folder of batches."""
    files = ((file, read_file(folder / file)) for _, file, _ in layout.parts)
    return read_batches(layout, files, image_size, shown(folder))


def read_batches_archive(layout: Batches, path: Path, image_size: int) -> Stream:
    """Return the images in an archive of such a folder, which is what torchvision downloads."""
    wanted = {file for _, file, _ in layout.parts}

    def files() -> Generator[tuple[str, bytes], None, None]:
        with contextlib.closing(members(path)) as found:
            for member in found:
                name = PurePosixPath(member.name)
                if name.parent.name == layout.folder and name.name in wanted:
                    yield name.name, member.read()

    return read_batches(layout, files(), image_size, shown(path))


def read_batches(
    layout: Batches, files: Generator[tuple[str, bytes], None, None], image_size: int, where: str
) -> Stream:
    """Return the images of batch files that come in any order.

    A pickle is code. So each file's checksum is compared before it is loaded: only the published content is.

    Raises:
        UserError: while the images are drawn, if a file is missing or is not the published one.
    """
    places, counts = {}, {"train": 0, "test": 0}
    for split, file, md5 in layout.parts:
        places[file] = (split, counts[split], md5)
        counts[split] += layout.rows(split)

    def blocks() -> Generator[Block, None, None]:
        missing = set(places)
        with contextlib.closing(files):
            for file, content in files:
                split, position, md5 = places[file]
                if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
                    raise UserError(f"{where}: {file} does not have the checksum of the published file; get it again")
                batch = pickle.loads(content, encoding="latin1")  # noqa: S301  # the checksum says that it is CIFAR's own
                labels = np.asarray(batch[layout.label_key], dtype=np.int64)
                missing.discard(file)
                yield from sliced(split, position, batch["data"].reshape(-1, 3, 32, 32), labels, image_size)
        if missing:
            raise UserError(f"{where} has no {', '.join(sorted(missing))}; get the whole data set again")

    return Stream(layout.classes, counts, blocks())

"""What the rest of the package knows of data: a source, a data set and its two splits."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Progress = Callable[[str, int, int], None]  # what, done, total (0 if not known)

SPLITS = ("train", "test")


@dataclass(frozen=True)
class Source:
    """Where a data set comes from: all that a worker needs to find it again.

    `folder` wins over `dataset` where it is given. It names a CIFAR folder as torchvision leaves it, an image folder
    (`train/<class>/*` and `test/<class>/*`), or a `.tgz`, `.tar.gz`, `.tar` or `.zip` of either.
    """

    dataset: str = "cifar10"
    folder: Path | None = None


@dataclass(frozen=True)
class Split:
    """One part of a data set.

    `images` is uint8, N x C x H x W, C-contiguous and memory-mapped; what is written to it stays in this
    process (torch takes no read-only arrays). `labels` is int64, N.
    """

    images: Pixels
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """A decoded data set, its pixels on disk.

    `mean` and `std` are per channel, of pixels scaled to [0, 1]. `fingerprint` is 12 hexadecimal digits of the sha256
    of pixels, labels and class names, so that an archive and the folder made from it agree. (A decoder may round
    JPEG differently on another platform; the fingerprint tells, since it is of what was decoded.) `origin` says in
    words where the images came from, `encoding` how they were stored there, `cache` where the arrays lie.
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    test: Split
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fingerprint: str
    origin: str
    encoding: str
    cache: Path


class Block(NamedTuple):
    """Decoded images that lie next to each other in one split, the first at `position`."""

    split: str
    position: int
    pixels: Pixels  # n x 3 x H x W
    labels: Labels  # n
    encoding: str


@dataclass(frozen=True)
class Stream:
    """The images of a source on their way to the cache: `counts` per split, every position once, in any order."""

    classes: tuple[str, ...]
    counts: Mapping[str, int]
    blocks: Generator[Block, None, None]


@dataclass(frozen=True)
class Origin:
    """A source that was found: how its content is named in the cache, and how to read it if it is not there.

    `key` changes when the content does; `read` takes the image size and a progress callback.
    """

    key: str
    name: str
    text: str
    read: Callable[[int, Progress | None], Stream]


def shown(name: object) -> str:
    """Return a file's or member's name as it may stand in a one-line message."""
    text = str(name)
    return text if text.isprintable() else ascii(text)

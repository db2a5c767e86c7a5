"""Types of this package: image sources, data sets and their splits, and the stream of images between them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

SPLITS = ("train", "test")


class DataProgress(Protocol):
    """Observer of downloads and decoding."""

    def __call__(self, activity: str, done: int, total: int, /) -> None:
        """Record that `done` of `total` units of an activity are finished; a total of 0 is unknown."""


@dataclass(frozen=True)
class ImageSource:
    """Where a data set comes from; a worker process can open the data set from it.

    `folder` takes precedence over `dataset`. It is an image folder (`train/<class>/*` and `test/<class>/*`, or another
    layout of docs/data.md), CIFAR's batches, Hugging Face's Parquet files, or a tar or zip archive. `splits` names the
    folders of its splits: `train=A,test=B`; if it is empty, they are found by their names.
    """

    dataset: str = "cifar10"
    folder: Path | None = None
    splits: str = ""


@dataclass(frozen=True)
class Split:
    """One split of a data set.

    `images` is uint8, N x C x H x W, C-contiguous and memory-mapped copy-on-write: changes stay in this process (torch
    rejects read-only arrays). `labels` is int64, N.
    """

    images: Pixels
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """A decoded data set, with its pixels on disk.

    `mean` and `std` are per channel, of pixels scaled to [0, 1]. `fingerprint` is the first 12 hexadecimal digits of
    the SHA-256 of pixels, labels and class names, so an archive and the folder made from it have the same one. It is
    computed from the decoded pixels: a JPEG decoder that rounds differently on another platform changes it. `origin`
    describes where the images came from, `encoding` their file format there, `cache` is the folder of the arrays.
    `notes` state how a source was read whose layout leaves a choice: the folders used, the images held out for testing,
    the files skipped.
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
    notes: tuple[str, ...] = ()


class ImageBlock(NamedTuple):
    """Decoded images that are adjacent in one split; `position` is the index of the first."""

    split: str
    position: int
    pixels: Pixels  # n x 3 x H x W
    labels: Labels  # n
    encoding: str


@dataclass(frozen=True)
class ImageStream:
    """The images of a source while they are decoded.

    `counts` is the number of images per split; `blocks` covers every index exactly once, in any order. `published` is
    the name of the well-known data set that the source is by its checksums, `notes` are those of the data set.
    """

    classes: tuple[str, ...]
    counts: Mapping[str, int]
    blocks: Generator[ImageBlock, None, None]
    published: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class LocatedSource:
    """A source that exists: the key of its content in the cache, and a function that decodes it.

    `key` changes when the content does. `read` takes the image size and the progress observer.
    """

    key: str
    name: str
    description: str
    read: Callable[[int, DataProgress | None], ImageStream]


def printable(name: object) -> str:
    """Return the name of a file or archive member in a form that fits a one-line message."""
    text = str(name)
    return text if text.isprintable() else ascii(text)

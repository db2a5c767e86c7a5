"""Open an image source as a data set."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np

from ablate.data.archives import SUFFIXES, members, read_archive
from ablate.data.cache import cached_arrays, remembered_digest
from ablate.data.cifar_batches import (
    batch_files,
    find_batches,
    find_batches_in,
    read_batches_archive,
    read_batches_folder,
)
from ablate.data.image_folders import list_files, list_folder, read_folder
from ablate.data.named_datasets import locate_named
from ablate.data.normalisation import published
from ablate.data.types import (
    SPLITS,
    DataProgress,
    Dataset,
    ImageBlock,
    ImageSource,
    ImageStream,
    LocatedSource,
    Split,
    printable,
)
from ablate.errors import UsageError, UserError


def open_dataset(source: ImageSource, image_size: int = 32, progress: DataProgress | None = None) -> Dataset:
    """Return the data set of `source`, with images of `image_size`; the first call decodes it into the cache.

    A named data set is downloaded if it is not in the cache. A folder is decoded again if a name, size or modification
    time in it changes, an archive if its content changes.

    Raises:
        UsageError: if the data set is unknown, or `image_size` is not a multiple of 8 (the network halves it 3 times).
        UserError: if the images are missing or damaged, or the cache is not writable.
    """
    if image_size < 8 or image_size % 8:
        raise UsageError(f"image_size must be a multiple of 8, not {image_size}")
    located = locate(source)
    entry, metadata = cached_arrays(located, image_size, progress)
    train, test = (
        Split(np.load(entry / f"{split}_images.npy", mmap_mode="c"), np.load(entry / f"{split}_labels.npy"))
        for split in SPLITS
    )
    classes = tuple(metadata["classes"])
    known = published(classes)
    return Dataset(
        name=known[0] if known else located.name,
        classes=classes,
        train=train,
        test=test,
        mean=tuple(metadata["mean"]),
        std=tuple(metadata["std"]),
        fingerprint=metadata["fingerprint"],
        origin=located.description,
        encoding=metadata["encoding"],
        cache=entry,
    )


def fetch(name: str, image_size: int = 32, progress: DataProgress | None = None) -> Dataset:
    """Download and decode a named data set, for later use without a network."""
    return open_dataset(ImageSource(name), image_size, progress)


def describe(dataset: Dataset) -> dict[str, Any]:
    """Return the properties of a data set as plain data."""
    return {
        "name": dataset.name,
        "classes": list(dataset.classes),
        "train_images": len(dataset.train),
        "test_images": len(dataset.test),
        "image_size": dataset.train.images.shape[-1],
        "mean": list(dataset.mean),
        "std": list(dataset.std),
        "fingerprint": dataset.fingerprint,
        "origin": dataset.origin,
        "encoding": dataset.encoding,
        "cache": str(dataset.cache),
        "bytes": sum(path.stat().st_size for path in dataset.cache.iterdir()),
    }


def locate(source: ImageSource) -> LocatedSource:
    """Return a source with the key of its content, without decoding it."""
    if source.folder is None:
        return locate_named(source.dataset)
    path = Path(source.folder).expanduser()
    try:
        if path.is_dir():
            return locate_folder(path)
        if path.is_file():
            return locate_archive(path)
        exists = path.exists()
    except OSError as error:
        raise UserError(f"Cannot read {printable(path)}: {error.strerror or error}") from error
    raise UserError(f"{printable(path)} {'is neither a folder nor a file' if exists else 'does not exist'}")


def locate_folder(path: Path) -> LocatedSource:
    """Return the source for a CIFAR folder or an image folder."""
    found = find_batches(path)
    listing = list_folder(path) if found is None else list_files(found[1])

    def read(image_size: int, _progress: DataProgress | None) -> ImageStream:
        if found is not None:
            return read_batches_folder(batch_files(found[0]), found[1], image_size)
        return read_folder(listing, image_size)

    return LocatedSource(listing.key, path.resolve().name, str(path), read)


def locate_archive(path: Path) -> LocatedSource:
    """Return the source for an archive."""
    key = remembered_digest(path, file_digest)

    def read(image_size: int, _progress: DataProgress | None) -> ImageStream:
        names = [member.name for member in members(path)]  # read all names first, to reject a bad archive early
        cifar = find_batches_in(names)
        if cifar is None:
            return check_unchanged(read_archive(path, names, image_size), path, key)
        return check_unchanged(read_batches_archive(batch_files(cifar), path, image_size), path, key)

    suffix = next((suffix for suffix in SUFFIXES if path.name.endswith(suffix)), "")
    return LocatedSource(key, path.name.removesuffix(suffix), str(path), read)


def check_unchanged(stream: ImageStream, path: Path, key: str) -> ImageStream:
    """Return `stream`, extended to raise UserError at its end if the digest of the file at `path` is not `key`."""

    def blocks() -> Generator[ImageBlock, None, None]:
        yield from stream.blocks
        if remembered_digest(path, file_digest) != key:
            raise UserError(f"{printable(path)} changed while it was read. Try again")

    return dataclasses.replace(stream, blocks=blocks())


def file_digest(path: Path) -> str:
    """Return 20 hexadecimal digits of the SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:20]

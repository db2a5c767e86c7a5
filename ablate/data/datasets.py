"""From a source to a data set."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np

from ablate.data.archives import SUFFIXES, members, read_archive
from ablate.data.cache import content_key, obtain
from ablate.data.cifar_batches import (
    batches_of,
    find_batches,
    find_batches_in,
    read_batches_archive,
    read_batches_folder,
)
from ablate.data.image_folders import list_files, list_folder, read_folder
from ablate.data.named_datasets import find_named
from ablate.data.normalisation import published
from ablate.data.types import SPLITS, Block, Dataset, Origin, Progress, Source, Split, Stream, shown
from ablate.errors import UsageError, UserError


def open_dataset(source: Source, image_size: int = 32, progress: Progress | None = None) -> Dataset:
    """Return the data set of `source` with images of `image_size`, decoded to the cache by the first who asks.

    A set of the catalogue that is not there is downloaded. A folder is decoded anew when a name, size or time of change
    in it differs, an archive when its content does.

    Raises:
        UsageError: if the data set is unknown, or `image_size` is no multiple of 8 (the network halves it three times).
        UserError: if the images are missing or broken, or the cache cannot be written.
    """
    if image_size < 8 or image_size % 8:
        raise UsageError(f"image_size is {image_size}; it must be a multiple of 8, at least 8")
    origin = find(source)
    entry, facts = obtain(origin, image_size, progress)
    train, test = (
        Split(np.load(entry / f"{split}_images.npy", mmap_mode="c"), np.load(entry / f"{split}_labels.npy"))
        for split in SPLITS
    )
    classes = tuple(facts["classes"])
    known = published(classes)
    return Dataset(
        name=known[0] if known else origin.name,
        classes=classes,
        train=train,
        test=test,
        mean=tuple(facts["mean"]),
        std=tuple(facts["std"]),
        fingerprint=facts["fingerprint"],
        origin=origin.text,
        encoding=facts["encoding"],
        cache=entry,
    )


def fetch(name: str, image_size: int = 32, progress: Progress | None = None) -> Dataset:
    """Download and decode a data set of the catalogue, so that it is there when the network is not."""
    return open_dataset(Source(name), image_size, progress)


def describe(dataset: Dataset) -> dict[str, Any]:
    """Return plain facts about a data set."""
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


def find(source: Source) -> Origin:
    """Return the origin of a source, its content named but not yet decoded."""
    if source.folder is None:
        return find_named(source.dataset)
    path = Path(source.folder).expanduser()
    try:
        if path.is_dir():
            return find_folder(path)
        if path.is_file():
            return find_archive(path)
        exists = path.exists()
    except OSError as error:
        raise UserError(f"{shown(path)} cannot be read: {error.strerror or error}") from error
    raise UserError(f"{shown(path)} is neither a folder nor a file" if exists else f"{shown(path)} does not exist")


def find_folder(path: Path) -> Origin:
    """Return the origin of a CIFAR folder or an image folder."""
    found = find_batches(path)
    listing = list_folder(path) if found is None else list_files(found[1])

    def read(image_size: int, _progress: Progress | None) -> Stream:
        if found is not None:
            return read_batches_folder(batches_of(found[0]), found[1], image_size)
        return read_folder(listing, image_size)

    return Origin(listing.key, path.resolve().name, str(path), read)


def find_archive(path: Path) -> Origin:
    """Return the origin of an archive."""
    key = content_key(path, digest)

    def read(image_size: int, _progress: Progress | None) -> Stream:
        names = [member.name for member in members(path)]  # all of them first, so that a bad one is refused at once
        cifar = find_batches_in(names)
        if cifar is None:
            return unchanged(read_archive(path, names, image_size), path, key)
        return unchanged(read_batches_archive(batches_of(cifar), path, image_size), path, key)

    suffix = next((suffix for suffix in SUFFIXES if path.name.endswith(suffix)), "")
    return Origin(key, path.name.removesuffix(suffix), str(path), read)


def unchanged(stream: Stream, path: Path, key: str) -> Stream:
    """Return `stream`, which ends in an error if the file at `path` is no longer the one that `key` names."""

    def blocks() -> Generator[Block, None, None]:
        yield from stream.blocks
        if content_key(path, digest) != key:
            raise UserError(f"{shown(path)} changed while it was read; try again")

    return dataclasses.replace(stream, blocks=blocks())


def digest(path: Path) -> str:
    """Return a name for the content of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:20]

"""Open an image source as a data set."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np

from ablate.data.archives import SUFFIXES
from ablate.data.cache import cached_arrays, remembered_digest
from ablate.data.cifar_batches import batch_files, find_batches, find_batches_in, read_batches
from ablate.data.cifar_binary import find_binary, read_binary
from ablate.data.cifar_identity import FINGERPRINTS, recognise
from ablate.data.file_types import IMAGE_SUFFIXES, suffix_of
from ablate.data.image_folders import read_images
from ablate.data.named_datasets import locate_named
from ablate.data.normalisation import PUBLISHED
from ablate.data.parquet_files import read_parquet
from ablate.data.source_files import ArchiveFiles, FolderFiles, list_all, list_files, list_plain
from ablate.data.split_names import parse_splits
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

CHUNKS = 200  # into which the images of an old cache entry are divided to recognise them
PARQUET = ".parquet"


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
    splits = {"train": train, "test": test}
    return Dataset(
        name=published_name(metadata, classes, splits) or located.name,
        classes=classes,
        train=train,
        test=test,
        mean=tuple(metadata["mean"]),
        std=tuple(metadata["std"]),
        fingerprint=metadata["fingerprint"],
        origin=located.description,
        encoding=metadata["encoding"],
        cache=entry,
        notes=tuple(metadata.get("notes", ())),
    )


def published_name(metadata: dict[str, Any], classes: tuple[str, ...], splits: dict[str, Split]) -> str:
    """Return the name of the well-known data set that a cache entry has, or "". Entries of earlier versions lack it."""
    if "published" in metadata or classes not in PUBLISHED:
        return str(metadata.get("published", ""))
    known = FINGERPRINTS.get(metadata["fingerprint"])
    labels = {split: part.labels for split, part in splits.items()}
    return known or recognise(classes, labels, lambda split: np.array_split(splits[split].images, CHUNKS))


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
        "notes": list(dataset.notes),
        "cache": str(dataset.cache),
        "bytes": sum(path.stat().st_size for path in dataset.cache.iterdir()),
    }


def locate(source: ImageSource) -> LocatedSource:
    """Return a source with the key of its content, without decoding it."""
    if source.folder is None:
        if source.splits:
            raise UsageError(f"--splits needs --data-dir PATH: {source.dataset} has its own splits")
        return locate_named(source.dataset)
    if source.splits:
        parse_splits(source.splits)
    path = Path(source.folder).expanduser()
    try:
        if path.is_dir():
            return locate_folder(path, source.splits)
        if path.is_file():
            return locate_file(path, source.splits)
        exists = path.exists()
    except OSError as error:
        raise UserError(f"Cannot read {printable(path)}: {error.strerror or error}") from error
    raise UserError(f"{printable(path)} {'is neither a folder nor a file' if exists else 'does not exist'}")


def locate_folder(path: Path, splits: str) -> LocatedSource:
    """Return the source for a folder: CIFAR's batches, images or Parquet files."""
    batches = find_batches(path)
    plain = list_plain(path) if batches is None and not splits else None
    if batches is not None:
        files = list_files(batches[1])
    else:
        files = plain if plain is not None and plain.has_class_folders else list_all(path)

    def read(image_size: int, _progress: DataProgress | None) -> ImageStream:
        if batches is not None:
            refuse_splits(splits, path)
            return read_batches(batch_files(batches[0]), files, "", image_size)
        return read_files(files, image_size, splits)

    return LocatedSource(key_of(files.key, splits), path.resolve().name, str(path), read)


def locate_file(path: Path, splits: str) -> LocatedSource:
    """Return the source for an archive or a Parquet file."""
    digest = remembered_digest(path, file_digest)
    is_parquet = path.suffix.lower() == PARQUET

    def read(image_size: int, _progress: DataProgress | None) -> ImageStream:
        if is_parquet:
            stream = read_parquet([path], path.parent, image_size, splits)
        else:
            stream = read_files(ArchiveFiles.of(path), image_size, splits)
        return check_unchanged(stream, path, digest)

    suffix = next((suffix for suffix in (*SUFFIXES, PARQUET) if path.name.endswith(suffix)), "")
    return LocatedSource(key_of(digest, splits), path.name.removesuffix(suffix), str(path), read)


def key_of(content: str, splits: str) -> str:
    """Return the cache key of a content that is read with `--splits`."""
    return f"{content}-{hashlib.sha256(splits.encode()).hexdigest()[:8]}" if splits else content


def read_files(files: ArchiveFiles | FolderFiles, image_size: int, splits: str) -> ImageStream:
    """Return the images in a folder or archive, in the first format that it has: batches, image files, Parquet."""
    batches, binary = find_batches_in(files.names), find_binary(files.names)
    if batches is not None or binary is not None:
        refuse_splits(splits, files.where)
    if batches is not None:
        return read_batches(batch_files(batches[0]), files, batches[1], image_size)
    if binary is not None:
        return read_binary(binary, files, image_size)
    tables = [name for name in files.names if suffix_of(name) == PARQUET]
    if not tables or any(suffix_of(name) in IMAGE_SUFFIXES for name in files.names):
        return read_images(files, image_size, splits)
    if isinstance(files, ArchiveFiles):
        raise UserError(f"{files.where} has Parquet files. Unpack it and pass the folder")
    return read_parquet([files.top / name for name in tables], files.top, image_size, splits)


def refuse_splits(splits: str, where: object) -> None:
    """Raise UsageError for `--splits` with a format that has its own splits."""
    if splits:
        raise UsageError(f"--splits does not apply to {printable(where)}: CIFAR's batches have their own splits")


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

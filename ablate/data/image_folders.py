"""Index and read image folders: `train/<class>/*` and `test/<class>/*`, on disk or as the members of an archive."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from ablate.data.decoding import decode, read_file
from ablate.data.types import SPLITS, ImageBlock, ImageStream, printable
from ablate.errors import UserError

EXPECTED = "Expected train/<class>/* and test/<class>/*"
IGNORED_NAMES = frozenset({"Thumbs.db", "desktop.ini", "__MACOSX"})
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})


class ImageSlot(NamedTuple):
    """The split, index and label of an image."""

    split: str
    position: int
    label: int


@dataclass(frozen=True)
class ImageIndex:
    """The classes of an image folder and, by file name, the slot of every image."""

    classes: tuple[str, ...]
    slots: Mapping[str, ImageSlot]

    @property
    def counts(self) -> dict[str, int]:
        """Number of images per split."""
        found = Counter(slot.split for slot in self.slots.values())
        return {split: found[split] for split in SPLITS}


def is_ignored(part: str) -> bool:
    """Return whether a file or folder of this name is hidden or made by the operating system."""
    return part.startswith(".") or part in IGNORED_NAMES


def index_images(names: Iterable[str], where: str) -> ImageIndex:
    """Return the index of an image folder from the relative names in it (folders end in "/").

    The `train` and `test` folders may be up to two levels deep, but must be in one parent folder. Classes are numbered
    in the order of their names, images in the order of class and file name. Hidden files, files made by the operating
    system, and files that are not images outside the class folders are ignored.

    Raises:
        UserError: if this is not an image folder, or if a class has no images or is missing from one split.
    """
    files: dict[str, dict[str, list[str]]] = {split: {} for split in SPLITS}
    paths = {name: PurePosixPath(name).parts for name in names}
    paths = {name: parts for name, parts in paths.items() if not any(is_ignored(part) for part in parts)}
    top = find_top((parts if name.endswith("/") else parts[:-1] for name, parts in paths.items()), where)
    for name, parts in paths.items():
        if parts[: len(top)] != top or len(parts) == len(top) or parts[len(top)] not in SPLITS:
            continue
        split, *rest = parts[len(top) :]
        check_depth(name, rest, where)
        if len(rest) >= 1 and (name.endswith("/") or len(rest) == 2):
            found = files[split].setdefault(rest[0], [])
            if len(rest) == 2:
                found.append(name)
    check_classes(files, where)
    classes = tuple(sorted(files["train"]))
    return ImageIndex(classes, number_images(files, classes))


def find_top(folders: Iterable[tuple[str, ...]], where: str) -> tuple[str, ...]:
    """Return the folder, as path parts, that contains `train` and `test`."""
    tops: dict[tuple[str, ...], set[str]] = {}
    for parts in folders:
        depth = next((depth for depth, part in enumerate(parts[:3]) if part in SPLITS), None)
        if depth is not None:
            tops.setdefault(parts[:depth], set()).add(parts[depth])
    if not tops:
        raise UserError(f"{where} has neither a train nor a test folder. {EXPECTED}")
    complete = [top for top, splits in tops.items() if len(splits) == len(SPLITS)]
    if len(complete) > 1:
        example = printable("/".join(complete[0]))
        raise UserError(f"{where} has {len(complete)} image folders, {example} among them. Pass one of them")
    if not complete:
        (missing,) = set(SPLITS) - next(iter(tops.values()))
        raise UserError(f"{where} has no {missing} folder. {EXPECTED}")
    return complete[0]


def check_depth(name: str, rest: list[str], where: str) -> None:
    """Raise UserError for a file that is too deep or an image that is not in a class folder.

    `rest` is the part of the name below the split's folder.
    """
    if len(rest) > 2 or (len(rest) == 2 and name.endswith("/")):
        problem = "is below a class folder"
    elif len(rest) == 1 and not name.endswith("/") and PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES:
        problem = "is an image outside the class folders"
    else:
        return
    raise UserError(f"Invalid image folder {where}: {printable(name)} {problem}. {EXPECTED}")


def check_classes(files: Mapping[str, Mapping[str, list[str]]], where: str) -> None:
    """Raise UserError for splits with different classes, empty classes and names that cannot be printed."""
    for split, other in (SPLITS, SPLITS[::-1]):
        if not files[split]:
            raise UserError(f"{where} has no class folders in {split}. {EXPECTED}")
        for name in sorted(files[split]):
            if not name.isprintable():
                problem = f"class name {printable(name)} has unprintable characters. Rename the class"
            elif name not in files[other]:
                problem = f"class {name} is in {split} but not in {other}. Both splits need the same classes"
            elif not files[split][name]:
                problem = f"class {name} has no images in {split}. Add some or remove the class"
            else:
                continue
            raise UserError(f"Invalid image folder {where}: {problem}")


def number_images(files: Mapping[str, Mapping[str, list[str]]], classes: tuple[str, ...]) -> dict[str, ImageSlot]:
    """Return the slots of the files of each split, numbered by class and name."""
    slots = {}
    for split in SPLITS:
        position = 0
        for label, name in enumerate(classes):
            for file in sorted(files[split][name]):
                slots[file] = ImageSlot(split, position, label)
                position += 1
    return slots


@dataclass(frozen=True)
class FolderListing:
    """A folder that contains `train` and `test`, and its content: relative names, sizes, modification times."""

    top: Path
    rows: tuple[tuple[str, int, int], ...]

    @property
    def key(self) -> str:
        """A hash of the folder's path and state."""
        return hashlib.sha256(json.dumps([str(self.top.resolve()), self.rows]).encode()).hexdigest()[:20]


def list_folder(folder: Path) -> FolderListing:
    """Return the listing of the image folder `folder`, or of the image folder directly inside it.

    Raises:
        UserError: if the folder cannot be read or contains no image folder or several.
    """
    try:
        if has_split(folder):
            return FolderListing(folder, tuple(sorted(walk(folder))))
        tops = [path for path in sorted(folder.iterdir()) if has_split(path) and not is_ignored(path.name)]
        if len(tops) > 1:
            raise UserError(f"{printable(folder)} has {len(tops)} image folders. Pass one of them")
        if not tops:
            raise UserError(f"{printable(folder)} has neither a train nor a test folder. {EXPECTED}")
        return FolderListing(tops[0], tuple(sorted(walk(tops[0]))))
    except OSError as error:
        raise UserError(f"Cannot read {printable(error.filename or folder)}: {error.strerror}") from error


def list_files(folder: Path) -> FolderListing:
    """Return the listing of the files directly in `folder`."""
    files = ((path.name, path.stat()) for path in folder.iterdir() if path.is_file() and not is_ignored(path.name))
    return FolderListing(folder, tuple(sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in files)))


def has_split(folder: Path) -> bool:
    """Return whether `folder` contains a `train` or `test` folder."""
    return any((folder / split).is_dir() for split in SPLITS)


def walk(top: Path) -> Iterator[tuple[str, int, int]]:
    """Yield name, size and modification time of the content of train and test, to the depth `index_images` allows."""
    pending = [split for split in SPLITS if (top / split).is_dir()]
    while pending:
        name = pending.pop()
        yield f"{name}/", 0, 0
        if name.count("/") == 2:
            continue
        with os.scandir(top / name) as entries:
            for entry in entries:
                if is_ignored(entry.name):
                    continue
                if entry.is_dir():
                    pending.append(f"{name}/{entry.name}")
                    continue
                stat = entry.stat()
                yield f"{name}/{entry.name}", stat.st_size, stat.st_mtime_ns


def read_folder(listing: FolderListing, image_size: int) -> ImageStream:
    """Return the images of a listed folder."""
    index = index_images([name for name, _, _ in listing.rows], printable(listing.top))
    blocks = (
        image_block(read_file(listing.top / name), slot, image_size, str(listing.top / name))
        for name, slot in index.slots.items()
    )
    return ImageStream(index.classes, index.counts, blocks)


def image_block(data: bytes, slot: ImageSlot, image_size: int, where: str) -> ImageBlock:
    """Decode one file into a block of one image."""
    pixels, encoding = decode(data, image_size, where)
    return ImageBlock(slot.split, slot.position, pixels[None], np.array([slot.label], dtype=np.int64), encoding)

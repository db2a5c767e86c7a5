"""Image folders: `train/<class>/*` and `test/<class>/*`, on disk or as the names in an archive."""

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
from ablate.data.types import SPLITS, Block, Stream, shown
from ablate.errors import UserError

EXPECTED = "expected train/<class>/* and test/<class>/*"
CLUTTER = frozenset({"Thumbs.db", "desktop.ini", "__MACOSX"})
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})


class Place(NamedTuple):
    """Where an image goes."""

    split: str
    position: int
    label: int


@dataclass(frozen=True)
class Arrangement:
    """What an image folder holds: its classes and, by file name, the place of every image."""

    classes: tuple[str, ...]
    places: Mapping[str, Place]

    @property
    def counts(self) -> dict[str, int]:
        """Images per split."""
        found = Counter(place.split for place in self.places.values())
        return {split: found[split] for split in SPLITS}


def ignored(part: str) -> bool:
    """Tell whether a file or folder of this name is clutter that systems leave behind."""
    return part.startswith(".") or part in CLUTTER


def arrange(names: Iterable[str], where: str) -> Arrangement:
    """Return the arrangement of an image folder from the relative names in it (folders end in "/").

    The `train` and `test` folders may lie up to two folders deep, all at one place. Classes are numbered in the order
    of their names, images in the order of class and file name. Clutter is ignored, and so are other files outside the
    class folders.

    Raises:
        UserError: if this is not an image folder, a class has no image or is only in one split.
    """
    files: dict[str, dict[str, list[str]]] = {split: {} for split in SPLITS}
    paths = {name: PurePosixPath(name).parts for name in names}
    paths = {name: parts for name, parts in paths.items() if not any(ignored(part) for part in parts)}
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
    return Arrangement(classes, place_all(files, classes))


def find_top(folders: Iterable[tuple[str, ...]], where: str) -> tuple[str, ...]:
    """Return the folder, as path parts, that holds `train` and `test`."""
    tops: dict[tuple[str, ...], set[str]] = {}
    for parts in folders:
        depth = next((depth for depth, part in enumerate(parts[:3]) if part in SPLITS), None)
        if depth is not None:
            tops.setdefault(parts[:depth], set()).add(parts[depth])
    if not tops:
        raise UserError(f"{where} has neither a train nor a test folder; {EXPECTED}")
    complete = [top for top, splits in tops.items() if len(splits) == len(SPLITS)]
    if len(complete) > 1:
        raise UserError(
            f"{where} holds {len(complete)} image folders ({shown('/'.join(complete[0]))} and others); name one"
        )
    if not complete:
        (missing,) = set(SPLITS) - next(iter(tops.values()))
        raise UserError(f"{where} has no {missing} folder; {EXPECTED}")
    return complete[0]


def check_depth(name: str, rest: list[str], where: str) -> None:
    """Refuse what lies too deep or, if it is an image, too shallow; `rest` is the name below the split's folder."""
    if len(rest) > 2 or (len(rest) == 2 and name.endswith("/")):
        raise UserError(f"{where}: {shown(name)} is a folder or file below a class folder; {EXPECTED}")
    if len(rest) == 1 and not name.endswith("/") and PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES:
        raise UserError(f"{where}: {shown(name)} is an image outside the class folders; {EXPECTED}")


def check_classes(files: Mapping[str, Mapping[str, list[str]]], where: str) -> None:
    """Refuse splits whose classes differ, empty classes and names that cannot be printed."""
    for split, other in (SPLITS, SPLITS[::-1]):
        if not files[split]:
            raise UserError(f"{where} has no class folders in {split}; {EXPECTED}")
        for name in sorted(files[split]):
            if not name.isprintable():
                raise UserError(f"{where}: the class name {shown(name)} has characters that cannot be printed")
            if name not in files[other]:
                raise UserError(f"{where}: class {name} is in {split} but not in {other}; both need the same classes")
            if not files[split][name]:
                raise UserError(f"{where}: class {name} has no images in {split}; add some or remove the class")


def place_all(files: Mapping[str, Mapping[str, list[str]]], classes: tuple[str, ...]) -> dict[str, Place]:
    """Number the files of each split by class and name."""
    places = {}
    for split in SPLITS:
        position = 0
        for label, name in enumerate(classes):
            for file in sorted(files[split][name]):
                places[file] = Place(split, position, label)
                position += 1
    return places


@dataclass(frozen=True)
class Listing:
    """The folder that holds `train` and `test`, and what is in them: relative name, bytes, time of change."""

    top: Path
    rows: tuple[tuple[str, int, int], ...]

    @property
    def key(self) -> str:
        """Return a name for this state of the folder."""
        return hashlib.sha256(json.dumps([str(self.top.resolve()), self.rows]).encode()).hexdigest()[:20]


def list_folder(folder: Path) -> Listing:
    """Return what lies in the image folder `folder`, or in the one that is directly inside it.

    Raises:
        UserError: if it cannot be read.
    """
    try:
        if has_split(folder):
            return Listing(folder, tuple(sorted(walk(folder))))
        tops = [path for path in sorted(folder.iterdir()) if has_split(path) and not ignored(path.name)]
        if len(tops) > 1:
            raise UserError(f"{shown(folder)} holds {len(tops)} image folders; name one")
        if not tops:
            raise UserError(f"{shown(folder)} has neither a train nor a test folder; {EXPECTED}")
        return Listing(tops[0], tuple(sorted(walk(tops[0]))))
    except OSError as error:
        raise UserError(f"{shown(error.filename or folder)} cannot be read: {error.strerror}") from error


def list_files(folder: Path) -> Listing:
    """Return the files directly in `folder`."""
    facts = ((path.name, path.stat()) for path in folder.iterdir() if path.is_file() and not ignored(path.name))
    return Listing(folder, tuple(sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in facts)))


def has_split(folder: Path) -> bool:
    """Tell whether `folder` holds a `train` or `test` folder."""
    return any((folder / split).is_dir() for split in SPLITS)


def walk(top: Path) -> Iterator[tuple[str, int, int]]:
    """Yield the name, size and time of change of what is in train and test, no deeper than `arrange` allows."""
    pending = [split for split in SPLITS if (top / split).is_dir()]
    while pending:
        name = pending.pop()
        yield f"{name}/", 0, 0
        if name.count("/") == 2:
            continue
        with os.scandir(top / name) as entries:
            for entry in entries:
                if ignored(entry.name):
                    continue
                if entry.is_dir():
                    pending.append(f"{name}/{entry.name}")
                    continue
                facts = entry.stat()
                yield f"{name}/{entry.name}", facts.st_size, facts.st_mtime_ns


def read_folder(listing: Listing, image_size: int) -> Stream:
    """Return the images of a listed folder."""
    arrangement = arrange([name for name, _, _ in listing.rows], shown(listing.top))

    blocks = (
        block(read_file(listing.top / name), place, image_size, str(listing.top / name))
        for name, place in arrangement.places.items()
    )
    return Stream(arrangement.classes, arrangement.counts, blocks)


def block(data: bytes, place: Place, image_size: int, where: str) -> Block:
    """Decode one file into a block of one image."""
    pixels, encoding = decode(data, image_size, where)
    return Block(place.split, place.position, pixels[None], np.array([place.label], dtype=np.int64), encoding)

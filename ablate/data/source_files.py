"""The files of a source, in a folder or an archive, by relative name."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ablate.data.archives import MEMBER_LIMIT, members
from ablate.data.decoding import read_file
from ablate.data.file_types import IMAGE_SUFFIXES, OTHER_SUFFIXES, READ_SUFFIXES, is_ignored, suffix_of
from ablate.data.image_tree import DEEPEST
from ablate.data.types import SPLITS, printable
from ablate.errors import UserError

Row = tuple[str, int, int]
"""Relative name (a folder's ends in "/"), size and modification time."""


class SourceFiles(Protocol):
    """The files of a source."""

    @property
    def where(self) -> str:
        """The source in messages."""

    @property
    def names(self) -> Sequence[str]:
        """The relative names of files and folders; a folder's ends in "/"."""

    def contents(self, wanted: Collection[str]) -> Generator[tuple[str, bytes], None, None]:
        """Yield name and content of the wanted files that exist, in stored order."""

    def read(self, name: str) -> bytes:
        """Return the content of one file."""

    def label(self, name: str) -> str:
        """Return a file's name for messages."""


@dataclass(frozen=True)
class ArchiveFiles:
    """The members of an archive. All names are read first, to reject a bad archive early."""

    path: Path
    names: tuple[str, ...]

    @classmethod
    def of(cls, path: Path) -> ArchiveFiles:
        """Return the members of the archive at `path`."""
        return cls(path, tuple(member.name for member in members(path)))

    @property
    def where(self) -> str:
        """The archive's path."""
        return printable(self.path)

    def contents(self, wanted: Collection[str]) -> Generator[tuple[str, bytes], None, None]:
        """Yield name and content of the wanted members, in stored order."""
        with closing(members(self.path)) as found:
            for member in found:
                if member.name in wanted:
                    yield member.name, member.read()

    def read(self, name: str) -> bytes:
        """Return the content of one member."""
        with closing(self.contents({name})) as found:
            return next(found)[1]

    def label(self, name: str) -> str:
        """Return a member's name for messages."""
        return f"{self.path}: {name}"


@dataclass(frozen=True)
class FolderFiles:
    """Files in a folder: `rows` are their relative names, sizes and modification times.

    `others` are names of folders that are not part of the listing, and not of the key.
    """

    top: Path
    rows: tuple[Row, ...]
    others: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """A hash of the folder's path and state."""
        return hashlib.sha256(json.dumps([str(self.top.resolve()), self.rows]).encode()).hexdigest()[:20]

    @property
    def where(self) -> str:
        """The folder's path."""
        return printable(self.top)

    @property
    def names(self) -> tuple[str, ...]:
        """The relative names of files and folders."""
        return (*(name for name, _, _ in self.rows), *self.others)

    @property
    def has_class_folders(self) -> bool:
        """Whether the class folders, if any, are directly in the splits' folders, as `list_plain` lists them."""
        parts = [name.split("/") for name, _, _ in self.rows]  # a folder's last part is ""
        images = any(len(part) == 2 and suffix_of(part[1]) in IMAGE_SUFFIXES for part in parts)
        folders = Counter(part[0] for part in parts if len(part) == 3 and not part[2])
        deeper = {part[0] for part in parts if len(part) == 4 and not part[3]}
        return not images and all(folders[split] != 1 for split in deeper)

    def contents(self, wanted: Collection[str]) -> Generator[tuple[str, bytes], None, None]:
        """Yield name and content of the wanted files, in the order of `wanted`."""
        for name in wanted:
            yield name, self.read(name)

    def read(self, name: str) -> bytes:
        """Return the content of one file."""
        return read_file(self.top / name)

    def label(self, name: str) -> str:
        """Return a file's path for messages."""
        return str(self.top / name)


def list_plain(folder: Path) -> FolderFiles | None:
    """Return the files of `train/<class>` and `test/<class>` in `folder` or in one folder in it; None without both.

    Raises:
        UserError: if several folders have them, or if one cannot be read.
    """
    with listing_errors(folder):
        tops = [folder] if _has_splits(folder) else [path for path in _subfolders(folder) if _has_splits(path)]
        if len(tops) > 1:
            raise UserError(
                f"{printable(folder)} has {len(tops)} image folders, {tops[0].name} among them. Pass one of them, or "
                "--splits train=FOLDER,test=FOLDER"
            )
        if not tops:
            return None
        others = tuple(f"{path.name}/" for path in _subfolders(tops[0]) if path.name not in SPLITS)
        return FolderFiles(tops[0], tuple(sorted(_walk_splits(tops[0]))), others)


def list_files(folder: Path) -> FolderFiles:
    """Return the files directly in `folder`."""
    files = ((path.name, path.stat()) for path in folder.iterdir() if path.is_file() and not is_ignored(path.name))
    return FolderFiles(folder, tuple(sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in files)))


def list_all(folder: Path) -> FolderFiles:
    """Return all files below `folder`, except hidden ones and those that are deeper than any layout.

    Files that are not images, tables of labels or batches are not part of the key.

    Raises:
        UserError: if a folder cannot be read, or if there are more than `MEMBER_LIMIT` files.
    """
    rows: list[Row] = []
    others: list[str] = []
    with listing_errors(folder):
        for row in _walk_all(folder):
            is_used = suffix_of(row[0]) not in OTHER_SUFFIXES - READ_SUFFIXES
            if is_used:
                rows.append(row)
            else:
                others.append(row[0])
            if len(rows) + len(others) > MEMBER_LIMIT:
                raise UserError(
                    f"{printable(folder)} has more than {MEMBER_LIMIT:,} files. Pass the folder of the images"
                )
    return FolderFiles(folder, tuple(sorted(rows)), tuple(sorted(others)))


@contextmanager
def listing_errors(folder: Path) -> Iterator[None]:
    """Turn an OSError of listing a folder into a UserError with a one-line message."""
    try:
        yield
    except OSError as error:
        raise UserError(f"Cannot read {printable(error.filename or folder)}: {error.strerror}") from error


def _subfolders(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.is_dir() and not is_ignored(path.name)]


def _has_splits(folder: Path) -> bool:
    return all((folder / split).is_dir() for split in SPLITS)


def _walk_splits(top: Path) -> Iterator[Row]:
    """Yield the content of train and test, to the depth of a folder in a class folder."""
    pending = list(SPLITS)
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


def _walk_all(top: Path) -> Iterator[Row]:
    """Yield the content of all folders once, also if links lead to them again."""
    pending, seen = [""], set()
    while pending:
        prefix = pending.pop()
        stat = (top / prefix).stat()
        if (stat.st_dev, stat.st_ino) in seen:
            continue
        seen.add((stat.st_dev, stat.st_ino))
        if prefix:
            yield prefix, 0, 0
        with os.scandir(top / prefix) as entries:
            for entry in entries:
                if is_ignored(entry.name):
                    continue
                name = prefix + entry.name
                if not entry.is_dir():
                    is_broken = entry.is_symlink() and not Path(entry.path).exists()
                    stat = entry.stat(follow_symlinks=not is_broken)
                    yield name, stat.st_size, stat.st_mtime_ns
                elif name.count("/") < DEEPEST:
                    pending.append(f"{name}/")

"""The names of a source of images, arranged by folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ablate.data.file_types import IMAGE_SUFFIXES, OTHER_SUFFIXES, is_ignored, suffix_of

Folder = tuple[str, ...]
"""A folder as path parts, relative to the source."""

DEEPEST = 12
"""Folders below this depth are not looked into: no layout is that deep."""


@dataclass(frozen=True)
class ImageTree:
    """The folders and files of a source; `where` names the source in messages.

    `children` has the subfolders of each folder, `files` the names of the files directly in it that may be images,
    `tables` those of CSV files, `skipped` the suffixes of all files that are not images, CSV files among them.
    """

    where: str
    children: dict[Folder, set[Folder]] = field(default_factory=lambda: {(): set()})
    files: dict[Folder, list[str]] = field(default_factory=dict)
    tables: dict[Folder, list[str]] = field(default_factory=dict)
    skipped: dict[Folder, list[str]] = field(default_factory=dict)

    def add_folder(self, folder: Folder) -> None:
        """Add a folder and the folders above it."""
        for depth in range(len(folder), -1, -1):
            is_known = folder[:depth] in self.children
            children = self.children.setdefault(folder[:depth], set())
            if depth < len(folder):
                children.add(folder[: depth + 1])
            if is_known:
                return

    def add_file(self, folder: Folder, name: str) -> None:
        """Add a file."""
        suffix = suffix_of(name)
        if suffix not in OTHER_SUFFIXES:
            self.files.setdefault(folder, []).append(name)
            return
        self.skipped.setdefault(folder, []).append(suffix)
        if suffix == ".csv":
            self.tables.setdefault(folder, []).append(name)

    def below(self, folder: Folder) -> Iterator[Folder]:
        """Yield `folder` and every folder below it, in the order of their names."""
        yield folder
        for child in sorted(self.children.get(folder, ())):
            yield from self.below(child)

    def images(self, folder: Folder) -> list[str]:
        """Return the files directly in `folder` whose suffix is that of an image."""
        return [name for name in self.files.get(folder, ()) if suffix_of(name) in IMAGE_SUFFIXES]

    def has_images(self, folder: Folder) -> bool:
        """Return whether an image is in `folder` or below it."""
        return any(self.images(inner) for inner in self.below(folder))

    def inner(self, folder: Folder) -> Folder:
        """Return the folder at the end of a chain of folders that contain one folder and no image each.

        `seg_train` with the only content `seg_train/seg_train/<class>/*` gives `seg_train/seg_train`.
        """
        while not self.images(folder) and len(self.children.get(folder, ())) == 1:
            (child,) = self.children[folder]
            if not self.images(child) and not self.children[child]:
                break  # an empty class folder
            if self.images(child) and not self.children[child]:
                break  # the only class folder
            folder = child
        return folder


def image_tree(names: Iterable[str], where: str) -> ImageTree:
    """Return the tree of the relative names in a source (folders end in "/"), without hidden files."""
    tree = ImageTree(where)
    for name in names:
        parts = tuple(name.removesuffix("/").split("/"))
        if any(is_ignored(part) for part in parts):
            continue
        folder = parts if name.endswith("/") else parts[:-1]
        tree.add_folder(folder[:DEEPEST])
        if len(folder) <= DEEPEST and not name.endswith("/"):
            tree.add_file(folder, name)
    return tree


def path_of(folder: Folder) -> str:
    """Return a folder as text: `data/train`, or "." for the source itself."""
    return "/".join(folder) or "."

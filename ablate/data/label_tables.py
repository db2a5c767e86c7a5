"""Labels of images in a CSV file next to their folder, as in competitions: `train/1.png` and `trainLabels.csv`."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from ablate.data.image_tree import Folder, ImageTree
from ablate.data.split_names import role_in
from ablate.data.types import printable
from ablate.errors import UserError

Classes = dict[str, list[str]]
"""The names of the images of each class."""

Read = Callable[[str], bytes]
"""Returns the content of a file of the source."""

LABEL_COLUMNS = ("label", "labels", "class", "class_name", "category", "target", "breed")

MOST_COLUMNS = 20
"""The images' names are looked for in the first columns only: a table of pixels has thousands."""


@dataclass(frozen=True)
class TableLabels:
    """The images of a folder by class, the CSV file with their labels, and its entries for them."""

    classes: Classes
    table: str
    entries: frozenset[str]


@dataclass(frozen=True)
class _Column:
    """A column of a table as the names of images: for each image its entry, None where it is missing."""

    number: int
    entries: tuple[str | None, ...]
    rows: dict[str, int]
    repeated: frozenset[str]

    @property
    def missing(self) -> int:
        return self.entries.count(None)


def labels_from_table(tree: ImageTree, folder: Folder, role: str, read: Read) -> TableLabels | None:
    """Return the labels of the images directly in `folder`, or None without a CSV file that has them.

    The file is in the folder or next to it. One column has the images' names, with or without suffix; the label is in
    the other column of two, or in the one column with a name of `LABEL_COLUMNS`. A file with the name of another split
    than `role` is not used, nor is a sample submission.

    Raises:
        UserError: if the file has labels for some images only, repeats an image, has several label columns or is one
            of several with different labels.
    """
    images = sorted(tree.images(folder))
    found: list[TableLabels] = []
    for name in _tables(tree, folder, role):
        where = f"{tree.where}: {printable(name)}"
        rows = _rows(read(name))
        names = _names_column(rows, images, where)
        if names is not None:
            column, labels = names, _labels_column(rows, names, where)
            classes: Classes = {}
            for image, entry in zip(images, column.entries, strict=True):
                assert entry is not None, "every image has a row"
                classes.setdefault(rows[1 + column.rows[entry]][labels].strip(), []).append(image)
            found.append(TableLabels(classes, name, frozenset(entry for entry in column.entries if entry)))
    if any(labels.classes != found[0].classes for labels in found):
        tables = " and ".join(printable(labels.table) for labels in found)
        raise UserError(f"{tree.where}: {tables} have different labels for the same images. Remove one of them")
    return found[0] if found else None


def _tables(tree: ImageTree, folder: Folder, role: str) -> Iterator[str]:
    """Yield the CSV files that may have the labels of the images in `folder`."""
    for name in [*tree.tables.get(folder, ()), *(tree.tables.get(folder[:-1], ()) if folder else ())]:
        stem = PurePosixPath(name).stem
        if "submission" not in stem.lower() and role_in(stem) in ("", role):
            yield name


def _rows(content: bytes) -> list[list[str]]:
    """Return the rows of a CSV file, the header first; none if it is not one."""
    try:
        text = content.decode("utf-8-sig")
        header = text.split("\n", 1)[0]
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=max(",;\t", key=header.count)) if row]
    except (UnicodeDecodeError, csv.Error):
        return []
    return rows if len(rows) > 1 and all(len(row) == len(rows[0]) > 1 for row in rows) else []


def _names_column(rows: list[list[str]], images: list[str], where: str) -> _Column | None:
    """Return the column with the names of the images, or None if no column names most of them."""
    columns = [_column(rows[1:], number, images) for number in range(min(len(rows[0]), MOST_COLUMNS) if rows else 0)]
    best = min(columns, key=lambda column: (column.missing, len(column.repeated)), default=None)
    if best is None or best.missing * 2 > len(images):
        return None
    if best.missing:
        first = images[best.entries.index(None)]
        raise UserError(
            f"{where} has no label for {best.missing:,} of {len(images):,} images, {printable(first)} among them. "
            "Complete the file or remove the images"
        )
    if twice := [entry for entry in best.entries if entry in best.repeated]:
        raise UserError(f"{where} has two rows for {printable(twice[0])}. Remove one of them")
    return best


def _column(body: list[list[str]], number: int, images: list[str]) -> _Column:
    rows: dict[str, int] = {}
    repeated = set()
    for position, row in enumerate(body):
        value = row[number].strip().removeprefix("./")
        if value in rows:
            repeated.add(value)
        rows[value] = position
    entries = tuple(next((name for name in _names(image) if name in rows), None) for image in images)
    return _Column(number, entries, rows, frozenset(repeated))


def _names(image: str) -> Iterator[str]:
    """Yield the names of an image in a table: the end of its path, from the longest, with and without the suffix."""
    parts = PurePosixPath(image).parts
    for start in range(len(parts)):
        end = "/".join(parts[start:])
        yield end
        yield end.removesuffix(PurePosixPath(image).suffix)


def _labels_column(rows: list[list[str]], names: _Column, where: str) -> int:
    """Return the number of the column with the labels."""
    header = [name.strip().lower() for name in rows[0]]
    others = [number for number in range(len(header)) if number != names.number]
    found = others if len(others) == 1 else [number for number in others if header[number] in LABEL_COLUMNS]
    if len(found) != 1:
        raise UserError(
            f"{where} has {len(found)} columns that may be the label. Keep two columns: the image's name and its label"
        )
    return found[0]

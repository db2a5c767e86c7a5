"""Read images from Parquet files as the Hugging Face Hub stores them."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ablate.data.decoding import FILE_LIMIT, decode
from ablate.data.parquet_layout import (
    LABELS,
    Columns,
    Shards,
    choose_shards,
    find_columns,
    group_files,
    opened,
    read_labels,
)
from ablate.data.splits import held_out_note, held_out_test
from ablate.data.types import SPLITS, ImageBlock, ImageStream, Labels, printable
from ablate.errors import UserError

ROWS = 256  # per read


def read_parquet(files: Sequence[Path], top: Path, image_size: int, splits: str = "") -> ImageStream:
    """Return the images in Parquet files below `top`, in the order of files and rows.

    One column has the images' bytes (Hugging Face's Image feature), another one the labels.

    Raises:
        UserError: if PyArrow is missing, a file is damaged or lacks these columns, or the splits leave a choice.
    """
    where = printable(top)
    columns = find_columns(files[0])
    found = {
        folder: Shards(tuple(paths), tuple(label for path in paths for label in read_labels(path, columns)))
        for folder, paths in sorted(group_files(files, top).items())
    }
    chosen = choose_shards(where, found, splits)
    notes = [*chosen.notes, *([f"labels: column {printable(columns.label)}"] if columns.label != LABELS[0] else [])]
    train, test = ([found[one.folder] for one in ones] for ones in (chosen.train, chosen.test))
    classes, labels = encode_labels(where, [label for one in (*train, *test) for label in one.labels], columns)
    trained = sum(len(one.labels) for one in train)
    parts = (np.arange(trained), np.arange(trained, len(labels))) if test else held_out_test(labels)
    if not test:
        notes.append(held_out_note(len(parts[1])))
    members = dict(zip(SPLITS, parts, strict=True))
    check_labels(where, classes, {split: labels[members[split]] for split in SPLITS})
    slots = {int(row): (split, number) for split in SPLITS for number, row in enumerate(members[split])}
    paths = [path for one in (*train, *test) for path in one.files]

    def blocks() -> Generator[ImageBlock, None, None]:
        for row, (content, place) in enumerate(read_rows(paths, columns)):
            pixels, encoding = decode(content, image_size, place)
            yield ImageBlock(*slots[row], pixels[None], labels[row : row + 1], encoding)

    counts = {split: len(members[split]) for split in SPLITS}
    return ImageStream(classes, counts, blocks(), notes=tuple(notes))


def encode_labels(where: str, stored: Sequence[Any], columns: Columns) -> tuple[tuple[str, ...], Labels]:
    """Return the names of the classes and the labels as numbers.

    Classes without names are numbered in the order of their labels.

    Raises:
        UserError: if a row has no label, or one that is out of range or of another type.
    """
    values = set(stored)
    numbers: Mapping[Any, int]
    if columns.names:
        classes, numbers = columns.names, {number: number for number in range(len(columns.names))}
    elif all(isinstance(value, str) for value in values) or all(type(value) is int for value in values):
        ordered = sorted(values)
        classes, numbers = tuple(map(str, ordered)), {value: number for number, value in enumerate(ordered)}
    else:
        classes, numbers = (), {}
    wrong = next((row for row, value in enumerate(stored) if type(value) is bool or value not in numbers), None)
    if wrong is not None:
        raise UserError(
            f"{where}: {stored[wrong]!r} in row {wrong} of column {printable(columns.label)} is not a class. Repair or "
            "remove the row"
        )
    return classes, np.array([numbers[value] for value in stored], dtype=np.int64)


def check_labels(where: str, classes: Sequence[str], labels: Mapping[str, Labels]) -> None:
    """Raise UserError for a class without images in a split, or with a name that cannot be printed."""
    for number, name in enumerate(classes):
        if not name or not name.isprintable():
            raise UserError(f"{where}: class name {printable(name)} has unprintable characters. Rename the class")
        for split in SPLITS:
            if not (labels[split] == number).any():
                raise UserError(f"{where}: class {name} has no images in {split}. Both splits need the same classes")


def read_rows(paths: Sequence[Path], columns: Columns) -> Generator[tuple[bytes, str], None, None]:
    """Yield the bytes of each image and its place for messages, in the order of files and rows.

    Raises:
        UserError: if a row has no bytes, or too many.
    """
    for path in paths:
        row = 0
        with opened(path) as file:
            for batch in file.iter_batches(batch_size=ROWS, columns=[columns.image]):
                for cell in batch.column(0).to_pylist():
                    content = cell.get("bytes") if isinstance(cell, dict) else cell
                    place = f"{path}: row {row}"
                    if not content or len(content) > FILE_LIMIT:
                        problem = "has no image" if not content else f"has more than {FILE_LIMIT // 2**20} MiB"
                        raise UserError(f"{printable(place)} {problem}. Repair or remove the row")
                    yield content, place
                    row += 1

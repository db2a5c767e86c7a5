"""Index and read folders of images, on disk or in an archive: class folders in the folders of the splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ablate.data.class_folders import EXPECTED, LabelledFolder
from ablate.data.decoding import decode
from ablate.data.file_types import skipped_note
from ablate.data.image_tree import image_tree
from ablate.data.label_tables import Classes
from ablate.data.source_files import SourceFiles
from ablate.data.split_choice import ASK, ChosenSplits
from ablate.data.split_folders import choose_splits, named_splits
from ablate.data.split_names import parse_splits
from ablate.data.splits import held_out_note, held_out_test
from ablate.data.types import SPLITS, ImageBlock, ImageStream, printable
from ablate.errors import UserError
from ablate.wording import count

FEWEST = 5
"""Images of a class from which a fifth is at least one."""


class ImageSlot(NamedTuple):
    """The split, index and label of an image."""

    split: str
    position: int
    label: int


@dataclass(frozen=True)
class ImageIndex:
    """The classes of an image folder, by file name the slot of every image, and notes on how it was read."""

    classes: tuple[str, ...]
    slots: Mapping[str, ImageSlot]
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Number of images per split."""
        found = Counter(slot.split for slot in self.slots.values())
        return {split: found[split] for split in SPLITS}


def index_images(files: SourceFiles, splits: str = "") -> ImageIndex:
    """Return the index of a source of image files; `splits` is the value of `--splits`, or "" to find them by name.

    Classes are numbered in the order of their names, images in the order of class and file name. Hidden files, files
    made by the operating system, and files that are not images are skipped.

    Raises:
        UserError: if this is not an image folder, or if a class has no images or is missing from one split.
    """
    tree = image_tree(files.names, files.where)
    chosen = named_splits(tree, parse_splits(splits), files.read) if splits else choose_splits(tree, files.read)
    notes = [*chosen.notes, *_tables_note(chosen)]
    classes = {"train": _merged(chosen.train)}
    if chosen.test:
        classes["test"] = _merged(chosen.test)
    else:
        classes = _held_out(classes["train"], files.where)
        notes.append(held_out_note(sum(map(len, classes["test"].values()))))
    check_classes(classes, files.where)
    skipped = [
        suffix
        for one in (*chosen.train, *chosen.test)
        for folder in tree.below(one.folder)
        for suffix in tree.skipped.get(folder, ())
    ]
    names = tuple(sorted(classes["train"]))
    return ImageIndex(names, number_images(classes, names), tuple(filter(None, [*notes, skipped_note(skipped)])))


def _merged(folders: tuple[LabelledFolder, ...]) -> Classes:
    """Return the images of several folders by class."""
    merged: Classes = {}
    for one in folders:
        for name, images in (one.classes or {}).items():
            merged.setdefault(name, []).extend(images)
    return merged


def _tables_note(chosen: ChosenSplits) -> list[str]:
    """Return a note that names the tables of labels."""
    tables = {one.table.table for one in (*chosen.train, *chosen.test) if one.table is not None}
    return [f"labels: {', '.join(map(printable, sorted(tables)))}"] if tables else []


def _held_out(classes: Classes, where: str) -> dict[str, Classes]:
    """Return training and test images by class, from images without a split."""
    if not classes:
        raise UserError(f"{where} has no class folders in train. {EXPECTED}")
    if few := next((name for name in sorted(classes) if len(classes[name]) < FEWEST), None):
        raise UserError(
            f"Invalid image folder {where}: class {printable(few)} has {count(len(classes[few]), 'image')}, too few to "
            f"hold out test images (at least {FEWEST}). Add some or remove the class"
        )
    images = [(name, image) for name in sorted(classes) for image in sorted(classes[name])]
    numbers = {name: number for number, name in enumerate(sorted(classes))}
    parts = held_out_test(np.array([numbers[name] for name, _ in images], dtype=np.int64))
    split: dict[str, Classes] = {"train": {}, "test": {}}
    for part, indices in zip(SPLITS, parts, strict=True):
        for index in indices:
            name, image = images[index]
            split[part].setdefault(name, []).append(image)
    return split


def check_classes(files: Mapping[str, Classes], where: str) -> None:
    """Raise UserError for splits with different classes, empty classes and names that cannot be printed."""
    for split, other in (SPLITS, SPLITS[::-1]):
        if not files[split]:
            raise UserError(f"{where} has no class folders in {split}. {EXPECTED}")
        for name in sorted(files[split]):
            if not name or not name.isprintable():
                problem = f"class name {printable(name)} has unprintable characters. Rename the class"
            elif not files[split][name]:
                problem = f"class {name} has no images in {split}. Add some or remove the class"
            elif name not in files[other]:
                same = f"Both splits need the same classes: choose with {ASK}"
                problem = f"class {name} is in {split} but not in {other}. {same}"
            else:
                continue
            raise UserError(f"Invalid image folder {where}: {problem}")


def number_images(files: Mapping[str, Classes], classes: tuple[str, ...]) -> dict[str, ImageSlot]:
    """Return the slots of the files of each split, numbered by class and name."""
    slots = {}
    for split in SPLITS:
        position = 0
        for label, name in enumerate(classes):
            for file in sorted(files[split][name]):
                slots[file] = ImageSlot(split, position, label)
                position += 1
    return slots


def read_images(files: SourceFiles, image_size: int, splits: str = "") -> ImageStream:
    """Return the images of a source of image files, decoded in stored order."""
    index = index_images(files, splits)

    def blocks() -> Generator[ImageBlock, None, None]:
        with closing(files.contents(index.slots)) as found:
            for name, content in found:
                yield image_block(content, index.slots[name], image_size, files.label(name))

    return ImageStream(index.classes, index.counts, blocks(), notes=index.notes)


def image_block(data: bytes, slot: ImageSlot, image_size: int, where: str) -> ImageBlock:
    """Decode one file into a block of one image."""
    pixels, encoding = decode(data, image_size, where)
    return ImageBlock(slot.split, slot.position, pixels[None], np.array([slot.label], dtype=np.int64), encoding)

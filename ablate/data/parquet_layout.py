"""Find splits, images and labels in Parquet files as the Hugging Face Hub stores them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ablate.data.class_folders import LabelledFolder
from ablate.data.image_tree import Folder
from ablate.data.split_choice import ASK, ChosenSplits, check_named, find_folder, sources_note, splits_by_name
from ablate.data.split_names import parse_splits, role_in, role_of
from ablate.data.types import printable
from ablate.errors import UserError
from ablate.wording import listed

LABELS = ("label", "labels", "fine_label")
"""Columns of the label; the first of them that a file has is used."""

UNLABELLED = (-1, None)
"""Labels of test sets whose labels are secret."""

_SHARD = re.compile(r"(?P<split>.+?)-\d{5}-of-\d{5}(?:-[0-9a-f]+)?")


@dataclass(frozen=True)
class Columns:
    """The columns of the images and of the label, and the names of the classes if the file has them."""

    image: str
    label: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Shards:
    """The files of one split in order, and the label of each row as stored."""

    files: tuple[Path, ...]
    labels: tuple[Any, ...]


def group_files(files: Sequence[Path], top: Path) -> dict[Folder, list[Path]]:
    """Return the files by split.

    `data/train-00000-of-00002.parquet`, `plain_text/train/0000.parquet` and `train.parquet` are files of `train`.
    """
    groups: dict[Folder, list[Path]] = {}
    for path in sorted(files):
        folders = PurePosixPath(path.relative_to(top).as_posix()).parts[:-1]
        shard = _SHARD.fullmatch(path.stem)
        stem = shard["split"] if shard else path.stem
        if shard is None and folders and role_of(folders[-1]):
            folder = folders
        else:
            folder = (*folders, stem if role_of(stem) else role_in(stem) or stem)
        groups.setdefault(folder, []).append(path)
    return groups


def choose_shards(where: str, found: Mapping[Folder, Shards], splits: str) -> ChosenSplits:
    """Return the names of the shards of both splits, found by name or named by the user."""
    ones = {
        folder: LabelledFolder(folder, None if set(shards.labels) <= set(UNLABELLED) else {})
        for folder, shards in found.items()
    }
    if splits:
        named = parse_splits(splits)
        train, test = (
            tuple(ones[find_folder(where, ones, folder)] for folder in folders) for folders in (named.train, named.test)
        )
        chosen = ChosenSplits(train, test, (sources_note(train, test),))
        check_named(where, chosen)
        return chosen
    if with_role := [one for folder, one in ones.items() if role_of(folder[-1])]:
        chosen = splits_by_name(where, with_role)
        others = tuple(f"not used: {one.name}" for one in ones.values() if one not in with_role)
        return ChosenSplits(chosen.train, chosen.test, chosen.notes + others)
    if len(ones) > 1:
        names = listed(one.name for one in ones.values())
        raise UserError(f"{where} has the Parquet files {names}, none named train or test. Choose with {ASK}")
    return ChosenSplits(tuple(ones.values()), ())


def find_columns(path: Path) -> Columns:
    """Return the columns of a file of images.

    Raises:
        UserError: if the file has no such columns, or several.
    """
    with opened(path) as file:
        schema = file.schema_arrow
        described = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    features = described.get("info", {}).get("features", {})
    images = [name for name in schema.names if _is_image(schema.field(name).type, name)]
    classes = [name for name in schema.names if features.get(name, {}).get("_type") == "ClassLabel"]
    labels = [name for name in LABELS if name in schema.names][:1] or classes
    if len(images) != 1 or len(labels) != 1:
        raise UserError(
            f"{printable(path)} has the columns {listed(printable(name) for name in schema.names)}. Expected one of "
            f"images (a struct of bytes and path, or bytes named image) and one of labels ({', '.join(LABELS)})"
        )
    names = features.get(labels[0], {}).get("names") or ()
    return Columns(images[0], labels[0], tuple(str(name) for name in names))


def _is_image(kind: Any, name: str) -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        return {"bytes", "path"} <= {kind.field(number).name for number in range(kind.num_fields)}
    return bool(types.is_binary(kind) or types.is_large_binary(kind)) and name in ("image", "img", "bytes")


def read_labels(path: Path, columns: Columns) -> list[Any]:
    """Return the labels of a file as stored."""
    with opened(path) as file:
        found: list[Any] = file.read(columns=[columns.label]).column(columns.label).to_pylist()
    return found


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a Parquet file.

    Raises:
        UserError: if PyArrow is missing, or the file is damaged or lacks a column.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise UserError(
            f"{printable(path)} is a Parquet file, which needs PyArrow. Run `pip install pyarrow`"
        ) from None
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"Cannot read {printable(path)} ({printable(reason)}). Copy it again") from error

"""Recognise names of splits (`valid`, `Training`, `seg_test`), and parse the option `--splits train=A,test=B`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from ablate.data.image_tree import Folder
from ablate.data.types import SPLITS, printable
from ablate.errors import UsageError

VALIDATION = "val"
ROLES = (*SPLITS, VALIDATION)
_ROLE = re.compile(
    r"(?:seg[ _-]?)?(?:(?P<train>train(?:ing)?)|(?P<test>test(?:ing)?)|(?P<val>val(?:id(?:ation)?)?))"
    r"(?:[ _-]?(?:set|data|images|split))?",
    re.IGNORECASE,
)
_IN_FILE = {
    "train": re.compile(r"(?<![a-z])train|T(?:rain|RAIN)"),
    "test": re.compile(r"(?<![a-z])test|T(?:est|EST)"),
    "val": re.compile(r"(?<![a-z])val(?:id(?:ation)?)?(?![a-z])|V(?:al|AL)(?:id(?:ation)?)?(?![a-z])"),
}
_EXAMPLE = "--splits takes train=FOLDER,test=FOLDER (several folders as A+B), or train=FOLDER alone"


def role_of(name: str) -> str:
    """Return "train", "test" or "val" for the name of a split's folder, "" for any other name."""
    match = _ROLE.fullmatch(name)
    return next((role for role, text in match.groupdict().items() if text), "") if match else ""


def role_in(file: str) -> str:
    """Return the split that the name of a file contains (`trainLabels.csv`, `test-00000-of-00001.parquet`), or ""."""
    found = {role for role, pattern in _IN_FILE.items() if pattern.search(file)}
    return found.pop() if len(found) == 1 else ""


@dataclass(frozen=True)
class SplitFolders:
    """The folders of each split that a user names with `--splits`; without `test`, a part of `train` is held out."""

    train: tuple[Folder, ...]
    test: tuple[Folder, ...] = ()


def parse_splits(text: str) -> SplitFolders:
    """Return the folders in the value of `--splits`: `train=A,test=B`, `train=A+B,test=C` or `train=A`.

    Raises:
        UsageError: if a split is unknown, missing or named twice, or a folder is not a relative path.
    """
    found: dict[str, tuple[Folder, ...]] = {}
    for item in text.split(","):
        split, equals, value = (part.strip() for part in item.partition("="))
        if split == VALIDATION and equals:
            raise UsageError(
                "--splits has no val: validation images are drawn from the training images. Add the folder to them, "
                "train=A+B, or leave it out"
            )
        if split not in SPLITS or not equals or split in found:
            raise UsageError(f"{_EXAMPLE}, not {printable(text)}")
        found[split] = tuple(_folder(part.strip(), text) for part in value.split("+"))
    if "train" not in found:
        raise UsageError(f"{_EXAMPLE}, not {printable(text)}")
    return SplitFolders(found["train"], found.get("test", ()))


def _folder(path: str, text: str) -> Folder:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts:
        raise UsageError(f"--splits takes folders relative to --data-dir, not {printable(path or text)}")
    return parts

"""Choose training and test images among folders that have, or lack, the names of splits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ablate.data.class_folders import EXPECTED, LabelledFolder, invalid_folder
from ablate.data.image_tree import Folder, path_of
from ablate.data.split_names import ROLES, VALIDATION, role_of
from ablate.data.types import SPLITS, printable
from ablate.errors import UserError
from ablate.wording import listed

ASK = "--splits train=FOLDER,test=FOLDER"


@dataclass(frozen=True)
class ChosenSplits:
    """The folders of both splits, and how they were chosen. Without `test`, a part of `train` is held out."""

    train: tuple[LabelledFolder, ...]
    test: tuple[LabelledFolder, ...]
    notes: tuple[str, ...] = ()


def splits_by_name(where: str, found: Sequence[LabelledFolder]) -> ChosenSplits:
    """Return the splits from folders that have the names of splits, in any spelling.

    A validation folder is the test split if no test folder has labels; otherwise it is unused. If the test folder has
    no labels and no validation folder exists, a part of the training images is held out.

    Raises:
        UserError: if the training folder is missing or several folders are for one split, or if neither a test nor a
            validation folder exists.
    """
    roles = {role: _only(where, role, found) for role in ROLES}
    train, test, validation = (roles[role] for role in (*SPLITS, VALIDATION))
    if train is None:
        raise _missing(where, "train", found)
    scored = test or validation
    if scored is None and not any(role_of(one.folder[-1]) == "test" for one in found):
        raise _missing(where, "test", found)
    notes = []
    if (train.folder[-1], scored.folder[-1] if scored else "test") != SPLITS:
        notes.append(sources_note([train], [scored] if scored else []))
    notes += [f"not used: {one.name} (without labels)" for one in found if one.classes is None]
    if test is not None and validation is not None:
        notes.append(unused_validation(train.folder, test.folder, validation.folder))
    return ChosenSplits((train,), (scored,) if scored else (), tuple(notes))


def check_named(where: str, chosen: ChosenSplits) -> None:
    """Raise UserError if folders that the user named have no labels, or one contains another."""
    used = [*chosen.train, *chosen.test]
    for number, one in enumerate(used):
        if one.classes is None:
            raise UserError(f"{where}: {one.name} has neither class folders nor a CSV file with labels of its images")
        for other in (*used[:number], *used[number + 1 :]):
            if other.folder[: len(one.folder)] == one.folder:
                raise UserError(f"{where}: --splits names {one.name} and {other.name}, which have images in common")


def find_folder(where: str, folders: Iterable[Folder], wanted: Folder) -> Folder:
    """Return the folder whose path ends in `wanted`, the nearest to the top of several.

    Raises:
        UserError: if no folder has this name, or several at the same depth.
    """
    folders = sorted(folders, key=lambda folder: (len(folder), folder))
    found = [folder for folder in folders if folder[-len(wanted) :] == wanted]
    nearest = [folder for folder in found if len(folder) == len(found[0])]
    if len(nearest) == 1:
        return nearest[0]
    if nearest:
        names = listed(printable(path_of(folder)) for folder in nearest)
        raise UserError(f"{where} has several folders {printable(path_of(wanted))}: {names}. Add the folder above")
    known = listed((printable(path_of(folder)) for folder in folders if folder), 8)
    raise UserError(f"{where} has no folder {printable(path_of(wanted))}. Known: {known or 'none'}")


def sources_note(train: Iterable[LabelledFolder], test: Iterable[LabelledFolder]) -> str:
    """Return the note that names the folders of both splits."""
    named = {"training": list(train), "test": list(test)}
    parts = (f"{split} images from {' + '.join(one.name for one in ones)}" for split, ones in named.items() if ones)
    return ", ".join(parts)


def unused_validation(train: Folder, test: Folder, validation: Folder) -> str:
    """Return the note about a validation folder next to a test folder."""
    names = [printable(path_of(folder)) for folder in (train, test, validation)]
    return (
        f"not used: {names[2]} (validation images are drawn from the training images; "
        f"--splits train={names[0]}+{names[2]},test={names[1]} trains on it too)"
    )


def _only(where: str, role: str, found: Iterable[LabelledFolder]) -> LabelledFolder | None:
    """Return the folder with labels for a split, or None without one."""
    ones = [one for one in found if one.classes is not None and role_of(one.folder[-1]) == role]
    if len(ones) > 1:
        names = listed(one.name for one in ones)
        raise UserError(f"{where} has {len(ones)} folders for {role}: {names}. Choose with {ASK}")
    return ones[0] if ones else None


def _missing(where: str, split: str, found: Sequence[LabelledFolder]) -> UserError:
    """Return the error for a split without a folder, or without labels."""
    bare = next((one for one in found if one.classes is None and role_of(one.folder[-1]) == split), None)
    if bare is not None and bare.example:
        problem = f"{printable(bare.example)} is an image outside the class folders, and no CSV file has its label"
        return invalid_folder(where, problem)
    remedy = ""
    if split == "test":
        train = next(one.name for one in found if role_of(one.folder[-1]) == "train")
        remedy = f". --splits train={train} holds out a part of the training images"
    return UserError(f"{where} has no {split} folder. {EXPECTED}, or choose with {ASK}{remedy}")

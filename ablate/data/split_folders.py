"""Find the folders of an image source that are its training and test images."""

from __future__ import annotations

from collections.abc import Iterable

from ablate.data.class_folders import EXPECTED, LabelledFolder, invalid_folder, label_folder
from ablate.data.image_tree import Folder, ImageTree, path_of
from ablate.data.label_tables import Read
from ablate.data.split_choice import (
    ASK,
    ChosenSplits,
    check_named,
    find_folder,
    sources_note,
    splits_by_name,
    unused_validation,
)
from ablate.data.split_names import VALIDATION, SplitFolders, role_of
from ablate.data.types import SPLITS, printable
from ablate.errors import UserError
from ablate.wording import listed


def choose_splits(tree: ImageTree, read: Read) -> ChosenSplits:
    """Return the splits that the names of the folders determine.

    Folders named `train` and `test` in one parent folder, which may be up to two levels deep, come first. Without them,
    names such as `Training`, `valid` and `seg_test` count at any depth. Without a folder for a split, all images are
    read, and a part of them is held out as test split.

    Raises:
        UserError: if the layout is unknown or leaves a choice.
    """
    top = _plain_top(tree)
    if top is not None:
        chosen = _plain_splits(tree, top, read)
    elif folders := _split_folders(tree):
        chosen = _splits_in_folders(tree, folders, read)
    else:
        chosen = _without_splits(tree, read)
    _check_tables(tree, chosen)
    return chosen


def named_splits(tree: ImageTree, splits: SplitFolders, read: Read) -> ChosenSplits:
    """Return the splits whose folders the user names.

    Raises:
        UserError: if a folder is missing, has no labels or contains another one.
    """
    train, test = (
        tuple(
            label_folder(tree, find_folder(tree.where, tree.children, folder), role_of(folder[-1]) or split, read)
            for folder in getattr(splits, split)
        )
        for split in SPLITS
    )
    chosen = ChosenSplits(train, test, (sources_note(train, test),))
    check_named(tree.where, chosen)
    _check_tables(tree, chosen)
    return chosen


def _plain_top(tree: ImageTree) -> Folder | None:
    """Return the folder that contains `train` and `test`, at most two levels deep, or None."""
    tops = [
        folder
        for folder in tree.children
        if len(folder) <= 2
        and not set(folder) & set(SPLITS)
        and all((*folder, split) in tree.children for split in SPLITS)
    ]
    if len(tops) > 1:
        example = printable(path_of(tops[0]))
        raise UserError(
            f"{tree.where} has {len(tops)} image folders, {example} among them. Pass one of them, or choose with {ASK}"
        )
    return tops[0] if tops else None


def _plain_splits(tree: ImageTree, top: Folder, read: Read) -> ChosenSplits:
    """Return the splits of a folder that contains `train` and `test`, and name the other folders with images."""
    train, test = ((*top, split) for split in SPLITS)
    others = sorted(child for child in tree.children[top] if role_of(child[-1]) and child not in (train, test))
    validation = [child for child in others if role_of(child[-1]) == VALIDATION]
    found = [label_folder(tree, folder, folder[-1], read) for folder in (train, test)]
    if all(one.classes is not None for one in found):
        notes = [unused_validation(train, test, folder) for folder in validation]
        unused = {child for child in others if child not in validation} | {*_unused(tree, [train, test, *validation])}
        notes += _unused_notes(unused)
        return ChosenSplits((found[0],), (found[1],), tuple(notes))
    return splits_by_name(tree.where, [*found, *(label_folder(tree, one, VALIDATION, read) for one in validation)])


def _splits_in_folders(tree: ImageTree, folders: list[Folder], read: Read) -> ChosenSplits:
    """Return the splits of folders with the names of splits, and name the other folders with images."""
    found = [label_folder(tree, folder, role_of(folder[-1]), read) for folder in folders]
    chosen = splits_by_name(tree.where, found)
    return ChosenSplits(chosen.train, chosen.test, (*chosen.notes, *_unused_notes(_unused(tree, folders))))


def _split_folders(tree: ImageTree) -> list[Folder]:
    """Return the topmost folders with the name of a split, unless the name is that of a class."""
    found: list[Folder] = []
    pending: list[Folder] = [()]
    while pending:
        children = sorted(tree.children[pending.pop()])
        named = [child for child in children if role_of(child[-1]) and tree.has_images(child)]
        others = [child for child in children if child not in named]
        if len(named) == 1 and tree.images(named[0]) and sum(bool(tree.images(child)) for child in others) > 1:
            continue  # a class named "train" among other classes
        found += named
        pending += others
    return sorted(found)


def _unused_notes(folders: Iterable[Folder]) -> list[str]:
    return [f"not used: {printable(path_of(folder))}" for folder in sorted(folders)]


def _unused(tree: ImageTree, used: list[Folder]) -> list[Folder]:
    """Return the topmost folders with images that are neither in a used folder nor above one."""
    found = set()
    for folder in tree.children:
        if tree.images(folder) and not any(folder[: len(one)] == one for one in used):
            ends = (folder[:depth] for depth in range(1, len(folder) + 1))
            found |= set([end for end in ends if not any(one[: len(end)] == end for one in used)][:1])
    return sorted(found)


def _check_tables(tree: ImageTree, chosen: ChosenSplits) -> None:
    """Raise UserError if one row of a table of labels fits images of both splits."""
    owners: dict[tuple[str, str], LabelledFolder] = {}
    for one in (*chosen.train, *chosen.test):
        table = one.table
        for entry in table.entries if table else ():
            assert table is not None, "an entry has a table"
            other = owners.setdefault((table.table, entry), one)
            if other is not one:
                raise UserError(
                    f"{tree.where}: {printable(entry)} in {printable(table.table)} may be an image of {other.name} or "
                    f"of {one.name}. Write {one.folder[-1]}/{printable(entry)} for the latter, or choose with {ASK}"
                )


def _without_splits(tree: ImageTree, read: Read) -> ChosenSplits:
    """Return all images as training images; a part of them is held out later."""
    leaves = [folder for folder in tree.children if tree.images(folder)]
    if not leaves:
        raise UserError(f"{tree.where} has neither a train nor a test folder. {EXPECTED}")
    parents = sorted({folder[:-1] for folder in leaves if folder})
    if stray := [folder for folder in leaves if folder in parents or (not folder and parents)]:
        raise invalid_folder(tree.where, f"{printable(tree.images(stray[0])[0])} is an image outside the class folders")
    if len(parents) > 1:
        names = listed((printable(path_of(parent)) for parent in parents), 4)
        raise UserError(f"{tree.where} has class folders in several folders: {names}. Choose with {ASK}")
    if len(leaves) > 1:
        classes = {folder[-1]: tree.files[folder] for folder in leaves}
        empty = sorted(tree.children[parents[0]] - set(leaves))
        notes = [f"not used: {listed(printable(path_of(folder)) for folder in empty)} (no images)"] if empty else []
        return ChosenSplits((LabelledFolder(parents[0], classes),), (), tuple(notes))
    whole = label_folder(tree, leaves[0], "", read)
    if whole.classes is None:
        raise UserError(
            f"{tree.where} has images in {whole.name}, but neither class folders nor a CSV file with their labels. "
            f"{EXPECTED}"
        )
    return ChosenSplits((whole,), ())

"""Sort the images of a split's folder by class: from class folders or a table of labels."""

from __future__ import annotations

from dataclasses import dataclass

from ablate.data.image_tree import Folder, ImageTree, path_of
from ablate.data.label_tables import Classes, Read, TableLabels, labels_from_table
from ablate.data.types import printable
from ablate.errors import UserError

EXPECTED = "Expected train/<class>/* and test/<class>/*"


@dataclass(frozen=True)
class LabelledFolder:
    """A folder of images, with its images by class; `classes` is None if they have no labels.

    `example` is an image without label.
    """

    folder: Folder
    classes: Classes | None
    table: TableLabels | None = None
    example: str = ""

    @property
    def name(self) -> str:
        """The folder's path for messages."""
        return printable(path_of(self.folder))


def label_folder(tree: ImageTree, folder: Folder, role: str, read: Read) -> LabelledFolder:
    """Return the images of a split's folder by class, from its class folders or a table of labels.

    Raises:
        UserError: if an image is outside the class folders, or a folder is in a class folder.
    """
    base = tree.inner(folder)
    stray = tree.images(base)
    if stray and not any(tree.has_images(child) for child in tree.children[base]):
        table = labels_from_table(tree, base, role, read)
        return LabelledFolder(folder, table.classes if table else None, table, stray[0])
    if stray:
        raise invalid_folder(tree.where, f"{printable(stray[0])} is an image outside the class folders")
    classes: Classes = {}
    for child in sorted(tree.children[base]):
        if deeper := sorted(tree.children[child]):
            raise invalid_folder(tree.where, f"{printable(path_of(deeper[0]))} is below a class folder")
        classes[child[-1]] = tree.files.get(child, [])
    return LabelledFolder(folder, classes)


def invalid_folder(where: str, problem: str) -> UserError:
    """Return the error for an image folder with a file or folder in the wrong place."""
    return UserError(f"Invalid image folder {where}: {problem}. {EXPECTED}")

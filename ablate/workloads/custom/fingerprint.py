"""Digests of training code and data, which are part of a run's identity; formatting and dates do not change them."""

from __future__ import annotations

import ast
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.errors import UsageError

if TYPE_CHECKING:
    from ablate.data import DataProgress

_DIGITS = 12


def digest(parts: Iterable[str]) -> str:
    """Return the first hexadecimal digits of the SHA-256 of texts, in their order."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:_DIGITS]


def training_code(text: str) -> str:
    """Return the code of a Python file that can affect a training, in normalised form.

    Comments, formatting, docstrings, imports from `ablate` and the statement `study = ...`, except for lambdas in it,
    are left out: another number of seeds or another margin does not affect a training.
    """
    tree = ast.parse(text)
    kept: list[ast.AST] = []
    for statement in tree.body:
        if _assigns_study(statement):
            kept += [node for node in ast.walk(statement) if isinstance(node, ast.Lambda)]
        elif not (isinstance(statement, ast.ImportFrom) and statement.module == "ablate"):
            kept.append(statement)
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and ast.get_docstring(node) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
    if ast.get_docstring(tree) is not None:
        kept = kept[1:]
    return "\n".join(ast.unparse(node) for node in kept)


def _assigns_study(statement: ast.stmt) -> bool:
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return any(isinstance(target, ast.Name) and target.id == "study" for target in targets)


def content_digest(paths: Iterable[str], folder: Path, progress: DataProgress | None = None) -> str:
    """Return the digest of the content of files and folders, given relative to `folder`.

    Relative names and content of the files count; dates and permissions do not.
    Raises UsageError for a path that does not exist.
    """
    found = [(name, path) for declared in paths for name, path in _files(declared, folder)]
    lines = []
    for done, (name, path) in enumerate(found, start=1):
        with path.open("rb") as file:
            lines.append(f"{name} {hashlib.file_digest(file, 'sha256').hexdigest()}")
        if progress is not None and len(found) > 1:
            progress("reading the data", done, len(found))
    return digest(lines)


def _files(declared: str, folder: Path) -> Iterator[tuple[str, Path]]:
    top = (folder / Path(declared).expanduser()).resolve()
    if top.is_file():
        yield top.name, top
        return
    if not top.is_dir():
        raise UsageError(f"File or folder not found: {top}. Correct `data` or `code` in the study file")
    for place, folders, names in os.walk(top):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        yield from ((str((Path(place) / name).relative_to(top)), Path(place) / name) for name in sorted(names))

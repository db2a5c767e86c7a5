"""What of code and data is part of a run's identity: digests of what they hold, not of how it is written."""

from __future__ import annotations

import ast
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ablate.errors import UsageError

_DIGITS = 12


def digest(parts: Iterable[str]) -> str:
    """Return hexadecimal digits that name texts in their order."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:_DIGITS]


def training_code(text: str) -> str:
    """Return what of a Python file's code may change a training.

    Left out are comments, layout, docstrings, what is imported from `ablate`, and the statement `study = ...` but for
    lambdas in it: more seeds or another margin train nothing otherwise.
    """
    tree = ast.parse(text)
    kept: list[ast.AST] = []
    for statement in tree.body:
        if _sets_study(statement):
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


def _sets_study(statement: ast.stmt) -> bool:
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return any(isinstance(target, ast.Name) and target.id == "study" for target in targets)


def content_digest(paths: Iterable[str], folder: Path, progress: Callable[[str, int, int], None] | None = None) -> str:
    """Return hexadecimal digits that name the content of files and folders, relative to `folder`.

    A file is told by its place in what was named, and by what it holds: dates and permissions do not matter.
    Raises UsageError for what is not there.
    """
    found = [(name, path) for named in paths for name, path in _files(named, folder)]
    lines = []
    for done, (name, path) in enumerate(found, start=1):
        with path.open("rb") as file:
            lines.append(f"{name} {hashlib.file_digest(file, 'sha256').hexdigest()}")
        if progress is not None and len(found) > 1:
            progress("reading the data", done, len(found))
    return digest(lines)


def _files(named: str, folder: Path) -> Iterator[tuple[str, Path]]:
    top = (folder / Path(named).expanduser()).resolve()
    if top.is_file():
        yield top.name, top
        return
    if not top.is_dir():
        raise UsageError(f"there is no file or folder {top}, which the study names")
    for place, folders, names in os.walk(top):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        yield from ((str((Path(place) / name).relative_to(top)), Path(place) / name) for name in sorted(names))

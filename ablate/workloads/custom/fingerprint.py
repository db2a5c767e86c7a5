"""Digests of training code and data, which are part of a run's identity; formatting and dates do not change them."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.errors import UsageError

if TYPE_CHECKING:
    from ablate.data import DataProgress

_DIGITS = 12
_IGNORED = {"__pycache__", ".git"}
_NAMES = re.compile(r"[^\s'\"=:;,<>|&()]+")


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

    Relative names and content of the files count; dates and permissions do not. Links are followed.
    Raises UsageError for a path that does not exist.
    """
    found = [(name, path) for declared in paths for name, path in _files(declared, folder)]
    lines = []
    for done, (name, path) in enumerate(found, start=1):
        lines.append(f"{name} {_digest_of(path)}")
        if progress is not None and len(found) > 1:
            progress("reading the data", done, len(found))
    return digest(lines)


def content_files(paths: Iterable[str], folder: Path) -> list[Path]:
    """Return the files that `content_digest` covers. Raises UsageError for a path that does not exist."""
    return [path for declared in paths for _, path in _files(declared, folder)]


def _digest_of(path: Path) -> str:
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return f"link to {path.readlink()}" if path.is_symlink() else "not a file"


def _files(declared: str, folder: Path) -> Iterator[tuple[str, Path]]:
    top = (folder / Path(declared).expanduser()).resolve()
    if top.is_file():
        yield top.name, top
        return
    if not top.is_dir():
        raise UsageError(f"File or folder not found: {top}. Correct `data` or `code` in the study file")
    for path in _files_in(top, (top,)):
        yield str(path.relative_to(top)), path


def _files_in(folder: Path, ancestors: tuple[Path, ...]) -> Iterator[Path]:
    """Yield the files of a folder, then those of its folders, by name.

    A link to one of the `ancestors`, the resolved folders above, is yielded as a link.
    """
    entries = sorted(folder.iterdir())
    is_project = (folder / "mlruns").is_dir()
    ignored = _IGNORED | ({"mlruns", "reports"} if is_project else set())
    resolved = {entry: entry.resolve() for entry in entries if entry.is_dir() and entry.name not in ignored}
    folders = {entry: where for entry, where in resolved.items() if where not in ancestors}
    yield from (entry for entry in entries if entry not in folders and (entry in resolved or not entry.is_dir()))
    for entry, where in folders.items():
        yield from _files_in(entry, (*ancestors, where))


def named_files(arguments: Sequence[str], more_texts: Iterable[str], folder: Path) -> list[str]:
    """Return the files in `folder` that arguments of a command are, or that words within them or other texts name."""
    whole = [text for text in arguments if _is_file(folder, text)]
    words = [word for text in (*arguments, *more_texts) for word in _NAMES.findall(text)]
    for option, module in pairwise(words):
        if option == "-m":
            path = module.replace(".", "/")
            words += [f"{path}.py", f"{path}/__main__.py"]
    parts = dict.fromkeys(word for word in words if _is_file(folder, word))
    return [str(folder / word) for word in (*whole, *(word for word in parts if word not in whole))]


def _is_file(folder: Path, word: str) -> bool:
    try:
        return ("/" in word or "." in word) and (folder / word).is_file()
    except (OSError, ValueError):  # a long text, or one with a null character
        return False

"""The local Python files that a training imports, found in its code without running it, and their digests."""

from __future__ import annotations

import ast
import os
import sys
import sysconfig
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ablate.workloads.custom.fingerprint import digest, training_code

_LONGEST = 2500
"""Characters of a record: stores limit the length of a tag."""

_PROJECT_FILES = (".git", "pyproject.toml", "setup.py")
_INSTALLED = {"site-packages", "dist-packages"}


@dataclass(frozen=True)
class _Import:
    """`from <level dots><module> import <names>`; without names, `import <module>`."""

    module: str
    names: tuple[str, ...] = ()
    level: int = 0


def local_imports(code_files: Iterable[Path], folder: Path) -> dict[str, str]:
    """Return the digests of the local files that `code_files` import, directly or not, by path relative to `folder`.

    Files in `code_files` and installed packages are left out. Comments and formatting do not change a digest.
    """
    known = {path.resolve() for path in code_files}
    queue = deque(sorted(path for path in known if path.suffix == ".py" and not _is_installed(path)))
    search = list(dict.fromkeys([*(path.parent for path in queue), folder.resolve(), *_project_paths(folder)]))
    found: dict[str, str] = {}
    length = 0
    while queue:
        for path in _imported_by(queue.popleft(), search):
            if path in known or _is_installed(path):
                continue
            known.add(path)
            queue.append(path)
            name = os.path.relpath(path, folder.resolve())
            length += len(name) + 20
            if length <= _LONGEST:
                found[name] = _read(path)[0]
    return found


def changed_files(recorded: Mapping[str, str], folder: Path) -> list[str]:
    """Return the files of a record whose content has changed since, or which do not exist any more."""
    paths = {name: folder.resolve() / name for name in recorded}
    return [name for name, path in paths.items() if not path.is_file() or _read(path)[0] != recorded[name]]


def _project_paths(folder: Path) -> Iterator[Path]:
    """Yield the folders of Python's search path that belong to the project of `folder`."""
    above = [folder.resolve(), *folder.resolve().parents]
    project = next((one for one in above if any((one / name).exists() for name in _PROJECT_FILES)), above[0])
    for path in (Path(entry).resolve() for entry in sys.path):
        if path.is_dir() and path.is_relative_to(project):
            yield path


def _is_installed(path: Path) -> bool:
    return not _INSTALLED.isdisjoint(path.parts) or path.is_relative_to(sysconfig.get_path("stdlib"))


def _imported_by(file: Path, search: Sequence[Path]) -> Iterator[Path]:
    for one in _read(file)[1]:
        for top in [file.parents[one.level - 1]] if 0 < one.level <= len(file.parents) else search:
            if paths := _module_files(top, one):
                yield from (path.resolve() for path in paths)
                break


def _module_files(top: Path, wanted: _Import) -> list[Path]:
    """Return the files in the folder `top` that an import executes, packages first."""
    found, place = [], top
    for part in wanted.module.split(".") if wanted.module else ():
        place = place / part
        if file := _file_of(place):
            found.append(file)
        elif not place.is_dir():
            return found
    return [*found, *(file for name in wanted.names if (file := _file_of(place / name)))]


def _file_of(place: Path) -> Path | None:
    return next((file for file in (place / "__init__.py", place.with_name(f"{place.name}.py")) if file.is_file()), None)


def _read(path: Path) -> tuple[str, tuple[_Import, ...]]:
    """Return the digest of a file and its imports."""
    status = path.stat()
    return _parsed(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4096)
def _parsed(path: Path, _modified: int, _size: int) -> tuple[str, tuple[_Import, ...]]:
    content = path.read_bytes()
    try:
        text = content.decode()
        return digest([training_code(text)]), tuple(_imports(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError):
        return digest([content.hex()]), ()


def _imports(tree: ast.Module) -> Iterator[_Import]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (_Import(alias.name) for alias in node.names if _is_own(alias.name))
        elif isinstance(node, ast.ImportFrom) and (node.level or _is_own(node.module or "")):
            yield _Import(node.module or "", tuple(alias.name for alias in node.names), node.level)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("importlib.import_module", "import_module"):
            name = node.args[0] if node.args else None
            if isinstance(name, ast.Constant) and isinstance(name.value, str) and not name.value.startswith("."):
                yield _Import(name.value)


def _is_own(module: str) -> bool:
    return module.partition(".")[0] != "ablate"

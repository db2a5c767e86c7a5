"""A private Git repository in the mirror of a run: its commits, branches and tags stay in the mirror.

The objects, which are the large part, are read from the original.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ablate.workloads.custom.copies import remove

_COPIED = ("refs", "logs", "info", "hooks")
"""Folders of a repository that are copied, as are the files next to them."""

_LINKED = ("lfs", "annex")
"""Folders with the content of large files, by their digests."""

_SHARED = ("config", "packed-refs", "shallow", "description")
"""Files that linked working folders share; the others are their own."""

_NOT_COPIED = ("commondir", "gitdir")
_WORKING_FOLDER = re.compile(rb"(?m)^\s*worktree\s*=.*\n?")
"""The line of a submodule's configuration that names its working folder."""

MOST_FILES, MOST_BYTES = 5_000, 64 << 20
"""Limits of the copied part. A larger repository is not copied."""


def copy_repository(original: Path, place: Path) -> bool:
    """Make a private repository at `place`, in place of what is there.

    Args:
        original: The `.git` of a working folder: a folder, or the file of a submodule or a linked working folder.
        place: The folder to make.

    Returns:
        False if the original is not a repository, or too large. Then `place` is unchanged.
    """
    own = _named_folder(original, "gitdir: ") if original.is_file() else original
    if own is None or not (own / "HEAD").is_file():
        return False
    common = _named_folder(own / "commondir", "") or own
    files = dict(_files(own))
    if own != common:
        files = {name: file for name, file in _files(common) if "/" in name or name in _SHARED} | files
    sizes = [_size(file) for file in files.values()]
    if not (common / "objects").is_dir() or len(files) > MOST_FILES or sum(sizes) > MOST_BYTES:
        return False
    if os.path.lexists(place):
        remove(str(place))
    for folder in (*_COPIED, "objects/info", "objects/pack"):
        (place / folder).mkdir(parents=True)
    (place / "objects/info/alternates").write_bytes(os.fsencode((common / "objects").resolve()) + b"\n")
    for name, file in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # Git has removed it meanwhile
            shutil.copy2(file, place / name)
    if (config := place / "config").is_file():
        config.write_bytes(_WORKING_FOLDER.sub(b"", config.read_bytes()))
    for name in _LINKED:
        if (common / name).is_dir():
            (place / name).symlink_to(common / name)
    return True


def _named_folder(file: Path, prefix: str) -> Path | None:
    """Return the folder that a file names after `prefix`, by an absolute path. Return None if it names none."""
    if not file.is_file():
        return None
    text = file.read_bytes()[:4_096].removesuffix(b"\n")
    name = os.fsdecode(text)
    return (file.parent / name.removeprefix(prefix)).resolve() if name.startswith(prefix) else None


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the names of the files of a repository to copy, and their paths."""
    found = [path.name for path in folder.iterdir() if path.is_file() and path.name not in _NOT_COPIED]
    for part in _COPIED:
        for place, _, names in os.walk(folder / part):
            found += [str(Path(place, name).relative_to(folder)) for name in names]
    for name in found:
        if not name.endswith((".lock", ".sample")):
            yield name, folder / name


def _size(file: Path) -> int:
    with suppress(FileNotFoundError):
        return file.stat().st_size
    return 0

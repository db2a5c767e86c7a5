"""A mirror of the file system in a folder of its own, for a run that must not see the files of other runs.

Folders of the project become real folders and their files become copies, so that what a run creates, overwrites or
deletes is its own, and so do those next to the project, within smaller limits. Symbolic links between them lead to the
copies, and Git repositories become private ones. Declared data, large files, large folders and everything farther away
are links to the originals. After a run, a mirror can be restored for the next one, which takes milliseconds instead of
seconds: a copy is kept if its inode and change time, which programs cannot set, are those of its creation.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path

from ablate.workloads.custom.copies import Copies, remove
from ablate.workloads.custom.mirrored_folders import ENVIRONMENT_MARKS, existing_part, list_folder, may_change
from ablate.workloads.custom.private_repository import copy_repository

COPIED_BYTES = 256 << 20
"""Total size of the files that are copied; the others are linked."""

COPIED_FILES = 2_000
FOLDER_ENTRIES = 1_000
"""Number of entries beyond which a folder of the project is linked as a whole."""

LISTED_ENTRIES = 20_000
"""Number of entries of the project that are listed. The folders that remain are linked as a whole."""

NEAR_BYTES, NEAR_FILES, NEAR_ENTRIES = 32 << 20, 500, 1_000
"""The same limits for the folders next to the project."""

OUTSIDE_ENTRIES = 500
"""Number of entries beyond which a folder outside the project is left out."""

LONGEST_PATH = 3_800
"""Length of a folder's path in the mirror, in bytes, beyond which it is linked as a whole: Linux allows 4,095."""

_ELSEWHERE = "/.elsewhere"
"""Folder of a mirror for the targets of links that lead nowhere, outside the project."""


class Mirror:
    """A mirror of the file system in the folder `top`.

    Args:
        top: The folder of the mirror, which corresponds to `/`.
        project: The folder whose files are copied.
        store: A folder of the project that is left out.
        data: Files and folders whose files are linked.
    """

    def __init__(self, top: Path, project: Path, store: Path, data: Iterable[Path]) -> None:
        self._copies, self._project, self._store = Copies(str(top)), project, str(store)
        self._data = frozenset(name for path in data for name in (os.path.normpath(path), os.path.realpath(path)))
        self._needed: frozenset[str] = frozenset()
        self._folders: dict[tuple[int, int], str] = {}  # the original path of each folder, by device and inode
        self._roots: frozenset[str] = frozenset()
        self._complete: set[str] = set()
        self._links: deque[tuple[str, bool]] = deque()  # symbolic links that wait for their targets
        self._listed_left = 0

    @property
    def top(self) -> str:
        """The folder of the mirror."""
        return self._copies.top

    @top.setter
    def top(self, top: str) -> None:
        self._copies.top = top

    def restore(self, folders: Sequence[Path]) -> None:
        """Add `folders`, the rest of the project, and links to everything around; remove everything else."""
        chains = [(folder, *folder.parents) for folder in folders]
        needed = sorted({path for chain in chains for path in chain}, key=lambda path: len(path.parts))
        roots = [root_of(folder, self._project) for folder in folders]
        self._roots = frozenset(map(str, roots))
        inside = {path for path in needed if any(root in (path, *path.parents) for root in roots)}
        self._needed, self._complete = frozenset(map(str, needed)), set()
        self._folders = {_inode(path): path for path in (*self._needed, self._store) if os.path.isdir(path)}
        self._copies.begin(COPIED_BYTES, COPIED_FILES)
        self._listed_left = LISTED_ENTRIES
        for path in needed:
            self._make_folder(str(path))
        for path in (*folders, *reversed(needed)):
            if path in inside:
                self._fill(str(path))
        self._copies.bytes_left = min(self._copies.bytes_left, NEAR_BYTES)
        self._copies.files_left = min(self._copies.files_left, NEAR_FILES)
        self._listed_left = min(self._listed_left, NEAR_ENTRIES)
        self._copies.keeps_links = False
        for path in needed:
            if path not in inside:
                self._add_around(str(path), is_near=any(path == root.parent for root in roots))
        while self._links:
            self._add_link(*self._links.popleft())
        self._copies.end()

    def _fill(self, folder: str) -> None:
        """Mirror a folder and the folders in it, level by level. The symbolic links in them have to wait."""
        above = [path for place in (Path(folder), Path(folder).resolve()) for path in (place, *place.parents)]
        waiting = deque([(folder, any(str(path) in self._data for path in above))])
        while waiting:
            path, is_data = waiting.popleft()
            entries = self._listed(path)
            if entries is None:
                continue
            self._make_folder(path)
            self._remove_except(path, {entry.name for entry in entries})
            for entry in entries:
                of_data = is_data or entry.path in self._data
                if entry.path in self._needed:
                    waiting.append((entry.path, of_data))
                elif self._is_repository(entry):
                    continue
                elif entry.is_symlink():
                    self._links.append((entry.path, of_data))
                elif entry.is_dir() and not self._is_linked(entry):
                    waiting.append((entry.path, of_data))
                else:
                    self._copies.add_file(entry.path, of_data)

    def _add_link(self, path: str, is_data: bool) -> None:
        """Mirror a symbolic link: as a link to the mirror of its target, or else as a file or folder of its own."""
        target = self._mirrored_target(path)
        if target is not None:
            self._copies.link(os.path.relpath(target, os.path.dirname(path)), path)
        elif self._is_far(path):
            self._copies.link(path, path)
        elif os.path.isdir(path) and not may_change(path):
            self._fill(path)
        elif os.path.exists(path):
            self._copies.add_file(path, is_data)
        else:
            place = _ELSEWHERE + os.path.realpath(path)
            if os.path.isdir(os.path.dirname(os.path.realpath(path))):
                os.makedirs(os.path.dirname(self.top + place), exist_ok=True)
            self._copies.link(os.path.relpath(place, os.path.dirname(path)), path)

    def _mirrored_target(self, link: str) -> str | None:
        """Return the original path of the target of a link, by folders of the mirror. None if they lack it."""
        target = os.path.join(os.path.dirname(link), os.readlink(link).rstrip("/") or "/")
        folder, name = os.path.split(target)
        if name not in ("", ".", ".."):
            folder, missing = existing_part(os.path.realpath(folder))
            known = self._folders.get(_inode(folder))
            if known in self._complete and self._is_real(known):
                return os.path.join(known, missing, name)
        known = self._folders.get(_inode(target)) if os.path.isdir(target) else None
        return known if known is not None and self._is_real(known) else None

    def _is_repository(self, entry: os.DirEntry[str]) -> bool:
        """Return whether an entry is a Git repository, of which the mirror has got a private copy."""
        return entry.name == ".git" and copy_repository(Path(entry.path), Path(self.top + entry.path))

    def _is_linked(self, entry: os.DirEntry[str]) -> bool:
        """Return whether a folder is linked as a whole: it may change, is too deep, or is another project's store."""
        if may_change(entry.path) or len(os.fsencode(self.top + entry.path)) > LONGEST_PATH:
            return True
        return entry.name == os.path.basename(self._store) and self._is_far(entry.path)

    def _is_far(self, path: str) -> bool:
        """Return whether a path is outside the folders whose files are copied."""
        return not any(path.startswith(f"{root}/") for root in self._roots)

    def _is_real(self, folder: str) -> bool:
        return not os.path.islink(self.top + folder) and os.path.isdir(self.top + folder)

    def _listed(self, path: str) -> list[os.DirEntry[str]] | None:
        """Return the entries of a folder to mirror. Return None for one that is complete, or linked as a whole."""
        known = self._folders.setdefault(_inode(path), path)
        if known != path:  # a link to a folder
            self._copies.link(os.path.relpath(known, os.path.dirname(path)), path)
        if known != path or path in self._complete:
            return None
        self._complete.add(path)
        is_needed = path in self._needed
        most = None if is_needed else min(FOLDER_ENTRIES, self._listed_left)
        entries, is_complete = list_folder(path, most)
        self._listed_left = max(0, self._listed_left - len(entries))
        if not is_needed and (not is_complete or any(entry.name in ENVIRONMENT_MARKS for entry in entries)):
            self._copies.link(path, path)
            return None
        return sorted((entry for entry in entries if entry.path != self._store), key=lambda entry: entry.name)

    def _make_folder(self, path: str) -> None:
        place = self.top + path
        if os.path.islink(place) or not os.path.isdir(place):
            if os.path.lexists(place):
                remove(place)
            os.makedirs(place)

    def _remove_except(self, folder: str, names: set[str]) -> None:
        place = self.top + folder
        for name in os.listdir(place):
            if name not in names and os.path.join(folder, name) not in self._needed:
                remove(f"{place}/{name}")

    def _add_around(self, folder: str, is_near: bool) -> None:
        """Add the entries of a folder outside the project, as links unless they are next to the project."""
        entries = list_folder(folder, None)[0]
        entries = entries if len(entries) <= OUTSIDE_ENTRIES else []
        self._remove_except(folder, {entry.name for entry in entries})
        if is_near:
            self._complete.add(folder)
        for entry in (one for one in entries if one.path not in self._needed and not self._is_repository(one)):
            if not is_near or entry.name.startswith(".") or self._is_linked(entry):
                self._copies.link(entry.path, entry.path)
            elif entry.is_symlink():
                self._links.append((entry.path, False))
            elif entry.is_dir():
                self._fill(entry.path)
            else:
                self._copies.add_file(entry.path, entry.path in self._data)


def root_of(folder: Path, project: Path) -> Path:
    """Return the folder below which files are copied, for a run that works in `folder`."""
    return project if project in folder.parents else folder


def _inode(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino

"""The originals that the mirror of a run links: a run that changes one of them is not independent of the others."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from ablate.errors import UserError
from ablate.workloads.custom.mirrored_folders import ENVIRONMENT_MARKS, list_folder, may_change

CHECKED_ENTRIES = 5_000
"""Number of entries of a linked folder that are checked for changes."""

_UNCHECKED = {"__pycache__", "mlruns"}
"""Entries of a linked folder that are not checked: any import writes compiled modules, other studies write results."""


def states_of_links(folder: Path) -> Mapping[str, object]:
    """Return the state of each original that is linked in a folder of a mirror, by the link."""
    return {link: _state(link) for link in _links(folder)}


def check_unchanged(before: Mapping[str, object]) -> None:
    """Raise UserError if an original is not in the state that `states_of_links` returned."""
    for link, state in before.items():
        if _state(link) != state:
            raise UserError(
                f"The run changed {os.path.realpath(link)}, which the other runs read, too: it is declared as data or "
                "too large to be copied for each run. Write to another path, or declare shared_folder=True"
            )


def check_surroundings(top: Path, project: Path) -> None:
    """Raise UserError if a run has changed an original outside the project, through a link of the mirror at `top`.

    Other programs may change these originals, too. The run did if it has followed the link: its access time is later
    than its creation.
    """
    waiting = [str(top)]
    while waiting:
        for entry in list_folder(waiting.pop(), None)[0]:
            if entry.is_symlink():
                link = entry.stat(follow_symlinks=False)
                original = entry.path[len(str(top)) :]
                is_followed = link.st_atime_ns > link.st_ctime_ns and os.readlink(entry.path) == original
                if is_followed and not may_change(original) and (changed := _changed(original, link.st_ctime_ns)):
                    raise UserError(
                        f"The run changed {changed}, which the other runs read, too: it is not in the project "
                        f"({project}). Write to a path in the project, or declare shared_folder=True"
                    )
            elif entry.is_dir(follow_symlinks=False) and entry.path != f"{top}{project}":
                waiting.append(entry.path)


def _changed(original: str, since: int) -> str | None:
    """Return a file that has changed since a time, in nanoseconds: the original, or one in this folder."""
    if os.path.isfile(original):
        return original if os.stat(original).st_ctime_ns > since else None
    for entry in _entries_below(original):
        status = entry.stat(follow_symlinks=False)
        if status.st_ctime_ns > since and not entry.is_dir(follow_symlinks=False):
            return entry.path
    return None


def _links(folder: Path) -> Iterator[str]:
    """Yield the links in a folder of a mirror whose originals must not change."""
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = f"{place}/{name}"
            original = os.readlink(path) if os.path.islink(path) else ""
            if os.path.isabs(original) and not may_change(original):
                yield path


def _state(path: str) -> object:
    """Return the time and size of a file, or those of the files in a folder. Return None if it may change."""
    with suppress(OSError):
        if not os.path.isdir(path):
            status = os.stat(path)
            return status.st_mtime_ns, status.st_size
        found: list[tuple[object, ...]] = []
        for entry in _entries_below(path):
            if entry.name in ENVIRONMENT_MARKS:
                return None
            status = entry.stat(follow_symlinks=False)
            is_folder = entry.is_dir(follow_symlinks=False)
            found.append((entry.path,) if is_folder else (entry.path, status.st_mtime_ns, status.st_size))
        return found
    return None


def _entries_below(folder: str) -> Iterator[os.DirEntry[str]]:
    """Yield the first entries of a folder and of those in it."""
    waiting, left = [folder], CHECKED_ENTRIES
    while waiting and left:
        entries = list_folder(waiting.pop(), left)[0]
        left -= len(entries)
        for entry in entries:
            if entry.name not in _UNCHECKED:
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)

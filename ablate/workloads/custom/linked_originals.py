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


def _links(folder: Path) -> Iterator[str]:
    """Yield the links in a folder of a mirror whose originals must not change."""
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = f"{place}/{name}"
            original = os.readlink(path) if os.path.islink(path) else ""
            if os.path.isabs(original) and not may_change(original):
                yield path


def _state(path: str) -> object:
    """Return times and sizes of a file, or of the entries of a folder. Return None if it may change."""
    found: list[tuple[object, ...]] = []
    waiting = [path]
    with suppress(OSError):
        if not os.path.isdir(path):
            status = os.stat(path)
            return status.st_mtime_ns, status.st_size
        while waiting and len(found) < CHECKED_ENTRIES:
            for entry in list_folder(waiting.pop(), CHECKED_ENTRIES - len(found))[0]:
                if entry.name in ENVIRONMENT_MARKS:
                    return None
                status = entry.stat(follow_symlinks=False)
                found.append((entry.path, status.st_mtime_ns, status.st_size))
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
    return found

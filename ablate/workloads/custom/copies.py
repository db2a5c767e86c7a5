"""Copies of originals, and links to them, in the mirror of a run; unchanged ones are kept for the next run."""

from __future__ import annotations

import os
import shutil
import stat
import time

from ablate.errors import is_full_disk

CLOCK_TICK = 0.01
"""Seconds within which two changes of a file may have the same change time."""

_State = tuple[object, ...]


class Copies:
    """The copies and links in a mirror at `top`.

    Attributes:
        bytes_left: Total size of the files that may still be copied.
        files_left: Number of the files that may still be copied.
        keeps_links: Whether links to originals are kept. The access time of a new one shows whether a run followed it.
    """

    def __init__(self, top: str) -> None:
        self.top = top
        self.bytes_left = self.files_left = 0
        self.keeps_links = True
        self._made: dict[str, _State] = {}  # the state of each copy and link when it was made, by its original
        self._kept: dict[str, _State] = {}

    def begin(self, size: int, count: int) -> None:
        """Begin to restore the mirror, with at most `count` copies of a total `size`."""
        self.bytes_left, self.files_left, self.keeps_links, self._kept = size, count, True, {}

    def end(self) -> None:
        """End the restoration: what has been made since its beginning is what may be kept next time."""
        if self._made != self._kept:
            time.sleep(CLOCK_TICK)  # so that a change by the run has another time
        self._made = self._kept

    def add_file(self, path: str, is_data: bool) -> None:
        """Copy a file, or make a link to data and to what cannot be copied."""
        if is_data or not self._copy(path):
            self.link(path, path)

    def _copy(self, path: str) -> bool:
        """Copy a file, unless its copy is unchanged. Return False if it cannot be copied."""
        if not os.path.isfile(path) or not self.files_left or not os.access(path, os.R_OK):
            return False
        status = os.stat(path)
        if status.st_size > self.bytes_left:
            return False
        self.bytes_left -= status.st_size
        self.files_left -= 1
        source = status.st_ino, status.st_ctime_ns, status.st_size
        if not self._is_unchanged(path, source):
            try:
                shutil.copy2(path, self.top + path)
            except OSError as error:
                if is_full_disk(error):
                    raise
                return False
            self._note(path, source)
        return True

    def link(self, target: str, path: str) -> None:
        """Make a link to `target` in the place of `path`, unless it is unchanged."""
        if not self._is_unchanged(path, (target,)):
            os.symlink(target, self.top + path)
            if target != path or self.keeps_links:
                self._note(path, (target,))

    def _is_unchanged(self, path: str, source: _State) -> bool:
        """Return whether a copy or link is as it was made of `source`. Otherwise, remove it."""
        place, known = self.top + path, self._made.get(path)
        if not os.path.lexists(place):
            return False
        if known == (*source, *_identity(place)):
            self._kept[path] = known
            return True
        remove(place)
        return False

    def _note(self, path: str, source: _State) -> None:
        identity = _identity(self.top + path)
        if identity[1] % 1_000_000_000:  # the times of this file system are not whole seconds
            self._kept[path] = *source, *identity


def _identity(place: str) -> tuple[int, int]:
    status = os.lstat(place)
    return status.st_ino, status.st_ctime_ns


def remove(place: str) -> None:
    """Remove a file, a link or a folder."""
    if stat.S_ISDIR(os.lstat(place).st_mode):
        shutil.rmtree(place)
    else:
        os.unlink(place)

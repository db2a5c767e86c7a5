"""Find the files of the project that a function changes by their absolute paths, which are the same for all runs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ablate.errors import UserError

_WRITING = os.O_WRONLY | os.O_RDWR
_CLOCK = 5 if sys.platform == "linux" else time.CLOCK_REALTIME
"""The clock of the change times of files: CLOCK_REALTIME_COARSE, some milliseconds behind, has no name in Python."""

_IMPORTED = (".py", ".pyc", ".so")


class AbsolutePaths:
    """The files below `folders`, but not below `store`, that this process opens from now on.

    Files that the run creates are left out: a data set that the first run downloads does not change afterwards.
    """

    def __init__(self, folders: Sequence[Path], store: Path) -> None:
        self._folders, self._store = tuple(f"{folder}{os.sep}" for folder in folders), f"{store}{os.sep}"
        self._began = time.clock_gettime_ns(_CLOCK)
        self._created: set[str] = set()
        self._changed: set[str] = set()
        self._read: set[str] = set()
        sys.addaudithook(self._observe)

    def check(self) -> None:
        """Raise UserError if this process has changed one of the files, or if one that it has read has changed.

        PyTorch's C++ code, which writes checkpoints, is not observed. A file that it has written and read is found.
        """
        read = {path for path in self._read - self._created if (_change_time(path) or 0) >= self._began}
        if changed := sorted(self._changed | read):
            raise UserError(
                f"The run changed {changed[0]}, which the other runs read, too: an absolute path is the same file for "
                "all of them. Write to a relative path or to log.file(...), or declare shared_folder=True"
            )

    def _observe(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if self._is_shared(path):
                self._note(path, isinstance(flags, int) and bool(flags & _WRITING))
        elif event == "os.rename" and self._is_shared(arguments[1]):
            self._note(arguments[1], is_written=True)

    def _is_shared(self, path: object) -> bool:
        if not isinstance(path, str) or not path.startswith(self._folders) or path.startswith(self._store):
            return False
        return not path.endswith(_IMPORTED) and "__pycache__" not in path

    def _note(self, path: str, is_written: bool) -> None:
        if not is_written:
            self._read.add(path)
        elif _change_time(path) is None:
            self._created.add(path)
        elif path not in self._created:
            self._changed.add(path)


def _change_time(path: str) -> int | None:
    try:
        return Path(path).stat().st_ctime_ns
    except OSError:
        return None

"""Folders outside a project."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from ablate.errors import UserError


def cache_folder() -> Path:
    """Return the folder of downloads, decoded data and compiled kernels.

    It is ABLATE_CACHE, or the system's cache folder. Users without a home folder, as in some containers, get a
    temporary folder of their own.

    Raises:
        UserError: The temporary folder belongs to another user.
    """
    import platformdirs

    chosen = os.environ.get("ABLATE_CACHE")
    if chosen:
        return Path(os.path.expanduser(chosen)).absolute()  # noqa: PTH111 -- Path raises an error without a home
    try:
        return Path(platformdirs.user_cache_dir("ablate"))
    except RuntimeError:
        return _temporary_cache()


def provide_home() -> None:
    """Set HOME to the temporary folder of a user without a home folder. MLflow cannot be imported without one."""
    if os.path.expanduser("~") == "~":  # noqa: PTH111 -- Path raises an error without a home
        with suppress(OSError, UserError):  # the cache's folder reports them
            os.environ["HOME"] = str(_temporary_cache())


def _temporary_cache() -> Path:
    folder = Path(tempfile.gettempdir()) / f"ablate-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UserError(
            f"HOME is not set, and {folder} belongs to another user or is writable by others. "
            "Set ABLATE_CACHE to a folder of your own"
        )
    return folder

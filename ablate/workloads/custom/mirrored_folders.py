"""Folders that the mirror of a run links as a whole, those of them that may change during a run, and their entries."""

from __future__ import annotations

import os
from itertools import islice

_TOOLS = {
    ".git",
    ".hg",
    ".svn",
    "node_modules",
    ".tox",
    ".nox",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
}
"""Folders of tools, which are linked and may change."""

_ACCOUNT = {".ssh", ".gnupg", ".aws", ".cache", ".config", ".local", ".conda", ".cargo", ".rustup", ".npm", ".docker"}
_ACCOUNT |= {".kube"}
"""Folders of the user's account, which are linked and may change, where the project is the home folder."""

_HOME = os.path.expanduser("~")  # noqa: PTH111 -- Path raises an error without a home

_SYSTEM = {
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib64",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/snap",
    "/sys",
}
_SYSTEM |= {"/usr", "/var"}
"""Folders of the system, which are linked and may change, where the project is the root of the file system."""

ENVIRONMENT_MARKS = {"pyvenv.cfg", "conda-meta"}
"""Entries of the folder of a Python environment, which is linked and may change."""


def list_folder(folder: str, most: int | None) -> tuple[list[os.DirEntry[str]], bool]:
    """Return at most `most` entries of a folder, and whether they are all."""
    try:
        with os.scandir(folder) as found:
            return list(islice(found, most)), next(found, None) is None
    except PermissionError:
        return [], False


def existing_part(path: str) -> tuple[str, str]:
    """Return the part of a path that exists, and its rest."""
    folder, rest = path, ""
    while not os.path.lexists(folder):
        folder, name = os.path.split(folder)
        rest = f"{name}/{rest}".rstrip("/")
    return folder, rest


def may_change(original: str) -> bool:
    """Return whether a folder is one of tools, the user's account or the system, which programs change at any time."""
    folder, name = os.path.split(original)
    is_of_tool = name in _TOOLS or os.path.split(folder)[1] in _TOOLS
    return is_of_tool or os.path.realpath(original) in _SYSTEM or (name in _ACCOUNT and folder == _HOME)

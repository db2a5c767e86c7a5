"""Errors that a user can fix. Any other exception is a bug and keeps its traceback."""

from __future__ import annotations

import errno
from typing import TypeGuard

from ablate.wording import printable

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)


class UserError(Exception):
    """A problem outside the program. The message is one line: the problem and the remedy. Exit code 1."""

    exit_code = 1

    def __str__(self) -> str:
        """Return the message on one line; line breaks in quoted names are escaped."""
        return printable(super().__str__())


class UsageError(UserError):
    """A mistake on the command line or in a study file. Exit code 2."""

    exit_code = 2


def is_full_disk(error: BaseException) -> TypeGuard[OSError]:
    """Return whether an operation failed because the disk is full."""
    return isinstance(error, OSError) and error.errno in _DISK_FULL


PROCESS_LIMIT = "Raise the limit on processes and threads (`ulimit -u`, or that of the container), or use fewer --jobs"
MEMORY_LIMIT = "Raise the limit on memory (`ulimit -v`, or that of the container), or use fewer --jobs"
_SHORTAGES = {
    "can't start new thread": f"No further thread can be started. {PROCESS_LIMIT}",
    "Resource temporarily unavailable": f"No further thread can be started. {PROCESS_LIMIT}",
    "failed to map segment": f"Out of memory. {MEMORY_LIMIT}",
    "annot allocate memory": f"Out of memory. {MEMORY_LIMIT}",
}


def shortage(error: BaseException) -> str | None:
    """Return the problem and the remedy if memory or threads were refused. Libraries raise errors of any type."""
    return next((reason for text, reason in _SHORTAGES.items() if text in str(error)), None)


def explain(error: OSError) -> str:
    """Return an error of the operating system as one line: the problem and the remedy."""
    where = f"{error.filename}: " if error.filename else ""
    reason = error.strerror or str(error) or type(error).__name__
    if is_full_disk(error):
        return f"{where}{reason}. Free some space and repeat the command, it continues where it stopped"
    if error.errno == errno.EAGAIN:
        return f"{where}{reason}. {PROCESS_LIMIT}"
    if error.errno == errno.ENOMEM:
        return f"{where}{reason}. {MEMORY_LIMIT}"
    if error.errno in _NOT_ALLOWED:
        return f"{where}{reason}. Make it writable, or work in another folder"
    return f"{where}{reason}. `ablate doctor` checks the project, --debug shows the traceback"


class StoreError(UserError):
    """A request to the tracking store failed. Training continues, the journals keep everything."""


class UnreachableError(StoreError):
    """The tracking store does not answer, or denies access: other requests would fail, too."""

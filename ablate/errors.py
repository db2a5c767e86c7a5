"""The two kinds of mistake that a user can mend; everything else is a bug and keeps its traceback."""

from __future__ import annotations

import errno

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)


class UserError(Exception):
    """Something outside the program is wrong; the message is one line: what is wrong and what to do. Exit code 1."""

    exit_code = 1

    def __str__(self) -> str:
        """Return the message on one line, whatever the names and texts that it quotes hold."""
        text = super().__str__()
        return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


class UsageError(UserError):
    """The command line or a study file asks for something that does not exist. Exit code 2."""

    exit_code = 2


def explain(error: OSError) -> str:
    """Return what an error of the system means, in one line: what is wrong and what to do."""
    where = f"{error.filename}: " if error.filename else ""
    reason = error.strerror or str(error) or type(error).__name__
    if error.errno in DISK_FULL:
        return f"{where}{reason}: free some space; the same command then goes on from where it was"
    if error.errno in _NOT_ALLOWED:
        return f"{where}{reason}: make it writable, or work in a folder that is"
    return f"{where}{reason}; `ablate doctor` looks for what is wrong, --debug shows where it happened"


class StoreError(UserError):
    """The store did not take or give what it was asked for; training goes on and the journal keeps everything."""


class UnreachableError(StoreError):
    """The store does not answer, or not to us: asking for something else will not help."""

"""The two kinds of mistake that a user can mend; everything else is a bug and keeps its traceback."""

from __future__ import annotations


class UserError(Exception):
    """Something outside the program is wrong; the message is one line: what is wrong and what to do. Exit code 1."""

    exit_code = 1


class UsageError(UserError):
    """The command line or a study file asks for something that does not exist. Exit code 2."""

    exit_code = 2

"""Child processes that a training forks: the result of a run is that of the process that was started for it."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def forked_children_end() -> Iterator[None]:
    """End a process that is forked in this context when it leaves the context, as the child of a script ends.

    It has no result: the exit code is 0, that of `sys.exit`, or 1 after an exception, whose traceback is printed.
    """
    process, code = os.getpid(), 0
    try:
        yield
    except BaseException as error:
        if os.getpid() == process:
            raise
        code = _exit_code(error)
    if os.getpid() == process:
        return
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # closed
            stream.flush()
    os._exit(code)


def _exit_code(error: BaseException) -> int:
    if not isinstance(error, SystemExit):
        traceback.print_exception(error)
        return 1
    if error.code is None or isinstance(error.code, int):
        return (error.code or 0) & 0xFF
    print(error.code, file=sys.stderr)  # noqa: T201  # as `sys.exit` does
    return 1

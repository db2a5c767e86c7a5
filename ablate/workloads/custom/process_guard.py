"""Guard of a program: ends it, with its descendants, when the process that requested it closes a pipe or dies.

`python process_guard.py PIPE ARGUMENT...` runs the program with these arguments in a process group of its own. When the
other end of the file descriptor PIPE closes, for any reason, the program and its descendants get SIGTERM, and SIGKILL
after `GRACE` seconds. Descendants that are still alive when the program ends are ended in the same way. The exit code
is that of the program, or 128 + N if signal N ended it. The program inherits the other file descriptors that were
passed to the guard. Started by `program_runner`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from queue import SimpleQueue

import psutil

GRACE = 5.0
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of linux/prctl.h


def main(pipe: int, arguments: list[str]) -> int:
    """Run the program; return its exit code once it and its descendants have ended."""
    signal.signal(signal.SIGTERM, lambda _signal, _frame: None)  # only the pipe ends it; SIG_IGN would be inherited
    adopt_orphans()
    os.set_inheritable(pipe, False)
    group: SimpleQueue[int] = SimpleQueue()
    try:
        threading.Thread(target=_end_with_pipe, args=(pipe, group), daemon=True).start()
        program = subprocess.Popen(arguments, process_group=0, close_fds=False)
    except (OSError, RuntimeError) as error:  # for instance a limit on processes and threads
        sys.exit(f"error: Cannot start {arguments[0]}: {getattr(error, 'strerror', None) or error}")
    group.put(program.pid)
    code = program.wait()
    end_group(program.pid)
    return code if code >= 0 else 128 - code


def adopt_orphans() -> None:
    """Become the parent of orphaned descendants, on Linux; on other systems those that leave the group escape."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


def _end_with_pipe(pipe: int, group: SimpleQueue[int]) -> None:
    os.read(pipe, 1)  # returns when the other end is closed
    end_group(group.get())


def end_group(group: int) -> None:
    """End a process group and the descendants of this process: SIGTERM, and SIGKILL after `GRACE` seconds."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        members = _members(group)
        for process in members:
            with suppress(psutil.Error):
                process.send_signal(kind)
        deadline = time.monotonic() + GRACE
        while any(map(_is_alive, members)) and time.monotonic() < deadline:
            time.sleep(0.02)


def _members(group: int) -> list[psutil.Process]:
    """Return the live processes of a group and the live descendants of this process, which may have left the group."""
    found = set(psutil.Process().children(recursive=True))
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, PermissionError):
            if os.getpgid(process.pid) == group:
                found.add(process)
    return [process for process in found if _is_alive(process)]


def _is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))

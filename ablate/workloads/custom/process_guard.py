"""Runs a program and ends all of it when the process that asked for it says so, or is gone. Started by `program`.

`python guard.py CHANNEL ARGUMENT...` runs the program of these arguments in a process group of its own. When the pipe
CHANNEL closes at its other end, by whatever death, the program and all that it started get SIGTERM, and SIGKILL after
GRACE seconds; what a program leaves behind when it ends goes the same way. The exit code is the program's, or 128 and
the number of the signal that ended it.
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

import psutil

GRACE = 5.0
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of linux/prctl.h


def main(channel: int, arguments: list[str]) -> int:
    """Run the program, and return its exit code when all of it is gone."""
    signal.signal(signal.SIGTERM, lambda _signal, _frame: None)  # the channel ends it; SIG_IGN would be inherited
    _adopt_orphans()
    program = subprocess.Popen(arguments, process_group=0)
    threading.Thread(target=_end_with_channel, args=(channel, program.pid), daemon=True).start()
    code = program.wait()
    end(program.pid)
    return code if code >= 0 else 128 - code


def _adopt_orphans() -> None:
    """Become the parent of whatever descends from here and loses its own; elsewhere than on Linux they get away."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


def _end_with_channel(channel: int, group: int) -> None:
    os.read(channel, 1)  # returns when the other end is closed
    end(group)


def end(group: int) -> None:
    """End a process group, and all that descends from this process, kindly at first."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        members = _members(group)
        for process in members:
            with suppress(psutil.Error):
                process.send_signal(kind)
        deadline = time.monotonic() + GRACE
        while any(map(_lives, members)) and time.monotonic() < deadline:
            time.sleep(0.02)


def _members(group: int) -> list[psutil.Process]:
    """Return what lives of a process group, and of what descends from this process: some may have left the group."""
    found = set(psutil.Process().children(recursive=True))
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, PermissionError):
            if os.getpgid(process.pid) == group:
                found.add(process)
    return [process for process in found if _lives(process)]


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))

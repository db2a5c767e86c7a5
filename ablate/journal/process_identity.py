"""Whether the process that a record names is still alive.

A process is named by host, boot, pid and start: a pid alone is given out again. On Linux the start is counted from the
boot, so that a clock that is set back changes nothing.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SILENCE = 15 * 60.0
"""After how many seconds without a sign of life a run of another host may be held for dead."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def this_process() -> dict[str, Any]:
    """Return what names this process."""
    pid = os.getpid()
    return {"host": socket.gethostname(), "boot": _boot(), "pid": pid, "started": _started(pid)}


def is_alive(process: Mapping[str, Any]) -> bool | None:
    """Return whether `process` runs on this host, or None if it belongs to another one and nobody here can know."""
    if process["host"] != socket.gethostname():
        return None
    return bool(process["boot"] == _boot() and process["started"] == _started(int(process["pid"])))


def _boot() -> str:
    if _BOOT_ID.exists():
        return _BOOT_ID.read_text().strip()
    import psutil

    return f"{psutil.boot_time():.0f}"


def _started(pid: int) -> str | None:
    """Return when `pid` started, or None if there is no such process or it only waits to be reaped."""
    stat = Path(f"/proc/{pid}/stat")
    if _BOOT_ID.exists():
        try:
            state, *fields = stat.read_text().rpartition(")")[2].split()  # the name before ")" may hold spaces
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if state in "ZX" else fields[18]  # starttime, in clock ticks since boot (proc(5), field 22)
    import psutil

    return f"{psutil.Process(pid).create_time():.2f}" if psutil.pid_exists(pid) else None

"""Check whether the process named in a record is still alive.

A process is identified by host, boot, process id and start time, because process ids are reused. On Linux the start is
counted from the boot, so changes of the clock do not matter.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ablate.wording import printable

SILENCE = 15 * 60.0
"""Seconds without a heartbeat after which a run or a trial on another host is considered dead."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def this_process() -> dict[str, Any]:
    """Return the identity of this process: `host`, `boot`, `pid` and `started`."""
    pid = os.getpid()
    return {"host": _host(), "boot": _boot(), "pid": pid, "started": _started(pid)}


def is_alive(process: Mapping[str, Any]) -> bool | None:
    """Return whether `process` runs on this host, or None if it belongs to another host."""
    if process["host"] != _host():
        return None
    started = process["started"]  # null if the process had ended when it was recorded
    return bool(started and process["boot"] == _boot() and started == _started(int(process["pid"])))


def _host() -> str:
    """Return the name of this host. Control characters, which Linux permits, are escaped, as records have none."""
    return printable(socket.gethostname())


def _boot() -> str:
    if _BOOT_ID.exists():
        return _BOOT_ID.read_text(encoding="utf-8").strip()
    import psutil

    return f"{psutil.boot_time():.0f}"


def _started(pid: int) -> str | None:
    """Return when `pid` started, or None if there is no such process or it is a zombie."""
    if _BOOT_ID.exists():
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(errors="replace", encoding="utf-8")
        except (FileNotFoundError, ProcessLookupError):
            return None
        state, *fields = stat.rpartition(")")[2].split()  # the name before ")" may contain spaces
        return None if state in "ZX" else fields[18]  # starttime, in clock ticks since boot (proc(5), field 22)
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.NoSuchProcess:  # also if it ends meanwhile
        return None

"""What the executors' tests have computed: functions that a worker imports, as it does those of the package."""

from __future__ import annotations

import gc
import os
import signal
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from ablate.errors import UserError
from ablate.interrupts import Terminated

IMPORT = uuid.uuid4().hex
"""Differs with every import of this module."""


class AwkwardError(Exception):
    """An exception that cannot be unpickled: its class takes more than its message."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first)


def append(path: Path, line: str) -> None:
    with path.open("a") as file:
        file.write(line + "\n")


def double(number: int) -> int:
    return 2 * number


def visible_gpu(how: str) -> str | None:
    """What the worker sees of the GPUs, unless it is to be killed."""
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    return os.environ.get("CUDA_VISIBLE_DEVICES")


@dataclass(frozen=True)
class GpuUse:
    """The GPU of a call and its node, and when the call began and ended."""

    node: str
    gpu: str
    began: float
    ended: float


def occupy_gpu(_item: int) -> GpuUse:
    """Use the GPU that Ray assigns for a while."""
    import ray

    began = time.time()
    time.sleep(0.3)
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "none")
    return GpuUse(ray.get_runtime_context().get_node_id(), gpus, began, time.time())


def garbage_threshold(_item: int) -> int:
    """How many new objects make the worker's Python look for garbage."""
    return gc.get_threshold()[0]


def mirror(data: bytes) -> bytes:
    return data[::-1]


def clock(item: tuple[str, int, int]) -> tuple[float, float, int, str]:
    """When the call began and ended, where, and by which import; the first ones wait for each other."""
    folder, number, at_once = item
    began, started = time.time(), Path(folder) / "started"
    append(started, str(number))
    while len(started.read_text().split()) < at_once and time.time() < began + 60:
        time.sleep(0.01)
    time.sleep(0.05)
    return began, time.time(), os.getpid(), IMPORT


def end_badly(item: tuple[str, int]) -> int:
    """Return the number, or leave in the way that is asked for."""
    how, number = item
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "exit":
        os._exit(7)
    if how == "user":
        raise UserError(f"item {number} is wrong")
    if how == "awkward":
        raise AwkwardError("first", "second")
    if how == "unpicklable":
        return lambda: number  # type: ignore[return-value]  # what cannot travel
    time.sleep(0.1)
    return number


def linger(item: tuple[str, int]) -> int:
    """Return the number after a while."""
    folder, number = item
    (Path(folder) / f"{uuid.uuid4().hex}.begun").touch()
    time.sleep(2)
    return number


def wait_to_be_ended(item: tuple[str, float]) -> str:
    """Wait until asked to end, then take `slow` seconds to record it; "" returns at once."""
    folder, slow = item
    if not folder:
        return "done"
    mine = Path(folder) / f"{os.getpid()}-{uuid.uuid4().hex}"
    try:
        mine.with_suffix(".began").touch()  # within: a test may interrupt as soon as the file exists
        for _ in range(1200):  # short sleeps: Ray interrupts between two steps of Python, not within one
            time.sleep(0.05)
    except (Terminated, KeyboardInterrupt):
        mine.with_suffix(".asked").touch()
        finish = time.monotonic() + slow
        while time.monotonic() < finish:
            time.sleep(0.02)
        mine.with_suffix(".recorded").touch()
        raise
    return "nobody asked"


class _Patient:
    """An object whose destructor waits."""

    def __del__(self) -> None:
        time.sleep(60)


def wait_in_a_destructor(item: tuple[str, float]) -> None:
    """Wait until asked to end in a destructor, which ignores exceptions, then record it."""
    mine = Path(item[0]) / f"{os.getpid()}-{uuid.uuid4().hex}"
    try:
        mine.with_suffix(".began").touch()
        _Patient()
        time.sleep(60)
    except Terminated:
        mine.with_suffix(".recorded").touch()
        raise

"""Where the runs of a sweep are computed: one after the other, in processes, on a cluster."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.errors import UsageError
from ablate.runs.executors.contract import Executor, Lost
from ablate.runs.executors.processes import ProcessExecutor
from ablate.runs.executors.serial import SerialExecutor
from ablate.wording import unknown

EXECUTORS = ("serial", "processes", "ray")

__all__ = ["EXECUTORS", "Executor", "Lost", "ProcessExecutor", "SerialExecutor", "make_executor"]


def make_executor(
    name: str, slots: int, address: str | None = None, *, threads: int = 1, gpus: Sequence[str] = ()
) -> Executor:
    """Return the executor of that name with `slots` runs at a time; `address` is a Ray cluster's.

    A run takes so many threads and, where there are `gpus`, one of them: a worker process keeps to its own and shares
    it if there are more slots than GPUs, Ray hands each run one that is free.
    Raises UsageError for an unknown name, or where Ray is not installed.
    """
    if name == "serial":
        return SerialExecutor()
    if name == "processes":
        return ProcessExecutor(slots, gpus)
    if name == "ray":
        from ablate.runs.executors.ray_cluster import RayExecutor

        return RayExecutor(slots, address, threads=threads, gpus=float(bool(gpus)))
    raise UsageError(unknown("executor", name, EXECUTORS))

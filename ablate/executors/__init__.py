"""Where the runs of a sweep are computed: one after the other, in processes, on a cluster."""

from __future__ import annotations

from ablate.errors import UsageError
from ablate.executors.contract import Executor, Lost
from ablate.executors.processes import ProcessExecutor
from ablate.executors.serial import SerialExecutor
from ablate.workload import Conditions

EXECUTORS = ("serial", "processes", "ray")

__all__ = ["EXECUTORS", "Executor", "Lost", "ProcessExecutor", "SerialExecutor", "make_executor"]


def make_executor(name: str, slots: int, conditions: Conditions, address: str | None = None) -> Executor:
    """Return the executor of that name with `slots` runs at a time; `address` is a Ray cluster's.

    A run under `conditions` takes so many threads and, on CUDA, one device.

    Raises UsageError for an unknown name, or where Ray is not installed.
    """
    if name == "serial":
        return SerialExecutor()
    if name == "processes":
        return ProcessExecutor(slots)
    if name == "ray":
        from ablate.executors.ray_cluster import RayExecutor

        return RayExecutor(slots, address, threads=conditions.threads, gpus=float(conditions.device == "cuda"))
    raise UsageError(f"there is no executor {name!r} (known: {', '.join(EXECUTORS)})")

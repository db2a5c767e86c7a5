"""Executors of the runs of a sweep: serial, in worker processes, on a Ray cluster."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.errors import UsageError
from ablate.runs.executors.contract import Executor, WorkerLost
from ablate.runs.executors.processes import ProcessExecutor
from ablate.runs.executors.serial import SerialExecutor
from ablate.wording import unknown

EXECUTORS = ("serial", "processes", "ray")

__all__ = ["EXECUTORS", "Executor", "ProcessExecutor", "SerialExecutor", "WorkerLost", "make_executor"]


def make_executor(
    name: str, slots: int, address: str | None = None, *, threads: int = 1, gpus: Sequence[str] = ()
) -> Executor:
    """Return the executor `name`.

    Args:
        name: `serial`, `processes` or `ray`.
        slots: Number of runs at a time.
        address: Address of a Ray cluster.
        threads: CPU threads per run.
        gpus: GPUs to use, one per run. Each worker process keeps one GPU, and shares it if there are more slots than
            GPUs. Ray assigns a free GPU to each run.

    Raises:
        UsageError: If the name is unknown or Ray is not installed.
    """
    if name == "serial":
        return SerialExecutor()
    if name == "processes":
        return ProcessExecutor(slots, gpus)
    if name == "ray":
        from ablate.runs.executors.ray_cluster import RayExecutor

        return RayExecutor(slots, address, threads=threads, gpus=float(bool(gpus)))
    raise UsageError(unknown("executor", name, EXECUTORS))

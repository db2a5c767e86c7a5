"""Executors of the runs of a sweep: serial, in worker processes, on a Ray or a Slurm cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ablate.errors import UsageError
from ablate.runs.executors.contract import Executor, WorkerLost
from ablate.runs.executors.processes import ProcessExecutor
from ablate.runs.executors.serial import SerialExecutor
from ablate.wording import unknown

EXECUTORS = ("serial", "processes", "ray", "slurm")

__all__ = ["EXECUTORS", "Executor", "ProcessExecutor", "SerialExecutor", "SlurmJobs", "WorkerLost", "make_executor"]


@dataclass(frozen=True)
class SlurmJobs:
    """The jobs of a Slurm cluster.

    Attributes:
        folder: The folder of their queues and logs, on a file system that all nodes share.
        options: Options of sbatch by their long name; True for flags.
        calls_per_job: After how many runs a job ends. Default: when no run is left.
    """

    folder: Path = Path("mlruns/slurm")
    options: Mapping[str, str | bool] = field(default_factory=dict)
    calls_per_job: int | None = None


def make_executor(
    name: str,
    slots: int,
    address: str | None = None,
    *,
    threads: int = 1,
    gpus: Sequence[str] = (),
    jobs: SlurmJobs | None = None,
) -> Executor:
    """Return the executor `name`.

    Args:
        name: `serial`, `processes`, `ray` or `slurm`.
        slots: Number of runs at a time.
        address: Address of a Ray cluster.
        threads: CPU threads per run.
        gpus: GPUs to use, one per run. Each worker process keeps one GPU, and shares it if there are more slots than
            GPUs. Ray assigns a free GPU to each run.
        jobs: The jobs of a Slurm cluster.

    Raises:
        UsageError: If the name is unknown, or Ray or submitit is not installed.
    """
    if name == "serial":
        return SerialExecutor()
    if name == "processes":
        return ProcessExecutor(slots, gpus)
    if name == "ray":
        from ablate.runs.executors.ray_cluster import RayExecutor

        return RayExecutor(slots, address, threads=threads, gpus=float(bool(gpus)))
    if name == "slurm":
        from ablate.runs.executors.slurm.cluster import SlurmCluster, import_submitit
        from ablate.runs.executors.slurm.executor import SlurmExecutor

        jobs = jobs or SlurmJobs()
        import_submitit()
        return SlurmExecutor(slots, SlurmCluster(jobs.options, threads), jobs.folder.absolute(), jobs.calls_per_job)
    raise UsageError(unknown("executor", name, EXECUTORS))

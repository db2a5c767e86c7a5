"""The data, the hardware and the executor of runs, as chosen by arguments of Python or options of the command line."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ablate.cores import idle_cores, usable_cores
from ablate.errors import UsageError
from ablate.studies.conditions import RequestedConditions
from ablate.workloads.resnet9.workload import WORKLOAD, useful_threads

if TYPE_CHECKING:
    from ablate.data import ImageSource
    from ablate.runs.executors import Executor
    from ablate.studies.conditions import Conditions
    from ablate.studies.job import Data
    from ablate.studies.recipe import Recipe
    from ablate.studies.workload import Workload

DEFAULT_DATASET = "cifar10"
FULL_PRESET = "notebook"
"""The preset at full scale, the default on a CUDA GPU."""

CLUSTER_JOBS = 10
"""Runs at a time on a Slurm cluster, or with the GPUs of a Ray cluster, by default."""

ANY_GPU = ("any",)
"""The GPU of a run on another machine, which Ray assigns."""


@dataclass(frozen=True)
class DataChoice:
    """The images to train on.

    Attributes:
        dataset: Name of a data set; by default CIFAR-10, or the preset's.
        data_dir: Folder of images, Parquet files, or archive.
        splits: Splits in `data_dir`: `train=A,test=B`.
    """

    dataset: str | None = None
    data_dir: str | PathLike[str] | None = None
    splits: str | None = None

    def source(self, default: str | None = None) -> ImageSource:
        """Return the source of the images: the one given, else the data set `default`, else CIFAR-10."""
        from ablate.data import ImageSource

        folder = Path(self.data_dir).expanduser().absolute() if self.data_dir else None
        return ImageSource(self.dataset or default or DEFAULT_DATASET, folder, self.splits or "")

    def open(self, recipe: Recipe, preset: str) -> Data:
        """Open the data of a recipe: the source given, else the preset's data set, else the workload's own data."""
        from ablate import console
        from ablate.workloads.dispatch import open_data

        default = recipe.workload.preset(preset).dataset
        source = self.source(default) if default or self.dataset or self.data_dir or self.splits else None
        with console.DecodingBar() as bar:
            data = open_data(recipe, source, bar)
        for note in data.notes:
            console.info(f"data: {note}")
        return data


@dataclass(frozen=True)
class ComputeChoice:
    """The hardware, and how it is used.

    Attributes:
        device: `auto`, `cpu`, `cuda` or `mps`.
        precision: `auto`, `bf16` or `fp32`.
        threads: CPU threads per run; by default by idle cores and batch size.
        compiled: Whether to compile the network with torch.compile.
        fused: Whether to use the fused kernels; by default if available.
    """

    device: str = RequestedConditions.device
    precision: str = RequestedConditions.precision
    threads: int | None = RequestedConditions.threads
    compiled: bool = RequestedConditions.compiled
    fused: bool | None = RequestedConditions.fused

    def conditions(self, workload: Workload, *, is_remote: bool = False) -> Conditions:
        """Return the conditions of a run on this machine, or on another one with the device requested."""
        from ablate.workloads.dispatch import resolve_conditions

        requested = RequestedConditions(
            self.device, self.precision, self.threads, self.compiled, self.fused, is_remote=is_remote
        )
        return resolve_conditions(workload, requested)

    def with_threads(self, conditions: Conditions, recipe: Recipe, slots: int = 1) -> Conditions:
        """Return the conditions of each of `slots` parallel runs, with the threads given, or those that it can use."""
        most = max(1, conditions.threads // slots)
        useful = useful_threads(recipe, most) if recipe.workload is WORKLOAD else most
        return replace(conditions, threads=self.threads or useful)

    def for_one_run(self, conditions: Conditions, recipe: Recipe) -> Conditions:
        """Return the conditions of a run that starts now: by default without threads for cores that are busy."""
        found = self.with_threads(conditions, recipe)
        if self.threads or found.threads == 1 or found.device != "cpu":
            return found
        return replace(found, threads=min(found.threads, idle_cores()))


class Workers(NamedTuple):
    """The conditions of each run, and the executor of all."""

    conditions: Conditions
    executor: Executor


@dataclass(frozen=True)
class ExecutionChoice:
    """Where runs or trials are executed, and how many in parallel.

    Attributes:
        jobs: Parallel runs or trials; by default by number of cores or GPUs.
        executor: `serial`, `processes`, `ray` or `slurm`.
        max_failures: Failed runs or trials after which the work stops.
        mix: Whether runs of other devices and precisions are reused.
        address: Address of a running Ray cluster.
        slurm: Options of sbatch for the jobs on a Slurm cluster, as `KEY=VALUE,...`.
        runs_per_job: After how many runs a Slurm job ends; by default when no run is left.
    """

    jobs: int | None = None
    executor: str = "processes"
    max_failures: int = 5
    mix: bool = False
    address: str | None = None
    slurm: str | None = None
    runs_per_job: int | None = None

    def workers(self, recipe: Recipe, compute: ComputeChoice) -> Workers:
        """Return the executor and the conditions of each run.

        On this machine, parallel runs share the cores, and a single one needs no process.
        """
        from ablate.runs.executors import make_executor

        if self.address and self.executor != "ray":
            raise UsageError("--address is the address of a Ray cluster: add --executor ray")
        if self.executor == "slurm":
            return self._slurm_workers(recipe, compute)
        if self.slurm is not None or self.runs_per_job is not None:
            raise UsageError("--slurm and --runs-per-job apply to jobs on a Slurm cluster: add --executor slurm")
        is_remote = self._uses_gpus_of_ray(compute)
        whole = compute.conditions(recipe.workload, is_remote=is_remote)
        gpus = ANY_GPU if is_remote else _gpus(whole)
        most = self.jobs or (CLUSTER_JOBS if is_remote else _parallel_runs(whole, compute.threads))
        slots = 1 if recipe.workload.shared_folder or self.executor == "serial" else most
        conditions = compute.with_threads(whole, recipe, slots)
        name = "serial" if self.executor == "processes" and slots == 1 else self.executor
        return Workers(conditions, make_executor(name, slots, self.address, threads=conditions.threads, gpus=gpus))

    def _slurm_workers(self, recipe: Recipe, compute: ComputeChoice) -> Workers:
        """Return the executor on a Slurm cluster. The device and the threads are those that its jobs request."""
        from ablate.runs.executors import SlurmJobs, make_executor
        from ablate.runs.executors.slurm.options import parse_options, requested_cpus, requests_gpu
        from ablate.tracking import Project

        options = parse_options(self.slurm or "")
        device = ("cuda" if requests_gpu(options) else "cpu") if compute.device == "auto" else compute.device
        there = replace(compute, device=device, threads=compute.threads or requested_cpus(options) or 1)
        conditions = there.with_threads(there.conditions(recipe.workload, is_remote=True), recipe)
        slots = 1 if recipe.workload.shared_folder else self.jobs or CLUSTER_JOBS
        jobs = SlurmJobs(Project.find().slurm, options, self.runs_per_job)
        return Workers(conditions, make_executor("slurm", slots, threads=conditions.threads, jobs=jobs))

    def _uses_gpus_of_ray(self, compute: ComputeChoice) -> bool:
        """Return whether the runs use GPUs of a Ray cluster and this machine has none."""
        from ablate.workloads.resnet9.devices import available_devices

        is_cluster = self.executor == "ray" and bool(self.address or os.environ.get("RAY_ADDRESS"))
        return is_cluster and compute.device == "cuda" and "cuda" not in available_devices()


def _gpus(conditions: Conditions) -> tuple[str, ...]:
    if conditions.device != "cuda":
        return ()
    from ablate.workloads.resnet9.devices import gpus

    return gpus()


def _parallel_runs(conditions: Conditions, threads: int | None) -> int:
    """Return one run per GPU, or as many as use every core once."""
    return max(1, len(_gpus(conditions)) if conditions.device == "cuda" else usable_cores() // (threads or 1))

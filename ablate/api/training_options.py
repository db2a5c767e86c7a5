"""The arguments that choose data, hardware, executor and store, as types, and their choice of values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from numbers import Integral
from os import PathLike
from typing import Any, TypedDict, TypeVar

from ablate.errors import UsageError
from ablate.wording import nearest, unknown_name

Choice = TypeVar("Choice")


class TrainingOptions(TypedDict, total=False):
    """Data, hardware and store of runs. The names are those of the options of the command line.

    Attributes:
        dataset: Name of a data set; by default CIFAR-10, or the preset's.
        data_dir: Folder of images, Parquet files, or archive.
        splits: Splits in `data_dir`: `train=A,test=B`.
        device: `auto`, `cpu`, `cuda` or `mps`.
        precision: `auto`, `bf16` or `fp32`.
        threads: CPU threads per run.
        compiled: Whether to compile the network with torch.compile.
        fused: Whether to use the fused kernels.
        tracking_uri: MLflow tracking URI.
        offline: Whether runs are recorded in local journals only.
        progress: Whether progress is shown: True as a command shows it, None in notebooks only.
        again: Whether finished runs are repeated.
    """

    dataset: str | None
    data_dir: str | PathLike[str] | None
    splits: str | None
    device: str
    precision: str
    threads: int | None
    compiled: bool
    fused: bool | None
    tracking_uri: str | None
    offline: bool
    progress: bool | None
    again: bool


class SweepOptions(TrainingOptions, total=False):
    """Execution of the runs of a study.

    Attributes:
        executor: `serial`, `processes`, `ray` or `slurm`.
        max_failures: Failed runs after which the work stops.
        mix: Whether runs of other devices and precisions are reused.
        address: Address of a running Ray cluster.
        slurm: Options of sbatch for the jobs on a Slurm cluster, as `KEY=VALUE,...`.
        runs_per_job: After how many runs a Slurm job ends.
        until_clear: Whether comparisons that are settled stop early, at 5, 10 and 20 seeds.
        retry_failed: Whether failed runs are repeated.
    """

    executor: str
    max_failures: int
    mix: bool
    address: str | None
    slurm: str | None
    runs_per_job: int | None
    until_clear: bool
    retry_failed: bool


_LEAST = {"jobs": 1, "threads": 1, "trials": 1, "max_failures": 1, "runs_per_job": 1, "sampler_seed": 0}
"""The least values of arguments that are integers."""


def check_options(options: Mapping[str, Any], known: frozenset[str]) -> None:
    """Raise UsageError for an argument that is not known, and for a number that is too small."""
    for name, value in options.items():
        if name not in known:
            raise UsageError(unknown_name("argument", name, nearest(name, known)))
        least = _LEAST.get(name)
        if least is None or value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
            raise UsageError(f"{name} must be an integer of at least {least}, not {value!r}")


def chosen(kind: type[Choice], options: Mapping[str, Any]) -> Choice:
    """Return a dataclass with the options that are its fields."""
    names = {item.name for item in fields(kind)}  # type: ignore[arg-type]  # every kind here is a dataclass
    return kind(**{name: value for name, value in options.items() if name in names})

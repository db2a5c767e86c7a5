"""Options of sbatch, as `--slurm` takes them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ablate.errors import UsageError

FLAGS = (
    "contiguous",
    "exclusive",
    "hold",
    "no-kill",
    "no-requeue",
    "overcommit",
    "oversubscribe",
    "reboot",
    "requeue",
    "spread-job",
    "use-min-nodes",
)
"""Options without a value. Another word without `=` belongs to the value before it: `nodelist=n1,n2`."""

RESERVED = {
    "array": "--jobs and --runs-per-job set it",
    "job-name": "the name identifies the jobs of a sweep",
    "nodes": "a run uses one process on one node",
    "ntasks": "a run uses one process on one node",
    "ntasks-per-node": "a run uses one process on one node",
    "open-mode": "a job that continues appends to its log",
    "output": "logs are written to mlruns/slurm",
    "error": "logs are written to mlruns/slurm",
    "parsable": "the output of sbatch is read",
    "signal": "the signal before the time limit ends the run at a checkpoint",
    "test-only": "--dry-run prints the script",
    "wait": "the command waits for the runs",
    "wrap": "the jobs make the runs",
}
"""Options that cannot be set, and why."""

LONGEST_WARNING = 90
"""Seconds between the signal that ends a run and the time limit."""

_OPTION = re.compile(r"\s*[a-z][a-z_-]*\s*=")
_TIME = re.compile(
    r"(?:(?P<days>\d+)-(?P<hours>\d+)(?::(?P<minutes>\d+))?(?::(?P<seconds>\d+))?|(?P<clock>\d+(?::\d+){0,2}))"
)


def parse_options(text: str) -> dict[str, str | bool]:
    """Return the options of `KEY=VALUE,...`. Flags have the value True.

    Raises:
        UsageError: If the text is malformed or sets an option that is reserved.
    """
    found: dict[str, str | bool] = {}
    last = ""
    for part in filter(str.strip, text.split(",")):
        word = part.strip().replace("_", "-")
        if _OPTION.match(part):
            name, _, value = part.partition("=")
            last = name.strip().replace("_", "-")
            found[last] = value.strip()
        elif word in FLAGS:
            last, found[word] = "", True
        elif last:
            found[last] = f"{found[last]},{part.strip()}"
        else:
            raise UsageError(f"--slurm takes KEY=VALUE,... such as partition=gpu,time=02:00:00, not {part.strip()!r}")
    for name, given in found.items():
        if len(name) == 1 or given == "":
            raise UsageError(
                f"--slurm takes the long names of options of sbatch, each with a value, not {name}={given}"
            )
        reserved = next((option for option in RESERVED if option.startswith(name)), None)  # sbatch takes abbreviations
        if reserved:
            raise UsageError(f"--slurm cannot set {reserved}: {RESERVED[reserved]}")
    return found


def requests_gpu(options: Mapping[str, str | bool]) -> bool:
    """Return whether a job has a GPU."""
    return "gpu" in str(options.get("gres", "")) or any(name.startswith("gpus") for name in options)


def requested_cpus(options: Mapping[str, str | bool]) -> int | None:
    """Return the CPUs of a job, or None if the options leave them out. Raises UsageError for another text."""
    value = options.get("cpus-per-task")
    if value is None:
        return None
    if not str(value).isdecimal() or int(value) < 1:
        raise UsageError(f"--slurm: cpus-per-task takes a number from 1, not {value!r}")
    return int(value)


def warning_seconds(limit: str | bool | None) -> int:
    """Return how long before the time limit a run is asked to end: at most a quarter of the limit."""
    seconds = _seconds(str(limit))
    return LONGEST_WARNING if seconds is None else max(1, min(LONGEST_WARNING, seconds // 4))


def _seconds(limit: str) -> int | None:
    """Return a time limit of sbatch in seconds: `minutes`, `hours:minutes:seconds`, `days-hours` and the like."""
    found = _TIME.fullmatch(limit)
    if not found:
        return None
    if found["clock"] is None:
        days, hours, minutes, seconds = (int(found[name] or 0) for name in ("days", "hours", "minutes", "seconds"))
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    numbers = [int(part) for part in found["clock"].split(":")]
    if len(numbers) == 1:
        return 60 * numbers[0]
    hours, minutes, seconds = [0] * (3 - len(numbers)) + numbers
    return (hours * 60 + minutes) * 60 + seconds

"""Whole studies at the notebook's scale: one run at a time, and several."""

from __future__ import annotations

import io
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import Figure
from benchmarks.sweeps import command, project, timed_sweep

Sweep = Callable[..., tuple[float, dict[str, Any]]]


def write_images(path: Path, train: int, test: int) -> None:
    """Write an archive of synthetic images of CIFAR-10's size and classes: a pattern per class, with noise.

    Without a pattern, runs would not learn and count as unstable.
    """
    random = np.random.default_rng(0)
    patterns = random.integers(0, 128, (10, 32, 32, 3), dtype=np.uint8)
    with tarfile.open(path, "w") as archive:
        for split, count in (("train", train), ("test", test)):
            for number in range(count):
                label = number % 10
                pixels = patterns[label] + random.integers(0, 128, (32, 32, 3), dtype=np.uint8)
                content = b"P6 32 32 255\n" + pixels.tobytes()
                member = tarfile.TarInfo(f"{split}/{label}/{number:05}.ppm")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


@contextmanager
def prepared(*options: str, train: int = 50_000, test: int = 10_000) -> Iterator[Sweep]:
    """Yield the sweep command of the notebook preset on synthetic, decoded images: it returns seconds and summary."""
    with project() as (folder, environment):
        write_images(folder / "images.tar", train, test)
        data = ("--data-dir", "images.tar")
        command(folder, environment, "data", "info", *data)

        def sweep(*more: str) -> tuple[float, dict[str, Any]]:
            return timed_sweep(folder, environment, "--offline", *data, *options, *more, preset="notebook")

        yield sweep


def leave_one_out(sweep: Sweep, goal: float, seeds: int = 5) -> Figure:
    """Time the study of the seven components, including the command's start and the report."""
    wall, summary = sweep("--seeds", str(seeds), "--name", "study")
    ends = Counter(run["status"] for run in summary["runs"])
    runs = ", ".join(f"{count} {status}" for status, count in ends.items())
    detail = f"runs: {runs}; {summary['seconds']:.0f} s without report; images decoded before"
    return Figure(f"leave-one-out study, {seeds} seeds", "nothing", "s", goal, (wall,), detail, False)


def several_at_a_time(sweep: Sweep, goal: float, seeds: int = 4, epochs: int = 4) -> Figure:
    """Compare a small study with one run at a time with several runs at a time on one device.

    The time is from the start of the command to the last run; the report is excluded.
    """
    seconds = {}
    for jobs in (1, 2, 4):
        arguments = ("--factors", "dropout", "--seeds", str(seeds), "--epochs", str(epochs), "--again")
        _, summary = sweep(*arguments, "--jobs", str(jobs), "--name", f"jobs{jobs}")
        seconds[jobs] = summary["seconds"]
    detail = f"{2 * seeds} runs, " + ", ".join(f"{jobs} at a time: {second:.1f} s" for jobs, second in seconds.items())
    gain = seconds[1] / min(second for jobs, second in seconds.items() if jobs > 1)
    return Figure("runs at a time on one device", "one at a time", "x", goal, (gain,), detail)

"""Whole studies by the command, at the notebook's scale: one run after the other, and several at a time."""

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
    """Write an archive of images like CIFAR-10's, ten classes in turn: each is noise over its class's pattern.

    A pattern, for what learns nothing counts as unstable, and what diverges ends early.
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
    """The sweep command of the notebook preset on such images, decoded beforehand: its seconds and its summary."""
    with project() as (folder, environment):
        write_images(folder / "images.tar", train, test)
        data = ("--data-dir", "images.tar")
        command(folder, environment, "data", "info", *data)

        def sweep(*more: str) -> tuple[float, dict[str, Any]]:
            return timed_sweep(folder, environment, "--offline", *data, *options, *more, preset="notebook")

        yield sweep


def leave_one_out(sweep: Sweep, goal: float, seeds: int = 5) -> Figure:
    """Time the study of the seven components: the whole command, from its start to the end of its report."""
    wall, summary = sweep("--seeds", str(seeds), "--name", "study")
    ends = Counter(run["status"] for run in summary["runs"])
    runs = ", ".join(f"{count} {status}" for status, count in ends.items())
    detail = f"runs: {runs}; {summary['seconds']:.0f} s without report; images decoded before"
    return Figure(f"leave-one-out study, {seeds} seeds", "nothing", "s", goal, (wall,), detail, False)


def several_at_a_time(sweep: Sweep, goal: float, seeds: int = 4, epochs: int = 4) -> Figure:
    """Hold a small study's runs one at a time against several at a time on one device.

    The time is that from the command's start to the last run, workers included: the report is the same for all.
    """
    seconds = {}
    for jobs in (1, 2, 4):
        arguments = ("--factors", "dropout", "--seeds", str(seeds), "--epochs", str(epochs), "--again")
        _, summary = sweep(*arguments, "--jobs", str(jobs), "--name", f"jobs{jobs}")
        seconds[jobs] = summary["seconds"]
    detail = f"{2 * seeds} runs, " + ", ".join(f"{jobs} at a time: {second:.1f} s" for jobs, second in seconds.items())
    gain = seconds[1] / min(second for jobs, second in seconds.items() if jobs > 1)
    return Figure("runs at a time on one device", "one at a time", "x", goal, (gain,), detail)

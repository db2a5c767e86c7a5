"""How cost grows with what is asked: runs planned, reports, and the memory of a long sweep."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

from benchmarks.measure import Figure
from benchmarks.sweeps import project


def memory_over_a_sweep(goal: float, runs: int = 200) -> Figure:
    """Sweep `runs` short runs and hold the memory of the whole process tree in its last quarter against its second.

    The first quarter fills caches. Resident memory, shared pages counted once a process: a leak shows as growth.
    """
    with project() as (folder, environment):
        arguments = ["--preset", "demo", "--epochs", "1", "--factors", "dropout", "--name", "long", "--json"]
        command = [sys.executable, "-m", "ablate", "sweep", *arguments, "--seeds", str(runs // 2)]
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        samples: list[tuple[int, float]] = []
        watching = threading.Thread(target=_watch, args=(process, folder / "mlruns" / "journal", samples))
        watching.start()
        if process.wait():
            raise RuntimeError("the long sweep failed")
        watching.join()
    quarters = [[size for done, size in samples if runs * q // 4 <= done < runs * (q + 1) // 4] for q in range(4)]
    means = [sum(part) / len(part) for part in quarters]
    detail = "MB by quarter: " + ", ".join(f"{mean:.0f}" for mean in means)
    return Figure(
        f"memory, sweep of {runs} runs", "its second quarter", "x", goal, (means[3] / means[1],), detail, False
    )


def _watch(process: subprocess.Popen[bytes], journals: Path, samples: list[tuple[int, float]]) -> None:
    """Collect (runs begun, megabytes) twice a second until the process ends."""
    top = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            sizes = [one.memory_info().rss for one in [top, *top.children(recursive=True)]]
        except psutil.NoSuchProcess:  # a worker ended meanwhile
            continue
        samples.append((len(list(journals.glob("*.jsonl"))), sum(sizes) / 1e6))
        time.sleep(0.5)


def seconds_by(option: str, values: tuple[int, ...], *more: str) -> Figure:
    """Time demo runs by the values of a setting; the figure is how far the time is from a straight line through them.

    The largest residual of a least-squares line, in percent of the longest time.
    """
    import numpy as np

    seconds = []
    with project() as (folder, environment):
        for value in (values[0], *values):  # the first one decodes the data and makes the store
            command = [sys.executable, "-m", "ablate", "run", "--preset", "demo", "--again", "--json", "--threads", "1"]
            done = subprocess.run(
                [*command, f"--{option}", str(value), *more],
                check=True, capture_output=True, text=True, cwd=folder, env=environment,
            )  # fmt: skip
            seconds.append(float(json.loads(done.stdout)["seconds"]))
    times = np.array(seconds[1:])
    line = np.polynomial.Polynomial.fit(values, times, 1)
    off = 100 * float(np.abs(times - line(np.array(values))).max() / times.max())
    detail = ", ".join(f"{value}: {time:.1f} s" for value, time in zip(values, times, strict=True))
    return Figure(f"time by {option}", "a straight line", "% off", 15.0, (off,), detail, False)

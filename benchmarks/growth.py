"""The growth of cost with size: training, planning, reports, and the memory of a long sweep."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import psutil

from benchmarks.measure import Figure
from benchmarks.sweeps import finished, project


def memory_over_a_sweep(goal: float, runs: int = 200) -> Figure:
    """Compare the memory of all processes in the last quarter of a sweep of short runs with that in its second quarter.

    The first quarter fills caches. Resident memory, with shared pages counted once per process; a leak shows as growth.
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
    """Collect the number of started runs and the megabytes, twice a second until the process ends."""
    top = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            sizes = [one.memory_info().rss for one in [top, *top.children(recursive=True)]]
        except psutil.NoSuchProcess:  # a worker ended in between
            continue
        samples.append((len(list(journals.glob("*.jsonl"))), sum(sizes) / 1e6))
        time.sleep(0.5)


def training_by(option: str, values: tuple[int, ...], *more: str) -> Figure:
    """Time demo runs by the value of a setting, with the options `more`."""
    seconds = []
    with project() as (folder, environment):
        for value in (values[0], *values):  # the first one decodes the data and creates the store
            command = [sys.executable, "-m", "ablate", "run", "--preset", "demo", "--again", "--json", "--threads", "1"]
            done = subprocess.run(
                [*command, f"--{option}", str(value), *more],
                check=True, capture_output=True, text=True, cwd=folder, env=environment,
            )  # fmt: skip
            seconds.append(float(json.loads(done.stdout)["seconds"]))
    return nonlinearity(f"training by {option}", values, seconds[1:])


def planning_by_runs(values: tuple[int, ...], rounds: int) -> Figure:
    """Time the planning of a sweep over finished runs, by their number."""
    seconds = []
    for runs in values:
        with finished(runs) as plan:
            seconds.append(median(plan() for _ in range(rounds)))
    return nonlinearity("planning by runs", values, seconds)


def report_by(what: str, values: tuple[int, ...]) -> Figure:
    """Time `ablate report` on a table of synthetic runs, by the number of "arms" (five seeds each) or of "seeds"."""
    seconds = []
    with project() as (folder, environment):
        for value in (values[0], *values):
            arms, seeds = (value, 5) if what == "arms" else (4, value)
            synthetic(arms, seeds).to_csv(folder / "runs.csv", index=False)
            command = [sys.executable, "-m", "ablate", "report", "synthetic", "--runs", "runs.csv", "--margin", "0.5"]
            started = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, cwd=folder, env=environment)
            seconds.append(time.perf_counter() - started)
    return nonlinearity(f"report by {what}", values, seconds[1:])


def synthetic(arms: int, seeds: int) -> pd.DataFrame:
    """Return a table of synthetic runs: a baseline and ablated arms, with noise per seed and noise per run."""
    random = np.random.default_rng(0)
    scores = 0.75 + 0.01 * random.normal(size=(1, seeds)) + 0.01 * random.normal(size=(arms, seeds))
    names = ["baseline", *(f"no-part{number}" for number in range(1, arms))]
    rows = [(names[arm], seed, "finished", scores[arm, seed]) for arm in range(arms) for seed in range(seeds)]
    return pd.DataFrame(rows, columns=["variant", "seed", "status", "test_accuracy"])


def nonlinearity(name: str, values: tuple[int, ...], seconds: Sequence[float], goal: float = 15.0) -> Figure:
    """Return the largest residual of a least-squares line through the times, in percent of the longest time."""
    line = np.polynomial.Polynomial.fit(values, seconds, 1)
    worst = max(abs(second - float(line(value))) for value, second in zip(values, seconds, strict=True))
    detail = ", ".join(f"{value}: {second:.2f} s" for value, second in zip(values, seconds, strict=True))
    return Figure(name, "a straight line", "% off", goal, (100 * worst / max(seconds),), detail, False)

"""The overhead of a sweep over its runs: starting, planning, and reusing finished runs."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.measure import Figure, Measurement

EPOCHS = 180
"""Epochs of the demo preset that take 20 s or more with one thread."""


@contextmanager
def project() -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield a new project in a temporary folder, and an environment for commands with this process's module path."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "mlruns").mkdir()
        paths = {"PYTHONPATH": os.pathsep.join(sys.path), "ABLATE_CACHE": str(folder / "cache")}
        yield folder, {**os.environ, **paths, "MLFLOW_TRACKING_URI": ""}


def command(folder: Path, environment: Mapping[str, str], *arguments: str) -> str:
    """Return the output of a command. Raises RuntimeError with its error message if it fails."""
    program = [sys.executable, "-m", "ablate", *arguments]
    done = subprocess.run(program, check=False, capture_output=True, text=True, cwd=folder, env=environment)
    if done.returncode:
        raise RuntimeError(f"ablate {' '.join(arguments)}: {done.stderr[-2000:]}")
    return done.stdout


def timed_sweep(folder: Path, environment: Mapping[str, str], *arguments: str) -> tuple[float, dict[str, Any]]:
    """Return the duration of a sweep of the demo preset in seconds, and its summary."""
    started = time.perf_counter()
    summary = json.loads(command(folder, environment, "sweep", "--preset", "demo", "--json", *arguments))
    return time.perf_counter() - started, summary


def overhead(goal: float, again_goal: float) -> list[Figure]:
    """Compare a sweep of 24 runs with the sum of its runs over the workers, and time the finished sweep again.

    The time of a run is that of its journal, from the opened data to the last figure. The time of the sweep is from the
    start of the command to the last run in the store; its report is timed separately.
    """
    with project() as (folder, environment):
        arguments = ("--epochs", str(EPOCHS), "--seeds", "3", "--name", "bench")
        timed_sweep(folder, environment, "--epochs", "1", "--seeds", "1", "--factors", "dropout", "--name", "warm")
        wall, summary = timed_sweep(folder, environment, *arguments)
        seconds = [run_seconds(path) for path in (folder / "mlruns" / "journal").glob("*.jsonl")]
        own = sum(second for second, epochs in seconds if epochs == EPOCHS)
        workers = os.cpu_count() or 1
        again = tuple(timed_sweep(folder, environment, *arguments)[0] for _ in range(3))
    sweep = summary["seconds"]
    detail = f"{summary['ran']} runs of {own / summary['ran']:.0f} s in {sweep:.0f} s; report {wall - sweep:.1f} s more"
    against = f"their sum over {workers} workers"
    return [
        Figure("sweep over its runs", against, "x", goal, (sweep * workers / own,), detail, False),
        Figure("  with its report", against, "x", goal, (wall * workers / own,), detail, False),
        Figure("sweep that is done, again", "nothing", "s", again_goal, again, "24 runs reused", False),
    ]


def shell_loop(goal: float) -> Figure:
    """Compare a sweep of the seven components with a shell loop over `ablate run` of the same eight runs."""
    from ablate.workloads.resnet9.workload import WORKLOAD

    factors = WORKLOAD.factors
    arms = [(), *((f"--no-{factors[name].flag}",) for name in factors.baseline)]
    with project() as (folder, environment):
        timed_sweep(folder, environment, "--epochs", "1", "--seeds", "1", "--factors", "dropout", "--name", "warm")
        wall, _ = timed_sweep(folder, environment, "--epochs", "20", "--seeds", "1", "--name", "bench")
        started = time.perf_counter()
        for arm in arms:
            command(folder, environment, "run", "--preset", "demo", "--epochs", "20", "--seed", "1", *arm)
        loop = time.perf_counter() - started
    detail = f"{len(arms)} runs, report included, in {wall:.0f} s, shell loop without report {loop:.0f} s"
    return Figure("sweep over a shell loop", "ablate run, in turn", "x", goal, (wall / loop,), detail, False)


def run_seconds(journal: Path) -> tuple[float, int]:
    """Return the duration of a run, and its epochs."""
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    return lines[-1]["metrics"]["time/total_s"], lines[0]["recipe"]["settings"]["epochs"]


def planning(goal: float, rounds: int, runs: int = 2000) -> Figure:
    """Time the planning of a sweep over finished runs."""
    with finished(runs) as plan:
        seconds = tuple(plan() for _ in range(rounds))
    return Figure(f"planning over {runs:,} runs", "nothing", "s", goal, seconds, "every one reused", False)


@contextmanager
def finished(runs: int) -> Iterator[Measurement]:
    """Yield a measurement: the seconds to plan a sweep of finished runs of 16 epochs with 25 steps each."""
    from ablate.journal.process_identity import this_process
    from ablate.journal.run_journal import Journals
    from ablate.runs.sweep import plan_runs
    from ablate.studies.conditions import Conditions
    from ablate.studies.job import Data
    from ablate.studies.study import Study

    study = Study(preset="laptop", seeds=math.ceil(runs / 8))
    recipes = study.recipes()[:runs]
    data, conditions = Data("bench", "feedbeef0000", 0.1), Conditions("cpu", "bf16", 1)
    with tempfile.TemporaryDirectory() as name:
        journals = Journals(Path(name))
        for recipe in recipes:
            with journals.create(recipe.key, data.fingerprint) as journal:
                journal.write(
                    "start", variant=recipe.label, key=recipe.key, data=data.fingerprint, study="bench",
                    recipe=recipe.as_dict(), params=recipe.params, floor=0.1, conditions=asdict(conditions),
                    environment={}, process=this_process(),
                )  # fmt: skip
                for epoch in range(17):
                    journal.write("series", name="lr_step", first=25 * epoch + 1, values=[0.01] * 25)
                    journal.write("metrics", step=epoch, values={f"metric/{index}": 0.123456789 for index in range(8)})
                journal.write("end", status="finished", metrics={"test/accuracy": 0.75}, params={})

        def plan_it() -> float:
            started = time.perf_counter()
            assert all(entry.is_done for entry in plan_runs(recipes, data, conditions, journals))
            return time.perf_counter() - started

        yield plan_it

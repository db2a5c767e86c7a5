"""Studies of the kit: the `ablate` command in a project of its own, with a time limit."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu_kit.bench import Bench
from benchmarks.gpu_kit.correctness import DRAWN_ON_DEVICE

TOLERANCE = 0.05
"""The largest difference of the weights after some steps, relative to their change, that rounding explains."""

GRACE = 15.0
"""Seconds that an interrupted sweep has to record its runs."""


def sweep(bench: Bench, project: Path, *arguments: str, seconds: float) -> dict[str, float]:
    """Run `ablate sweep` for at most some seconds. Return its duration, its exit code and its finished runs."""
    (project / "mlruns").mkdir(parents=True, exist_ok=True)
    data = ["--data-dir", str(bench.data)] if bench.data else []
    command = [sys.executable, "-m", "ablate", "sweep", *arguments, *data, "--offline", "--device", bench.device]
    paths = {"PYTHONPATH": os.pathsep.join(sys.path)}
    started = time.time()
    with subprocess.Popen(command, cwd=project, env={**os.environ, **paths}) as process:
        try:
            process.wait(max(1.0, min(seconds, bench.remaining - GRACE)))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            process.wait()
    return {"seconds": time.time() - started, "exit_code": process.returncode, "finished": len(scores(project))}


def kernels(bench: Bench) -> tuple[str, ...]:
    """Return the options of the fastest implementation that the other parts found correct: the default, or compiled."""
    tests = [test for test in results(bench.folder / "correctness.jsonl") if DRAWN_ON_DEVICE not in test["name"]]
    is_correct = bool(tests) and all(test.get("fused", math.inf) < TOLERANCE for test in tests)
    return () if is_correct or bench.is_rehearsal else ("--compile",)


def results(path: Path) -> list[dict[str, Any]]:
    """Return the results of a part."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def scores(project: Path) -> dict[tuple[str, str, int], float]:
    """Return the test accuracy, in percent, by study, variant and seed, of the finished runs of a project."""
    found = {}
    for path in sorted((project / "mlruns" / "journal").glob("*.jsonl")):
        rows = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
        start, end = rows[0], rows[-1]
        if end["record"] == "end" and end["status"] == "finished":
            key = (start["study"], start["variant"], start["recipe"]["seed"])
            found[key] = 100 * end["metrics"]["test/accuracy"]
    return found


def pack(project: Path, archive: Path) -> None:
    """Write the journals, with the classified test images but without pictures, and the report into an archive."""
    with tarfile.open(archive, "w:gz") as file:
        for folder in ("mlruns", "reports"):
            if (project / folder).exists():
                file.add(project / folder, folder, filter=lambda one: None if one.name.endswith(".png") else one)

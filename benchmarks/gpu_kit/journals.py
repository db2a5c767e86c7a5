"""Studies of the kit: the `ablate` command in a project of its own, with a time limit."""

from __future__ import annotations

import json
import tarfile
import time
from pathlib import Path
from typing import Any

from ablate.journal.run_journal import RESULT_STATUSES
from benchmarks.gpu_kit.bench import Bench
from benchmarks.gpu_kit.correctness import DRAWN_ON_DEVICE
from benchmarks.gpu_kit.processes import GRACE, finish, start

TOLERANCE = 0.05
"""The largest difference of the weights after some steps, relative to their change, that rounding explains."""

REHEARSAL = (
    *("--preset", "demo", "--epochs", "1", "--width", "4", "--train-size", "300", "--no-fused"),
    *("--threads", "1", "--executor", "serial"),
)
"""Options of a study that takes a second on the CPU."""

REHEARSED_QUESTION = ("--seeds", "2", "--factors", "dropout")


def sweep(bench: Bench, project: Path, *arguments: str, seconds: float) -> dict[str, float]:
    """Run `ablate sweep` for at most some seconds, and pack its journals into an archive of the project's name.

    Return its duration, its exit code and its finished runs. What ends within the limit is packed in any case.
    """
    (project / "mlruns").mkdir(parents=True, exist_ok=True)
    data = ["--data-dir", str(bench.data)] if bench.data else []
    words = ["ablate", "sweep", *arguments, *data, "--offline", "--device", bench.device]
    started = time.time()
    process = start(words, project, fork=bench.is_rehearsal)
    try:
        code = finish(process, max(1.0, min(seconds, bench.remaining - GRACE)))
    finally:
        pack(project, bench.folder / f"{project.name}.tar.gz")
    return {"seconds": time.time() - started, "exit_code": code, "finished": len(scores(project))}


def kernels(bench: Bench) -> tuple[str, ...]:
    """Return the options of the fastest implementation that is correct: the default, unless the tests failed."""
    tests = [row for row in bench.results if row["part"] == "correctness" and DRAWN_ON_DEVICE not in row["name"]]
    return () if all(row.get("fused", 1.0) < TOLERANCE for row in tests if "skipped" not in row) else ("--compile",)


def records(journal: Path) -> list[dict[str, Any]]:
    """Return the complete records of a journal."""
    return [json.loads(line) for line in journal.read_text().splitlines(keepends=True) if line.endswith("\n")]


def scores(project: Path) -> dict[tuple[str, str, int], float]:
    """Return the test accuracy, in percent, by study, variant and seed, of the runs of a project that have a result."""
    found = {}
    for path in sorted((project / "mlruns" / "journal").glob("*.jsonl")):
        rows = records(path)
        if rows and rows[-1]["record"] == "end" and rows[-1]["status"] in RESULT_STATUSES:
            start_record, end = rows[0], rows[-1]
            key = (start_record["study"], start_record["variant"], start_record["recipe"]["seed"])
            found[key] = 100 * end["metrics"]["test/accuracy"]
    return found


def pack(project: Path, archive: Path) -> None:
    """Write the journals, with the classified test images but without pictures, and the report into an archive."""
    part = archive.with_suffix(".part")
    with tarfile.open(part, "w:gz") as file:
        for folder in ("mlruns", "reports"):
            if (project / folder).exists():
                file.add(project / folder, folder, filter=lambda one: None if one.name.endswith(".png") else one)
    part.replace(archive)  # an earlier archive stays until this one is whole

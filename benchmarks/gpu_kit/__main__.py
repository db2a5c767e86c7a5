"""Run the kit: python -m benchmarks.gpu_kit --minutes 9 --data ARCHIVE --out DIR."""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

from benchmarks.gpu_kit.bench import Bench, OutOfTimeError

PARTS = ("correctness", "speed", "notebook", "laptop")


def main() -> None:
    """Run the parts in order until the time is used."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=9)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--rehearse", action="store_true", help="tiny sizes, on the CPU")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--deadline", type=float, help=argparse.SUPPRESS)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    given.out, given.data = given.out.resolve(), given.data and given.data.resolve()
    deadline = given.deadline or time.time() + 60 * given.minutes
    if given.part:
        run_part(given, deadline)
        return
    for part in given.only:
        arguments = [*sys.argv[1:], "--part", part, "--deadline", str(deadline)]
        try:
            limit = max(1.0, deadline - time.time())
            subprocess.run([sys.executable, "-m", "benchmarks.gpu_kit", *arguments], check=False, timeout=limit)
        except subprocess.TimeoutExpired:
            Console().print(f"{part}: stopped at the time limit")


def run_part(given: argparse.Namespace, deadline: float) -> None:
    """Run one part in this process."""
    device = "cpu" if given.rehearse else "cuda"
    bench = Bench(given.part, given.out, deadline, device, given.rehearse, given.data)
    try:
        importlib.import_module(f"benchmarks.gpu_kit.{given.part}").measure(bench)
    except OutOfTimeError:
        Console().print(f"{given.part}: out of time")


if __name__ == "__main__":
    main()

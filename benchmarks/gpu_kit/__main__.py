"""Run the kit on a GPU, without a network: python -m benchmarks.gpu_kit --minutes 9 --data ARCHIVE --out DIR.

`--out` gets a few files: results.jsonl, profiles.txt and the archives of the studies. A rehearsal (`--rehearse`) runs
everything on the CPU, in tiny sizes, on scikit-learn's digits.
"""

from __future__ import annotations

import argparse
import importlib
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.gpu_kit.bench import Bench, OutOfTimeError
from benchmarks.gpu_kit.processes import finish, start

PARTS = ("correctness", "speed", "parallel", "notebook", "precision", "laptop")
TRAVELS_AT_MOST = 64 * 2**20
"""Bytes of code and data that may travel to the machine with the GPU."""


MARGIN = 3.0
"""Seconds after the deadline in which a part may pack the results of an interrupted study."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts in order until the time is used. Return 1 if a part failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_kit", description=__doc__)
    parser.add_argument("--minutes", type=float, default=9, help="time for everything")
    parser.add_argument("--data", type=Path, help="archive or folder of CIFAR-10")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts to run")
    parser.add_argument("--rehearse", action="store_true", help="tiny sizes, on the CPU")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--deadline", type=float, help=argparse.SUPPRESS)
    words = list(sys.argv[1:] if arguments is None else arguments)
    given = parser.parse_args(words)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a part then interrupts its study, and packs it
    if given.part:
        run_part(given)
        return 0
    if wrong := _wrong_data(given.data, is_rehearsal=given.rehearse):
        parser.error(wrong)
    given.out.mkdir(parents=True, exist_ok=True)
    deadline = time.time() + 60 * given.minutes
    work = tempfile.mkdtemp(prefix="gpu-kit-")  # forks of a rehearsal would remove a TemporaryDirectory when they end
    try:
        made = [_made(part, [*words, "--work", work, "--deadline", str(deadline)], deadline) for part in given.only]
    except KeyboardInterrupt:
        Console().print(f"Interrupted. The results so far are in {given.out}")
        return 130
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return int(any(made))


def _wrong_data(data: Path | None, *, is_rehearsal: bool) -> str:
    """Return what is wrong with the data, or an empty text."""
    if data is None:
        return "" if is_rehearsal else "--data is missing: there may be no network"
    if not data.exists():
        return f"{data} does not exist"
    if travelling(data) > TRAVELS_AT_MOST:
        return f"{data} and the code are larger than {TRAVELS_AT_MOST // 2**20} MiB"
    return ""


def _made(part: str, words: Sequence[str], deadline: float) -> int:
    """Run a part in a process of its own, and return its exit code."""
    process = start(["benchmarks.gpu_kit", *words, "--part", part], Path.cwd(), fork="--rehearse" in words)
    code = finish(process, max(1.0, deadline + MARGIN - time.time()))
    if code:
        Console().print(f"{part}: ended with exit code {code}")
    return code


def run_part(given: argparse.Namespace) -> None:
    """Run one part in this process."""
    data = given.data.resolve() if given.data else None
    bench = Bench(given.part, given.out.resolve(), given.work, given.deadline, given.rehearse, data)
    try:
        importlib.import_module(f"benchmarks.gpu_kit.{given.part}").measure(bench)
    except OutOfTimeError:
        Console().print(f"{given.part}: out of time")


def travelling(data: Path) -> int:
    """Return the bytes of the code that the kit needs, and of its data."""
    top = Path(__file__).parents[2]
    places = [top / "ablate", top / "benchmarks", top / "experiments", data]
    files = (file for place in places for file in (place.rglob("*") if place.is_dir() else [place]))
    return sum(file.stat().st_size for file in files if file.is_file() and "__pycache__" not in file.parts)


if __name__ == "__main__":
    sys.exit(main())

"""Inject every fault and write the table: `python -m tests.faults --output reports/faults.md`."""

from __future__ import annotations

import argparse
import os
import random
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.faults.commands import import_libraries
from tests.faults.kills import KILLS, Trial
from tests.faults.others import OTHERS
from tests.faults.stores import STORES
from tests.faults.surroundings import SURROUNDINGS
from tests.faults.tally import Tally, table


def main(arguments: Sequence[str] | None = None) -> int:
    """Inject the faults; return 1 if a run was lost or duplicated or a file corrupted."""
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("--output", type=Path, help="file to write the table to")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random moments")
    parser.add_argument("--share", type=float, default=1.0, help="share of the tries of the full suite")
    parser.add_argument("--only", default="", help="regular expression of the faults to inject")
    given = parser.parse_args(arguments)
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    os.environ["NO_COLOR"] = "1"
    import_libraries()
    tallies = [
        inject(*fault, given) for fault in [*KILLS, *OTHERS, *SURROUNDINGS, *STORES] if re.search(given.only, fault[0])
    ]
    words = (
        f"Seed {given.seed} on {os.cpu_count()} cores. The seed determines the moments, not the work they interrupt."
    )
    page = table(tallies, words)
    if given.output:
        given.output.write_text(page)
    sys.stdout.write(page)
    return int(not all(tally.passed for tally in tallies))


def inject(name: str, fault: object, tries: int, given: argparse.Namespace) -> Tally:
    """Inject one fault, in a folder of its own."""
    tally = Tally(name)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ablate-faults-") as folder:
        os.environ["ABLATE_CACHE"] = str(Path(tempfile.gettempdir()) / "ablate-faults-cache")
        moments = random.Random(f"{given.seed} {name}")
        fault(Trial(Path(folder), moments, max(1, round(tries * given.share)), tally))  # type: ignore[operator]
    tally.seconds = time.monotonic() - began
    sys.stderr.write(f"{tally}\n")
    return tally


if __name__ == "__main__":
    sys.exit(main())

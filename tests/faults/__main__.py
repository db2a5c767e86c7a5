"""Make every fault and write the table: `python -m tests.faults --output reports/faults.md`."""

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

from tests.faults.commands import warm_up
from tests.faults.kills import KILLS, Trial
from tests.faults.others import OTHERS
from tests.faults.tally import Tally, table


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the faults; exit 1 if one of them lost, doubled or spoilt anything."""
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("--output", type=Path, help="the page to write")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    parser.add_argument("--share", type=float, default=1.0, help="how many tries, as a share of the whole suite")
    parser.add_argument("--only", default="", help="only faults whose name this regular expression finds")
    given = parser.parse_args(arguments)
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    os.environ["NO_COLOR"] = "1"
    warm_up()
    tallies = [tried(*fault, given) for fault in [*KILLS, *OTHERS] if re.search(given.only, fault[0])]
    words = f"Seed {given.seed} on {os.cpu_count()} cores; the moments are drawn from the seed, where they fall is not."
    page = table(tallies, words)
    if given.output:
        given.output.write_text(page)
    sys.stdout.write(page)
    return int(not all(tally.holds for tally in tallies))


def tried(name: str, fault: object, tries: int, given: argparse.Namespace) -> Tally:
    """Make one fault, in a folder of its own."""
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

"""Inject every fault and write the table: `python -m tests.faults --output reports/faults.md`."""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from tests import ROOT
from tests.faults.clusters import CLUSTERS
from tests.faults.commands import import_libraries
from tests.faults.concurrency import CONCURRENCY
from tests.faults.inputs import INPUTS
from tests.faults.kernels import KERNELS
from tests.faults.kills import KILLS, Trial
from tests.faults.others import OTHERS
from tests.faults.stores import STORES
from tests.faults.surroundings import SURROUNDINGS
from tests.faults.tally import Tally, merged, read_table, table

FAULTS = [*KILLS, *OTHERS, *SURROUNDINGS, *INPUTS, *KERNELS, *STORES, *CONCURRENCY, *CLUSTERS]


def main(arguments: Sequence[str] | None = None) -> int:
    """Inject the faults; return 1 if a run was lost or duplicated or a file corrupted."""
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("--output", type=Path, help="page to write; with --only, the rows of other faults stay")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random moments")
    parser.add_argument("--share", type=float, default=1.0, help="share of the tries of the full suite")
    parser.add_argument("--only", default="", help="regular expression of the faults to inject")
    given = parser.parse_args(arguments)
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    os.environ["NO_COLOR"] = "1"
    import_libraries()
    words = (
        f"Seed {given.seed} on {os.cpu_count()} cores, with other load. The seed determines the moments, not the work "
        "they interrupt.\nIf an allocation fails inside a library, the system may end the process; only the "
        "consequences count."
    )
    state = {"date": time.strftime("%Y-%m-%d"), "commit": commit()}
    tallies: list[Tally] = []
    for fault in FAULTS:
        if not re.search(given.only, fault[0]):
            continue
        tallies.append(replace(inject(*fault, given), **state))
        page = table(tallies, words)
        if given.output:
            before = read_table(given.output.read_text()) if given.only and given.output.exists() else []
            page = table(merged(before, tallies, [name for name, *_ in FAULTS]), words)
            given.output.write_text(page)
    sys.stdout.write(page)
    return int(not all(tally.passed for tally in tallies))


def commit() -> str:
    """Return the short hash of the commit under test, with a plus sign if the package has uncommitted changes."""
    git = partial(subprocess.run, cwd=ROOT, capture_output=True, text=True, check=False)
    is_changed = git(["git", "diff", "--quiet", "HEAD", "--", "ablate"]).returncode
    return git(["git", "rev-parse", "--short=7", "HEAD"]).stdout.strip() + "+" * bool(is_changed)


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

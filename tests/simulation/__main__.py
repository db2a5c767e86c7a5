"""`python -m tests.simulation`: the full tier; exits with 1 if a rate misses its limit."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.simulation.page import markdown
from tests.simulation.studies import PEEKING, cells, naive_peeking, simulate


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tiers, write the page, and return 1 if a limit is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=main.__doc__)
    parser.add_argument("--repetitions", type=int, default=20_000, help="simulated studies a cell")
    parser.add_argument("--seeds", type=int, nargs="*", default=[3, 5, 10, 0], help="seeds a study; 0: until clear")
    parser.add_argument("--seed", type=int, default=0, help="of the simulation itself")
    parser.add_argument("--output", type=Path, help="the Markdown file; standard output without it")
    options = parser.parse_args(arguments)
    if options.repetitions < 1 or any(n != 0 and n < 3 for n in options.seeds):
        parser.error("repetitions must be 1 or more, seeds 3 or more (or 0 for until clear)")
    rates = simulate(cells(options.seeds), options.repetitions, options.seed)
    peeking = naive_peeking(options.repetitions, np.random.default_rng(options.seed))
    page = markdown(rates, peeking, options.repetitions, options.seed)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(page, encoding="utf-8")
    else:
        sys.stdout.write(page)
    return 1 if any(row.misses for row in rates) or peeking[0] <= PEEKING else 0


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.simulation`: simulate every cell and write the error rates as Markdown."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.simulation.all_pairs import simulate_pairs
from tests.simulation.beyond import simulate_beyond, simulate_targets
from tests.simulation.coarse import simulate_coarse
from tests.simulation.factorial import simulate_factorial
from tests.simulation.levels import simulate_levels
from tests.simulation.page import Simulation, markdown
from tests.simulation.studies import cells, half_rule, naive_peeking, simulate

FACTORIAL_SHARE = 10
"""Factorial studies, and those of coarse scores, take longer: this share of the repetitions."""

LEVEL_SHARE = 4
"""The same for factors with levels."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate studies with known effects, write the error rates, and exit with 1 if a rate is outside its limits."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=main.__doc__)
    add = parser.add_argument
    add("--repetitions", type=int, default=20_000, help="studies per cell; with far fewer, chance can break the limits")
    add("--seeds", type=int, nargs="*", default=[3, 5, 10, 0], help="numbers of seeds per study; 0 is --until-clear")
    add("--seed", type=int, default=0, help="random seed of the simulation")
    add("--output", type=Path, help="Markdown file; standard output by default")
    options = parser.parse_args(arguments)
    if options.repetitions < 1 or any(n != 0 and n < 3 for n in options.seeds):
        parser.error("--repetitions must be at least 1, --seeds at least 3 (or 0 for --until-clear)")
    fewer = max(1, options.repetitions // FACTORIAL_SHARE)
    found = Simulation(
        rates=simulate(cells(options.seeds), options.repetitions, options.seed),
        factorial=simulate_factorial(fewer, options.seed),
        peeking=naive_peeking(options.repetitions, np.random.default_rng(options.seed)),
        half_rule=half_rule(options.repetitions, np.random.default_rng(options.seed)),
        repetitions=options.repetitions,
        factorial_repetitions=fewer,
        seed=options.seed,
        coarse=simulate_coarse(fewer, options.seed),
        beyond=simulate_beyond(options.repetitions, options.seed),
        targets=simulate_targets(options.repetitions, options.seed),
        pairs=simulate_pairs(options.repetitions, options.seed),
        levels=simulate_levels(max(1, options.repetitions // LEVEL_SHARE), options.seed),
        level_repetitions=max(1, options.repetitions // LEVEL_SHARE),
    )
    page = markdown(found)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(page, encoding="utf-8")
    else:
        sys.stdout.write(page)
    return 1 if found.misses else 0


if __name__ == "__main__":
    sys.exit(main())

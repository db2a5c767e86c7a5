"""Cost to a verdict: the sequential rule with this project's training, over fixed seeds with the notebook's loop.

The rule stops each component at 5, 10 or 20 seeds. How many runs it needs is replayed from the scores of a committed
study, in many orders of its seeds; a component that is open when the study has no more seeds counts as one of 20 seeds.
The baseline is trained as long as any component is open. The cost of a run is the processor time of its training steps.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import numpy as np

from benchmarks.measure import Figure, Measurement, Worker, alternate, medians
from benchmarks.training import BATCH, full_recipe, notebook

REPORTS = Path(__file__).parent.parent / "reports"
ORDERS = 100
"""Orders of the seeds that are replayed."""
COUNTS = {16: 800, 64: 200}
"""Images per measurement by width."""


def runs_needed(study: str, orders: int = ORDERS) -> tuple[list[int], int]:
    """Return the runs until all verdicts in each replayed order of a study's seeds, and those of fixed seeds."""
    import pandas as pd

    from ablate.stats.effects import Looks, replay, start_monitoring
    from ablate.studies.study import Study

    design = Study(preset="laptop")
    comparisons, metric = design.comparisons(), design.workload.metric.with_floor(0.1)
    runs = pd.read_csv(REPORTS / study / "runs.csv")
    seeds, draw, needed, most = sorted(set(runs["seed"])), np.random.default_rng(0), list[int](), 0
    for _ in range(orders):
        planned = draw.permutation(seeds).tolist()
        planned += range(-Looks().seeds[-1], 0)  # not made: a study with fewer seeds ends without them
        first = start_monitoring(comparisons, planned)
        last = replay(first, runs, metric, design.margin)
        looks = first.looks.seeds
        stops = [looks[(arm.stopped_at or len(looks)) - 1] for arm in last.arms]
        needed.append(sum(stops) + max(stops))
        most = (1 + len(stops)) * looks[-1]
    return needed, most


def ours(*, width: int, count: int) -> Measurement:
    """Return a measurement: processor seconds per image of training with one thread, as a worker of a sweep does."""
    epoch = full_recipe(width=width, count=count, batch=min(BATCH, count), clock=time.process_time)
    return lambda: epoch() / count


def theirs(*, width: int, count: int) -> Measurement:
    """Return a measurement: processor seconds per image of the notebook's loop, which loads in the same process."""
    loop = notebook(width=width, threads=1, count=count, workers=0)

    def measure() -> float:
        started = time.process_time()
        loop()
        return (time.process_time() - started) / count

    return measure


def cost(study: str, width: int, goal: float, rounds: int) -> Figure:
    """Compare the cost of all seven verdicts with that of 20 seeds of every arm in the notebook's loop."""
    arguments = {"width": width, "count": COUNTS[width]}
    with Worker(ours, **arguments) as here, Worker(theirs, **arguments) as there:
        pairs = [(1000 * one, 1000 * other) for one, other in alternate(here, there, rounds)]
    needed, most = runs_needed(study)
    values = tuple(fmean(needed) / most * one / other for one, other in pairs)
    detail = f"{describe(needed, most)}; {medians(pairs, 'ms of processor time per image')}"
    return Figure(f"cost to a verdict, {study}", "the notebook's loop, 20 seeds", "x", goal, values, detail, False)


def describe(needed: Sequence[int], most: int) -> str:
    """Return the runs needed as text.

    >>> describe([85, 95, 120], 160)
    '100 of 160 runs (85 to 120)'
    """
    return f"{fmean(needed):.0f} of {most} runs ({min(needed)} to {max(needed)})"

"""Whether bfloat16 costs accuracy: the same seeds in both precisions, and the test that the difference is too small."""

from __future__ import annotations

import itertools

from benchmarks.demo import train
from benchmarks.measure import Figure, Measurement, Worker


def accuracies(*, precision: str) -> Measurement:
    """Return a measurement: the test accuracy in percent of the next seed's run of the demo preset."""
    import torch

    torch.set_num_threads(1)
    seeds = itertools.count()
    return lambda: 100 * train(next(seeds), precision)[1]


def equivalence(seeds: int, margin: float = 0.5, level: float = 0.05) -> Figure:
    """Hold bfloat16 against float32, seed by seed, the two at once; the value is the p of TOST at `margin` points."""
    from ablate.effects.inference import paired_t

    with Worker(accuracies, precision="bf16") as here, Worker(accuracies, precision="fp32") as there:
        differences = []
        for _ in range(seeds):
            here.start()
            there.start()
            differences.append(here.result() - there.result())
    found = paired_t(differences, margin)
    delta, low, high = (float(side) for side in (found.delta, found.low, found.high))
    detail = f"{delta:+.2f} points [{low:.2f}, {high:.2f}], {seeds} seeds of the demo, margin {margin:g}"
    return Figure("bf16 is fp32, p of TOST", "fp32", "", level, (float(found.p_tost),), detail, False)

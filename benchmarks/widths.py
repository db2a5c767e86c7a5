"""Training by the implementations that this processor takes, relative to PyTorch's operators, at every width."""

from __future__ import annotations

import time

from benchmarks.measure import Figure, alternate, medians, ratios
from benchmarks.training import full_recipe

WIDTHS = {4: 400, 6: 400, 8: 400, 12: 300, 16: 200, 24: 150, 32: 100, 48: 64, 64: 64, 96: 32, 128: 32}
"""Images per measurement by width, one step: a few tenths of a second."""


def against_pytorch(width: int, precision: str, goal: float, rounds: int) -> Figure:
    """Compare the processor time of training with that of PyTorch's operators, with one thread, in one process.

    Processor time instead of time: on a shared machine, other processes take turns on the same core.
    """
    count = WIDTHS[width]
    ours, theirs = (
        full_recipe(width=width, count=count, batch=count, clock=time.thread_time, precision=precision, fused=fused)
        for fused in (True, False)
    )
    pairs = alternate(lambda: count / ours(), lambda: count / theirs(), rounds)
    name = f"kernels or PyTorch, width {width}, {precision}"
    return Figure(name, "PyTorch", "x", goal, ratios(pairs), medians(pairs, "images per s of processor time"))

"""The time of a training step by kind of operator, and the share of augmentation."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any
from unittest.mock import patch

from benchmarks.measure import Figure, Measurement, Worker
from benchmarks.training import BATCH, COUNTS, full_recipe, random_pixels

KINDS = {
    "convolution": ("conv", "reorder"),
    "fused norm, pool, ReLU": ("fused norm",),
    "norm": ("batch_norm",),
    "pool": ("max_pool",),
    "ReLU": ("relu", "threshold", "clamp_min"),
    "loss": ("log_softmax", "nll_loss"),
    "optimiser": ("adam", "foreach", "vector_norm"),
    "copies": ("copy", "fill", "index", "empty", "zero"),
    "Python": ("python",),
}
"""Kinds of operators by parts of their names; the first match counts."""


def kind_of(operator: str) -> str:
    """Return the kind of an operator.

    >>> [kind_of(name) for name in ("aten::mkldnn_convolution", "aten::native_batch_norm_backward", "aten::sort")]
    ['convolution', 'norm', 'other']
    """
    return next((kind for kind, parts in KINDS.items() if any(part in operator.lower() for part in parts)), "other")


def shares(times: Iterable[tuple[str, float]]) -> str:
    """Return the shares of the kinds as text, largest first, from the names and times of operators."""
    sums: defaultdict[str, float] = defaultdict(float)
    for operator, seconds in times:
        sums[kind_of(operator)] += seconds
    whole = sum(sums.values())
    ranked = sorted(sums.items(), key=lambda item: -item[1])
    return ", ".join(f"{kind} {100 * part / whole:.0f} %" for kind, part in ranked)


def profile(width: int) -> str:
    """Return the time of an epoch by kind of operator, with one thread: each operator is timed when it is called.

    torch.profiler allocates memory while it records, which puts the largest tensors of a step on new pages: it
    overstated norm and pool three times.
    """
    from torch.utils._python_dispatch import TorchDispatchMode

    from ablate.workloads.resnet9.kernels import convolution, norm_pool_relu

    class Clock(TorchDispatchMode):  # type: ignore[no-untyped-call]  # untyped in torch
        """Time operators, including the operators that they call."""

        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]  # untyped in torch
            self.times: list[tuple[str, float]] = []

        def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return self.timed(operator, str(operator))(*args, **(kwargs or {}))

        def timed(self, operator: Callable[..., Any], name: str) -> Callable[..., Any]:
            """Return the operator with a clock."""

            def call(*args: Any, **kwargs: Any) -> Any:
                started = time.perf_counter()
                result = operator(*args, **kwargs)
                self.times.append((name, time.perf_counter() - started))
                return result

            return call

    epoch = full_recipe(width=width, threads=1, count=COUNTS[width])
    epoch()  # the first one allocates
    with (
        Clock() as clock,
        patch.object(norm_pool_relu, "call", clock.timed(norm_pool_relu.call, "fused norm")),
        patch.object(convolution, "call", clock.timed(convolution.call, "convolution")),
    ):
        whole = epoch()
    return shares([*clock.times, ("Python", whole - sum(seconds for _, seconds in clock.times))])


def augmentation(*, width: int) -> Measurement:
    """Return a measurement: the percentage of an epoch spent on augmentation, with one thread."""
    import torch

    from ablate.studies.recipe import Recipe
    from ablate.workloads.resnet9 import workload as resnet9
    from ablate.workloads.resnet9.batches import image_transform

    count = COUNTS[width]
    epoch = full_recipe(width=width, threads=1, count=count)
    plan = resnet9.training_plan(Recipe.of(resnet9.WORKLOAD), 10)
    batch = torch.from_numpy(random_pixels(BATCH)).float().div_(255)

    def measure() -> float:
        change = image_transform(plan, 0, 0)
        change(batch)
        started = time.perf_counter()
        for _ in range(count // BATCH):
            change(batch)
        return 100 * (time.perf_counter() - started) / epoch()

    return measure


def augmentation_share(width: int, goal: float, rounds: int) -> Figure:
    """Compare the time of augmentation with a whole epoch; the detail gives the epoch's time by kind."""
    with Worker(augmentation, width=width) as worker:
        values = tuple(worker() for _ in range(rounds + 1))[1:]
    return Figure(f"augmentation, width {width}", "the whole step", "%", goal, values, profile(width), False)

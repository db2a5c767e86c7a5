"""Where the time of a training step goes: operators by kind, and what augmentation takes of it."""

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
"""Kinds of operators by parts of their names; the first that matches counts."""


def kind_of(operator: str) -> str:
    """Return the kind of an operator.

    >>> [kind_of(name) for name in ("aten::mkldnn_convolution", "aten::native_batch_norm_backward", "aten::sort")]
    ['convolution', 'norm', 'other']
    """
    return next((kind for kind, parts in KINDS.items() if any(part in operator.lower() for part in parts)), "other")


def shares(times: Iterable[tuple[str, float]]) -> str:
    """Return the shares of the kinds as text, the largest first, from names of operators and their own times."""
    sums: defaultdict[str, float] = defaultdict(float)
    for operator, seconds in times:
        sums[kind_of(operator)] += seconds
    whole = sum(sums.values())
    ranked = sorted(sums.items(), key=lambda item: -item[1])
    return ", ".join(f"{kind} {100 * part / whole:.0f} %" for kind, part in ranked)


def profile(width: int) -> str:
    """Return where an epoch at one thread spends its time: every operator timed as it is called, in both passes.

    torch.profiler keeps memory of its own while it records, so that the largest tensors of a step come on fresh pages:
    it gave norm and pool three times their share.
    """
    from torch.utils._python_dispatch import TorchDispatchMode

    from ablate.workloads.resnet9.kernels import convolution, norm_pool_relu

    class Clock(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch left it untyped
        """Times operators; those of another are not split."""

        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]  # torch left it untyped
            self.times: list[tuple[str, float]] = []

        def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return self.timed(operator, str(operator))(*args, **(kwargs or {}))

        def timed(self, operator: Callable[..., Any], name: str) -> Callable[..., Any]:
            """Return the operator with its times kept."""

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
    """Return a measurement: percent of an epoch that augmenting its batches takes, at one thread."""
    import torch

    from ablate.studies.recipe import Recipe
    from ablate.workloads.resnet9 import workload as resnet9
    from ablate.workloads.resnet9.training import image_transform

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
    """Hold what augmentation takes against a whole epoch; the detail says where the epoch's time goes."""
    with Worker(augmentation, width=width) as worker:
        values = tuple(worker() for _ in range(rounds + 1))[1:]
    return Figure(f"augmentation, width {width}", "the whole step", "%", goal, values, profile(width), False)

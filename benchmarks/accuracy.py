"""The effect of fast settings on accuracy: paired seeds, and a test of equivalence."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from benchmarks.demo import train
from benchmarks.measure import Figure, Measurement, Worker


def accuracies(**how: Any) -> Measurement:
    """Return a measurement: the test accuracy in percent of a demo run with the next seed, under conditions `how`."""
    from ablate.studies.conditions import RequestedConditions
    from ablate.workloads.resnet9.devices import prepare, resolve_conditions

    prepare(threads=1)
    conditions, seeds = resolve_conditions(RequestedConditions(**how)), itertools.count()
    return lambda: 100 * train(next(seeds), conditions)[1]


def on_cpu(seeds: int) -> list[Figure]:
    """Compare the CPU kernels, in float32 and in bfloat16, with PyTorch in float32."""
    reference = {"device": "cpu", "precision": "fp32", "fused": False}
    single, half = paired(seeds, reference, {"fused": True}, {"fused": True, "precision": "bf16"})
    return [
        equivalence("fused is not fused, p of TOST", "PyTorch's own, fp32", single),
        equivalence("  in bf16", "PyTorch's own, fp32", half),
    ]


def paired(seeds: int, reference: Mapping[str, Any], *changes: Mapping[str, Any]) -> list[list[float]]:
    """Return, for each change of the reference's conditions, the differences from the reference by seed, in points.

    The runs of a seed are made at the same time.
    """
    differences: list[list[float]] = [[] for _ in changes]
    with ExitStack() as stack:
        there, *here = (stack.enter_context(Worker(accuracies, **{**reference, **change})) for change in ({}, *changes))
        for _ in range(seeds):
            for one in (there, *here):
                one.start()
            points = there.result()
            for found, one in zip(differences, here, strict=True):
                found.append(one.result() - points)
    return differences


def equivalence(
    name: str, against: str, differences: Sequence[float], margin: float = 0.5, level: float = 0.05
) -> Figure:
    """Test the equivalence of two conditions within `margin` points; the value is the p-value of TOST."""
    from ablate.stats.effects.inference import paired_t

    found = paired_t(differences, margin)
    delta, low, high = (float(side) for side in (found.delta, found.low, found.high))
    detail = f"{delta:+.2f} points [{low:.2f}, {high:.2f}], {len(differences)} seeds of the demo, margin {margin:g}"
    return Figure(name, against, "", level, (float(found.p_tost),), detail, False)

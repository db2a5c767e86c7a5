"""Whether the GPU computes what the CPU computes: weights, random streams, and steps that never wait."""

from __future__ import annotations

from typing import Any

import torch

from ablate.workloads.resnet9.devices import prepare
from ablate.workloads.resnet9.factors import FACTORS
from ablate.workloads.resnet9.training import Training
from benchmarks.gpu_kit.bench import Bench
from benchmarks.gpu_kit.trainings import Silent, first_epoch_weights, noise, training

BATCH, WIDTH = 16, 8
WAYS: dict[str, dict[str, Any]] = {
    "eager": {},
    "captured": {"captured": True},
    "fused": {"captured": True, "fused": True},
    "captured step": {"captured": "step"},
    "captured step, fused": {"captured": "step", "fused": True},
}
DRAWN_ON_DEVICE = "dropout"
"""The component whose random numbers are drawn on the device: they differ between the CPU and a GPU."""


def measure(bench: Bench) -> None:
    """Compare some steps of every factor on the CPU and on the GPU, in float32, in every way of computing them."""
    prepare(threads=bench.size(4, 1))
    for factor in ("no", *(FACTORS if not bench.is_rehearsal else ("augment", "mixup"))):
        bench.attempt(f"{factor} factor toggled", 4, lambda factor=factor: agreement(bench, factor))


def agreement(bench: Bench, toggled: str) -> dict[str, Any]:
    """Return the difference of the weights from the CPU's, relative to their change since initialisation.

    Also the difference of the batches, and whether a step waits for the device.
    """
    factors = FACTORS.in_order(({*FACTORS.baseline} - {DRAWN_ON_DEVICE}) ^ ({toggled} & {*FACTORS}))
    how: dict[str, Any] = {"width": WIDTH, "batch": bench.size(BATCH, 4), "factors": factors, "lr": 1e-4}
    steps = bench.size(20, 2)
    here, there = (noise(steps * how["batch"], device) for device in ("cpu", bench.device))
    start = torch.cat([parameter.detach().flatten() for parameter in training(here, **how).parameters])
    reference = first_epoch_weights(training(here, **how))
    moved = (reference - start).norm()
    on_gpu = bench.device == "cuda"
    values: dict[str, Any] = {}
    for name, way in WAYS.items():
        weights = first_epoch_weights(training(there, **how, **(way if on_gpu else {})))
        values[name] = float((weights - reference).norm() / moved)
    if on_gpu:
        values["waits"] = waits(training(there, **how, **WAYS["fused"]))
        values["captured step waits"] = waits(training(there, **how, **WAYS["captured step, fused"]))
    batches = zip(training(here, **how).batches(), training(there, **how).batches(), strict=True)
    values["batches"] = max(float((a[0] - b[0].cpu()).abs().max()) for a, b in batches)
    return values


class _Watch(Silent):
    """A log that forbids waiting between the first step and the last."""

    def progress(self, done: int, total: int) -> None:
        """Switch the check on, and off after the last step of the first epoch, where the sums are read."""
        torch.cuda.set_sync_debug_mode("error" if 100 * done < total else "default")


def waits(run: Training) -> str:
    """Return "never", or the operation that waits for the device between the first step and the last."""
    try:
        run.train_epoch(_Watch())
    except RuntimeError as error:
        return str(error)[:200]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return "never"

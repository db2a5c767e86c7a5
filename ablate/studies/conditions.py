"""Conditions of a run: device, precision, threads. Recorded with it, not part of its identity."""

from __future__ import annotations

from dataclasses import dataclass

from ablate.cores import usable_cores
from ablate.errors import UsageError


@dataclass(frozen=True)
class Conditions:
    """Where and how a run computes: recorded with it, not part of its identity."""

    device: str
    precision: str
    threads: int
    compiled: bool = False
    fused: bool = False


def own_conditions(
    device: str, precision: str, threads: int | None, compiled: bool = False, fused: bool | None = None
) -> Conditions:
    """Return the conditions of trainings that choose device and precision themselves; they count as the CPU's.

    Raises UsageError where they are to be compiled or fused.
    """
    if compiled:
        raise UsageError("--compile is for the built-in network: a training of your own compiles what it likes")
    if fused is not None:
        raise UsageError("--fused and --no-fused are for the built-in network: a training of your own has its kernels")
    cores = threads or usable_cores()
    return Conditions("cpu" if device == "auto" else device, "own" if precision == "auto" else precision, cores)

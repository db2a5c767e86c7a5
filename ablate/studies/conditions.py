"""Conditions of a run: device, precision, threads. Recorded with the run, not part of its identity."""

from __future__ import annotations

from dataclasses import dataclass

from ablate.cores import usable_cores
from ablate.errors import UsageError

IMPLEMENTATIONS = "implementations"
"""The param of a run with the implementation of each layer, such as `conv 16-32@8 bf16 kernel`, joined by commas."""


@dataclass(frozen=True)
class RequestedConditions:
    """The conditions that a user asks for; `auto` and None leave the choice to the workload.

    With `is_remote`, the runs are made on other machines, whose device is not checked here.
    """

    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    compiled: bool = False
    fused: bool | None = None
    is_remote: bool = False


@dataclass(frozen=True)
class Conditions:
    """The conditions under which a run computes.

    Attributes:
        device: `cpu`, `cuda` or `mps`.
        precision: The precision of the computation, such as `fp32`.
        threads: The number of threads.
        compiled: Whether the network is compiled with `torch.compile`.
        fused: Whether the kernels of this project are used.
    """

    device: str
    precision: str
    threads: int
    compiled: bool = False
    fused: bool = False


def custom_conditions(requested: RequestedConditions) -> Conditions:
    """Return the conditions of a user's own training, which chooses its device and precision itself.

    Device `auto` is recorded as `cpu`, precision `auto` as `own`. Raises UsageError for `compiled` and `fused`.
    """
    if requested.compiled:
        raise UsageError("--compile applies to the built-in network only: compile your own training in its own code")
    if requested.fused is not None:
        raise UsageError("--fused and --no-fused apply to the built-in network only: leave them out")
    return Conditions(
        device="cpu" if requested.device == "auto" else requested.device,
        precision="own" if requested.precision == "auto" else requested.precision,
        threads=requested.threads or usable_cores(),
    )

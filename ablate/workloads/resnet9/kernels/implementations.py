"""Which implementation a layer takes on this processor: measured once, and kept in a table in the cache.

Entries are added and never replaced, so that all runs on a machine compute the same. Processes that need the same entry
wait for the first one and read its result.
"""

from __future__ import annotations

import json
import math
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ablate import console
from ablate.journal.journal_lines import DamagedJournalError, open_regular
from ablate.journal.line_format import read_json
from ablate.workloads.resnet9.plan import Net

KERNEL, PAIRS, AMX, PYTORCH, FLOAT32 = "kernel", "pairs", "amx", "pytorch", "float32"
"""This project's kernel, those in bfloat16 with products of pairs (AVX-512) and of matrices (AMX), PyTorch's operator,
and PyTorch's in float32 on bfloat16 images."""

IMAGE_CHANNELS = 3
ROUNDS, FEWEST, SECONDS = 6, 2, 0.5
"""Repetitions of a measurement: most, fewest, and the processor time after which the fewest suffice."""
CLEAR, MARGIN = 1.5, 0.97
"""Implementations that take CLEAR times as long are not repeated. One replaces PyTorch's below MARGIN of its time."""
_LARGEST = 2**24
"""Bytes of a table that are read. An entry has about 200."""

Times = Mapping[str, float]

DEFAULT: Mapping[str, str] = MappingProxyType({})
"""No choice: layers take the implementation that follows from the features of the processor."""


@dataclass(frozen=True)
class Layer:
    """A convolution, or batch norm with pooling (`pool` x `pool`) and ReLU, on square images of `side` pixels."""

    operation: str
    inputs: int
    outputs: int
    side: int
    precision: str
    pool: int = 1

    @property
    def name(self) -> str:
        """The name in the table.

        >>> Layer("conv", 16, 32, 8, "bf16").name, Layer("norm", 32, 32, 8, "bf16", pool=2).name
        ('conv 16-32@8 bf16', 'norm 32@8/2 bf16')
        """
        if self.operation == "conv":
            return convolution_name(self.inputs, self.outputs, self.side, self.precision)
        return norm_name(self.outputs, self.side, self.pool, self.precision)


def convolution_name(inputs: int, outputs: int, side: int, precision: str) -> str:
    """Return the name of a convolution in the table."""
    return f"conv {inputs}-{outputs}@{side} {precision}"


def norm_name(channels: int, side: int, pool: int, precision: str) -> str:
    """Return the name of a batch norm with pooling and ReLU in the table."""
    return f"norm {channels}@{side}/{pool} {precision}"


def layers_of(net: Net, precision: str) -> list[Layer]:
    """Return the different layers of a network that have several implementations, in the order of the network."""
    width, side = net.width, net.image_size
    blocks = (
        (IMAGE_CHANNELS, width, side, 1),
        (width, 2 * width, side, 2),
        (2 * width, 2 * width, side // 2, 1),
        (2 * width, 4 * width, side // 2, 2),
        (4 * width, 8 * width, side // 4, 2),
        (8 * width, 8 * width, side // 8, 1),
    )
    convolutions = [Layer("conv", *block[:3], precision) for block in blocks]
    has_norms = net.batch_norm and net.activation == "relu"
    norms = [Layer("norm", outputs, outputs, size, precision, pool) for _, outputs, size, pool in blocks]
    return convolutions + (norms if has_norms else [])


def shortest_times(
    calls: Mapping[str, Callable[[], object]], clock: Callable[[], float] = time.thread_time
) -> dict[str, float]:
    """Return the shortest processor time of each call over alternating repetitions, after a warm-up.

    Other processes on the same core do not count, and their effect on caches only ever adds time.
    """
    for call in calls.values():
        call()
    times, spent = dict.fromkeys(calls, math.inf), 0.0
    names = list(calls)
    for number in range(ROUNDS):
        for name in names:
            started = clock()
            calls[name]()
            seconds = clock() - started
            times[name], spent = min(times[name], seconds), spent + seconds
        if number + 1 >= FEWEST:
            best = min(times.values())
            names = [name for name in names if times[name] <= CLEAR * best]
            if len(names) == 1 or spent > SECONDS:
                break
        names.reverse()
    return times


def preferred(times: Times) -> str:
    """Return the fastest implementation, and PyTorch's unless another one is clearly faster.

    >>> preferred({"pytorch": 1.0, "kernel": 0.98}), preferred({"pytorch": 1.0, "kernel": 0.9, "float32": 0.8})
    ('pytorch', 'float32')
    """
    best = min(times, key=lambda name: times[name])
    return best if times[best] < MARGIN * times[PYTORCH] else PYTORCH


def implementations(layers: Sequence[Layer], path: Path, measure: Callable[[Layer], Times]) -> dict[str, str]:
    """Return the implementation of each layer from the table at `path`. Missing ones are measured and added.

    If the table cannot be locked or written, nothing is measured and the result is empty: layers take the documented
    default, the same in every process.
    """
    from filelock import FileLock

    known = _read(path)
    try:
        if not all(layer.name in known for layer in layers):
            with FileLock(path.with_suffix(".lock")):
                known = _read(path)
                added = {layer.name: measure(layer) for layer in layers if layer.name not in known}
                known |= {name: _entry(times) for name, times in added.items()}
                _write(path, known)
    except (OSError, NotImplementedError) as error:  # filelock raises the latter where a file system has no locks
        console.warn_once(
            f"The speed of the CPU kernels cannot be stored in {path.parent} and is not measured: {error}"
        )
        return {}
    return {layer.name: known[layer.name]["implementation"] for layer in layers}


def described(chosen: Mapping[str, str]) -> str:
    """Return the implementations as a run records them.

    >>> described({"conv 3-8@16 bf16": "pytorch", "norm 8@16/1 bf16": "kernel"}), described({})
    ('conv 3-8@16 bf16 pytorch, norm 8@16/1 bf16 kernel', 'default')
    """
    return ", ".join(f"{name} {implementation}" for name, implementation in chosen.items()) or "default"


def _entry(times: Times) -> dict[str, Any]:
    milliseconds = {name: round(1000 * seconds, 4) for name, seconds in times.items()}
    return {"implementation": preferred(times), "milliseconds": milliseconds}


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """Return the valid entries of a table, none if the file is missing or damaged."""
    try:
        with open_regular(path) as file:
            table = read_json(file.read(_LARGEST))
    except (OSError, ValueError, DamagedJournalError):
        return {}
    entries = table.items() if isinstance(table, dict) else ()
    return {name: entry for name, entry in entries if _is_valid(entry)}


def _is_valid(entry: object) -> bool:
    return isinstance(entry, dict) and entry.get("implementation") in (KERNEL, PAIRS, AMX, PYTORCH, FLOAT32)


def _write(path: Path, table: Mapping[str, Any]) -> None:
    """Replace the table at once, so that no process reads a part of it."""
    unfinished = path.with_name(f"{uuid.uuid4().hex}.part")
    try:
        unfinished.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)

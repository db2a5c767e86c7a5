"""The time limit and the results of one part of the kit."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console


class OutOfTimeError(Exception):
    """Raised where a measurement would start too late."""


@dataclass(frozen=True)
class Bench:
    """What a part measures with: a device, a scale, a deadline, and a file for its results.

    Sizes are those of the notebook, or tiny for a rehearsal. `folder` gets the results, `work` is for projects of
    studies. `deadline` is a time of the system's clock.
    """

    part: str
    folder: Path
    work: Path
    deadline: float
    is_rehearsal: bool = False
    data: Path | None = None

    @property
    def device(self) -> str:
        """The device to measure: the GPU, or the CPU in a rehearsal."""
        return "cpu" if self.is_rehearsal else "cuda"

    @property
    def remaining(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - time.time()

    @property
    def results(self) -> list[dict[str, Any]]:
        """The results of all parts so far."""
        path = self.folder / "results.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def size(self, real: int, rehearsed: int) -> int:
        """Return the size for this scale."""
        return rehearsed if self.is_rehearsal else real

    def record(self, name: str, **values: Any) -> None:
        """Print a result and append it to the results. Values may be NumPy's, or tensors."""
        row = {"part": self.part, "name": name, **values}
        with (self.folder / "results.jsonl").open("a") as file:
            file.write(json.dumps(row, default=_plain) + "\n")
        shown = " ".join(f"{key}={_short(value)}" for key, value in values.items())
        Console(width=200, highlight=False).print(f"{self.part:12} {name:32} {shown}", markup=False, soft_wrap=True)

    def attempt(self, name: str, seconds: float, measure: Callable[[], dict[str, Any]]) -> None:
        """Record what `measure` returns, or its error. Raises OutOfTimeError if fewer than `seconds` are left."""
        needed = min(1.0, seconds) if self.is_rehearsal else seconds
        if self.remaining < needed:
            self.record(name, skipped=f"{self.remaining:.0f} s left, {needed:.0f} needed")
            raise OutOfTimeError
        started = time.time()
        try:
            values = measure()
        except Exception as error:
            self.record(name, error=f"{type(error).__name__}: {error}"[:600])
            return
        self.record(name, **values, took_s=round(time.time() - started, 1))


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

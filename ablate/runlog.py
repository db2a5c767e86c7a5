"""What a training writes to: its journal, and whoever watches."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from ablate.journal import Journal, records


class Diverged(Exception):  # noqa: N818  # a result, not an error
    """A recorded value is not finite: the training is over, and that is its result."""


class Watcher(Protocol):
    """Who follows a run while it goes."""

    def started(self, journal: Path) -> None:
        """A run began, or goes on, and writes to `journal`."""

    def progress(self, done: int, total: int) -> None:
        """`done` of `total` steps are made."""

    def recorded(self, step: int, metrics: Mapping[str, float]) -> None:
        """Metrics were recorded at `step`."""


class RunLog:
    """The log of one run. What is recorded already, before a crash, stays as it is and is not recorded twice."""

    def __init__(self, journal: Journal, watcher: Watcher) -> None:
        self._journal, self._watcher = journal, watcher
        self._series: dict[str, list[float]] = {}
        self.history: list[dict[str, float]] = []
        for line in records(journal.path):
            if line["record"] == "metrics":
                self.history.append({"step": line["step"], **line["values"]})
            elif line["record"] == "series":
                self._series.setdefault(line["name"], []).extend(line["values"])

    def __call__(self, step: int, **metrics: float) -> None:
        """Record one value a metric; raises Diverged where one is not finite."""
        if any(row["step"] == step for row in self.history):
            return
        self._journal.write("metrics", step=step, values=metrics)
        self.history.append({"step": step, **metrics})
        self._watcher.recorded(step, metrics)
        broken = [name for name, value in metrics.items() if not math.isfinite(value)]
        if broken:
            raise Diverged(f"{broken[0]} is not finite after epoch {step}")

    def series(self, name: str, first: int, values: Sequence[float]) -> None:
        """Record the values at the steps from `first` on; 1 is the first."""
        known = self._series.setdefault(name, [])
        if first == len(known) + 1:
            self._journal.write("series", name=name, first=first, values=list(values))
            known.extend(values)

    def recorded(self, name: str) -> Sequence[float]:
        """Return the series `name` so far."""
        return self._series.get(name, [])

    def progress(self, done: int, total: int) -> None:
        """Pass on how far the training is."""
        self._watcher.progress(done, total)

    def file(self, name: str) -> Path:
        """Return the path of an artifact that is to be written."""
        path = self._journal.files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    @property
    def checkpoint(self) -> Path:
        """The folder of the checkpoint."""
        return self._journal.checkpoint

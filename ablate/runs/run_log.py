"""What a training writes to: its journal, and whoever watches."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from ablate.errors import UserError
from ablate.journal.mlflow_handshake import await_run_environment, discard_run_environment
from ablate.journal.run_journal import Journal, records


class Diverged(Exception):  # noqa: N818  # a result, not an error
    """A recorded value is not finite: the training is over, and that is its result."""


class Pruned(Exception):  # noqa: N818  # a decision, not an error
    """Whoever watches has seen enough: the training is over, without a result."""


_METRIC = re.compile(r"[\w\-. :/]+")


def _check_names(metrics: Mapping[str, float]) -> None:
    for name in metrics:
        if not _METRIC.fullmatch(name):
            raise UserError(f"the metric {name!r} cannot be stored: letters, digits, and _ - . : / in its name")


class Watcher(Protocol):
    """Who follows a run while it goes."""

    def started(self, journal: Path) -> None:
        """A run began, or goes on, and writes to `journal`."""

    def progress(self, done: int, total: int) -> None:
        """`done` of `total` steps are made."""

    def recorded(self, step: int, metrics: Mapping[str, float]) -> None:
        """Metrics were recorded at `step`; raise Pruned to end the run."""


class RunLog:
    """The log of one run. What is recorded already, before a crash, stays as it is and is not recorded twice."""

    def __init__(self, journal: Journal, watcher: Watcher) -> None:
        self._journal, self._watcher = journal, watcher
        self._series: dict[str, list[float]] = {}
        self._rows: dict[int, dict[str, float]] = {}
        for line in records(journal.path):
            if line["record"] == "metrics":
                self._rows.setdefault(line["step"], {"step": line["step"]}).update(line["values"])
            elif line["record"] == "series":
                self._series.setdefault(line["name"], []).extend(line["values"])

    def __call__(self, step: int, **metrics: float) -> None:
        """Record one value a metric, each once a step; raises Diverged where one is not finite."""
        row = self._rows.get(step, {})
        added = {name: float(value) for name, value in metrics.items() if name not in row}
        if not added:
            return
        _check_names(added)
        self._journal.write("metrics", step=step, values=added)
        self._rows.setdefault(step, {"step": step}).update(added)
        self._watcher.recorded(step, added)
        broken = [name for name, value in added.items() if not math.isfinite(value)]
        if broken:
            raise Diverged(f"{broken[0]} is not finite after epoch {step}")

    @property
    def history(self) -> list[dict[str, float]]:
        """What was recorded so far, a row a step."""
        return list(self._rows.values())

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

    def waiting_run(self) -> Mapping[str, str]:
        """Ask for the run in the store, and return the environment in which a program logs to it."""
        discard_run_environment(self._journal.path)
        self._journal.write("wanted")
        return await_run_environment(self._journal.path)

    @property
    def checkpoint(self) -> Path:
        """The folder of the checkpoint."""
        return self._journal.checkpoint

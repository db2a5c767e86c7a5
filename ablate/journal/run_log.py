"""The log of a training run: its metrics, series and artifacts go to the run's journal."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from ablate.errors import UserError
from ablate.journal.field_checks import is_metric_name
from ablate.journal.journal_lines import records
from ablate.journal.mlflow_handshake import await_run_environment, discard_run_environment
from ablate.journal.run_journal import Journal
from ablate.redaction import mask_file

OUTPUT, STDOUT, STDERR = "output.txt", "stdout.txt", "stderr.txt"
"""The artifacts with the printed output of a training: of a function, and of a program."""


class Diverged(Exception):  # noqa: N818  # a result, not an error
    """A recorded value is not finite. The training ends here, and the run counts as unstable."""


class Pruned(Exception):  # noqa: N818  # a decision, not an error
    """The observer stopped the run early. The run has no result."""


def _check_names(metrics: Mapping[str, float]) -> None:
    for name in metrics:
        if not is_metric_name(name):
            raise UserError(f"Invalid metric name {name!r}. Use letters, digits, spaces and _ - . : /")


def _not_finite(step: int, values: Mapping[str, float]) -> str | None:
    """Return which of the values at a step is not finite, as a reason, or None."""
    broken = next((name for name, value in values.items() if not math.isfinite(value)), None)
    return f"{broken} is not finite after epoch {step}" if broken else None


def integer_step(step: Any) -> int:
    """Return a step as an integer: an int, an integer of NumPy or a tensor, or a float without a fraction.

    Raises UserError for other values.
    """
    try:
        is_whole = getattr(step, "is_integer", bool)  # of floats, those of NumPy included
        found = int(step) if is_whole() else operator.index(step)
    except TypeError:
        found = None
    if found is None or abs(found) >= 2**63:
        raise UserError(
            f"log was called with step {repr(step)[:40]}, which is not an integer of 64 bits. Count epochs or steps"
        )
    return found


class RunObserver(Protocol):
    """Observes the progress of one run, for example a progress bar or a pruner."""

    def progress(self, done: int, total: int) -> None:
        """Receive the number of training steps that are done, out of `total`."""

    def recorded(self, step: int, metrics: Mapping[str, float]) -> None:
        """Receive the metrics that were recorded at `step`. Raise Pruned to end the run."""


class RunLog:
    """The log of one run. A resumed run keeps the values recorded before the interruption and records none twice.

    Args:
        journal: The run's journal.
        observer: Receives progress and metrics as they are logged.
    """

    def __init__(self, journal: Journal, observer: RunObserver | None = None) -> None:
        self._journal, self._observer = journal, observer
        self._series: dict[str, list[float]] = {}
        self._rows: dict[int, dict[str, float]] = {}
        self.diverged: str | None = None
        """The reason why the run is unstable, once a value that is not finite was recorded."""
        self.pruned: str | None = None
        """The reason why the observer stopped the run. It stays so if the training catches the exception."""
        for line in records(journal.path):
            if line["record"] == "metrics":
                values = {name: math.nan if value is None else value for name, value in line["values"].items()}
                self._add(line["step"], values)
            elif line["record"] == "series":
                self._series.setdefault(line["name"], []).extend(line["values"])

    def __call__(self, step: int, **metrics: float) -> None:
        """Record metrics at `step`; a metric that this step already has is skipped.

        Raises Diverged if a value at this step is not finite, and Pruned if the observer stops the run or has stopped
        it, which then records nothing more. The run has this end even if the training catches the exception.
        """
        if self.pruned is not None:
            raise Pruned(self.pruned)
        step = integer_step(step)
        row = self._rows.get(step, {})
        added = {name: float(value) for name, value in metrics.items() if name not in row}
        if added:
            _check_names(added)
            self._journal.write("metrics", step=step, values=added)
            self._add(step, added)
            if self._observer:
                self._notify(self._observer, step, added)
        recorded = self._rows.get(step, {})
        if broken := _not_finite(step, {name: recorded[name] for name in metrics}):
            raise Diverged(broken)

    def _notify(self, observer: RunObserver, step: int, added: Mapping[str, float]) -> None:
        try:
            observer.recorded(step, added)
        except Pruned as reason:
            self.pruned = str(reason)
            raise

    def _add(self, step: int, values: Mapping[str, float]) -> None:
        self._rows.setdefault(step, {"step": step}).update(values)
        self.diverged = self.diverged or _not_finite(step, values)

    @property
    def end(self) -> tuple[str, str] | None:
        """The status and the reason by which the observer, or else a value that is not finite, ended the run."""
        if self.pruned is not None:
            return "pruned", self.pruned
        return ("unstable", self.diverged) if self.diverged else None

    @property
    def history(self) -> list[dict[str, float]]:
        """The recorded metrics, one row per step."""
        return list(self._rows.values())

    def series(self, name: str, first: int, values: Sequence[float]) -> None:
        """Record the values of the steps from `first` (1-based) on."""
        known, first = self._series.setdefault(name, []), integer_step(first)
        if first == len(known) + 1:
            self._journal.write("series", name=name, first=first, values=list(values))
            known.extend(values)

    def recorded(self, name: str) -> Sequence[float]:
        """Return the recorded values of the series `name`."""
        return self._series.get(name, [])

    def progress(self, done: int, total: int) -> None:
        """Pass the progress of the training to the observer."""
        if self._observer:
            self._observer.progress(done, total)

    def file(self, name: str) -> Path:
        """Return the path at which to write the artifact `name`."""
        path = self._journal.files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def mlflow_environment(self) -> Mapping[str, str]:
        """Request the run in the tracking store, and return the environment variables for logging to it."""
        discard_run_environment(self._journal.path)
        self._journal.write("wanted")
        return await_run_environment(self._journal.path)

    @property
    def checkpoint(self) -> Path:
        """The folder of the checkpoint."""
        return self._journal.checkpoint

    @property
    def working_folder(self) -> Path:
        """The folder in which the training may work."""
        return self._journal.working_folder


def mask_printed_output(files: Path) -> None:
    """Mask the secrets in the printed output of a training, which is among its artifacts in the folder `files`."""
    for name in (OUTPUT, STDOUT, STDERR):
        with suppress(OSError):  # most runs have one of them, or none
            mask_file(files / name)

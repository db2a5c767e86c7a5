"""Messages between the process of a run's journal (`study_process`) and that of the run (`study_server`)."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ablate.errors import DISK_FULL
from ablate.journal.run_log import integer_step
from ablate.studies.job import Job, Outcome, TrainingFailed

_KNOWN_MODULES = ("ablate.errors", "ablate.journal.run_log")
"""Modules of exceptions that both processes know."""


@dataclass(frozen=True)
class Description:
    """A study file that has been imported.

    Attributes:
        workload: The fields of its workload.
        folder: The working folder after the import.
    """

    workload: Mapping[str, Any]
    folder: Path


@dataclass(frozen=True)
class RunRequest:
    """A run to make, with its working folder, and the folder of its checkpoint."""

    job: Job
    folder: Path
    checkpoint: Path


@dataclass(frozen=True)
class LogCall:
    """A call of the run's log. It is answered by the result, or the exception, of the call."""

    name: str
    arguments: Sequence[Any] = ()
    named: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Answer:
    """The result of a call, or the exception that it raised."""

    value: Any = None
    error: Exception | None = None


@dataclass(frozen=True)
class RunResult:
    """How a training ended: with an outcome, or with an exception."""

    outcome: Outcome | None = None
    error: Exception | None = None


@dataclass(frozen=True)
class ProcessEnded:
    """The process of a run ended, with an exit code: 128 + N for signal N."""

    code: int


class RemoteLog:
    """The log of a run, in the process of the run."""

    def __init__(self, connection: Connection[Any, Any], request: RunRequest) -> None:
        self._connection, self._request = connection, request
        self._lock = threading.Lock()

    def _call(self, name: str, *arguments: Any, **named: Any) -> Any:
        with self._lock:
            self._connection.send(LogCall(name, arguments, named))
            answer: Answer = self._connection.recv()
        if answer.error is not None:
            raise answer.error
        return answer.value

    def __call__(self, step: int, **metrics: float) -> None:
        """Record metrics at `step`."""
        self._call("__call__", integer_step(step), **{name: float(value) for name, value in metrics.items()})

    def series(self, name: str, first: int, values: Sequence[float]) -> None:
        """Record the values of the steps from `first` (1-based) on."""
        self._call("series", name, integer_step(first), [float(value) for value in values])

    def progress(self, done: int, total: int) -> None:
        """Report the progress of the training."""
        self._call("progress", done, total)

    def file(self, name: str) -> Path:
        """Return the path at which to write the artifact `name`."""
        path: Path = self._call("file", name)
        return path

    def mlflow_environment(self) -> Mapping[str, str]:
        """Return the environment variables for logging to this run with MLflow."""
        variables: Mapping[str, str] = self._call("mlflow_environment")
        return variables

    @property
    def history(self) -> Sequence[Mapping[str, float]]:
        """The recorded metrics, one row per step."""
        rows: Sequence[Mapping[str, float]] = self._call("history")
        return rows

    def recorded(self, name: str) -> Sequence[float]:
        """Return the recorded values of the series `name`."""
        values: Sequence[float] = self._call("recorded", name)
        return values

    @property
    def checkpoint(self) -> Path:
        """The folder of the checkpoint."""
        return self._request.checkpoint

    @property
    def working_folder(self) -> Path:
        """The folder in which the training works."""
        return self._request.folder


def portable(error: BaseException) -> Exception:
    """Return an exception that any process can load: the error itself if its class is known there."""
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return OSError(error.errno, error.strerror)
    if isinstance(error, Exception) and type(error).__module__ in _KNOWN_MODULES:
        return error
    return TrainingFailed(type(error).__name__, str(error), "".join(traceback.format_exception(error)))

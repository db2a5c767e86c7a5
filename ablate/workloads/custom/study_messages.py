"""Messages between the process of a run's journal (`study_process`) and that of the run (`study_server`)."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablate.errors import is_full_disk
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
    caller: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Answer:
    """The result of a call, or the exception that it raised. `caller` is that of the call."""

    value: Any = None
    error: Exception | None = None
    caller: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class RunResult:
    """How a training ended: with an outcome, or with an exception."""

    outcome: Outcome | None = None
    error: Exception | None = None


@dataclass(frozen=True)
class ProcessEnded:
    """The process of a run ended, with an exit code: 128 + N for signal N."""

    code: int


def portable(error: BaseException) -> Exception:
    """Return an exception that any process can load: the error itself if its class is known there."""
    if is_full_disk(error):
        return OSError(error.errno, error.strerror)
    if isinstance(error, Exception) and type(error).__module__ in _KNOWN_MODULES:
        return error
    return TrainingFailed(type(error).__name__, str(error), "".join(traceback.format_exception(error)))

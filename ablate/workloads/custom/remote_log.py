"""The log of a run in the process of the run, for its threads and child processes, too."""

from __future__ import annotations

import fcntl
import itertools
import os
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any, Self

from ablate.journal.run_log import integer_step
from ablate.workloads.custom.study_messages import Answer, LogCall, RunRequest, RunResult


class SharedConnection:
    """A connection that the threads and child processes of a run share: one of them uses it at a time.

    Args:
        connection: The connection to the process of the journal.
        turn: A file that is locked while the connection is in use. The system unlocks it for a process that dies.
    """

    def __init__(self, connection: Connection[Any, Any], turn: int) -> None:
        self._connection, self._turn = connection, turn
        self._numbers = itertools.count()
        self._new_lock()
        os.register_at_fork(after_in_child=self._new_lock)  # another thread may hold the present one

    @classmethod
    def of(cls, connection: Connection[Any, Any]) -> Self:
        """Return a shared connection."""
        with tempfile.TemporaryFile() as file:
            return cls(connection, os.dup(file.fileno()))

    def _new_lock(self) -> None:
        self._lock = threading.Lock()

    def call(self, call: LogCall) -> Answer:
        """Send a call and return its answer."""
        with self._lock:
            fcntl.lockf(self._turn, fcntl.LOCK_EX)
            try:
                caller = os.getpid(), next(self._numbers)
                self._connection.send(replace(call, caller=caller))
                answer: Answer = self._connection.recv()
                while answer.caller != caller:  # that of a child process that was killed
                    answer = self._connection.recv()
                return answer
            finally:
                fcntl.lockf(self._turn, fcntl.LOCK_UN)

    def end(self, result: RunResult) -> None:
        """Send the result of the run. Calls are not possible any more."""
        self._lock.acquire()
        fcntl.lockf(self._turn, fcntl.LOCK_EX)
        self._connection.send(result)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what a new process of `multiprocessing` makes its own connection of."""
        return _received, (DupFd(self._connection.fileno()), DupFd(self._turn))


def _received(connection: Any, turn: Any) -> SharedConnection:
    return SharedConnection(Connection(connection.detach()), turn.detach())


class RemoteLog:
    """The log of a run, in the process of the run."""

    def __init__(self, connection: SharedConnection, request: RunRequest) -> None:
        self._connection = connection
        self._checkpoint, self._folder = request.checkpoint, request.folder

    def _call(self, name: str, *arguments: Any, **named: Any) -> Any:
        answer = self._connection.call(LogCall(name, arguments, named))
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
        return self._checkpoint

    @property
    def working_folder(self) -> Path:
        """The folder in which the training works."""
        return self._folder

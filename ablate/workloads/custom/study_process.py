"""Run the function of a study file in a process of its own, so that no run leaves state to the next one.

A server process imports the study file once and starts each run from this state, see `study_server`. This process keeps
the journal: calls of the run's log are sent back to it.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from ablate.cores import thread_limits
from ablate.errors import UserError
from ablate.studies.job import Job, Log, Outcome, TrainingLost
from ablate.studies.workload import StudyFile, Workload
from ablate.workloads.custom.program_runner import GuardedProcess
from ablate.workloads.custom.run_folder import working_folder
from ablate.workloads.custom.study_messages import Answer, Description, LogCall, ProcessEnded, RunRequest, RunResult


class StudyProcess:
    """The server process of a study file.

    Raises UserError if the file cannot be imported, or if its training code is not that of `study_file`.
    """

    def __init__(self, study_file: StudyFile) -> None:
        self.study_file = study_file
        self._connection, theirs = Pipe()
        serve = f"study_server.serve({theirs.fileno()}, {str(study_file.path)!r}, {study_file.code_digest!r})"
        program = f"import sys; sys.path[:] = {sys.path!r}; from ablate.workloads.custom import study_server; {serve}"
        with theirs:
            self._process = GuardedProcess(
                [sys.executable, "-c", program],
                [theirs.fileno()],
                stdout=2,  # standard output is reserved for the output of the command
                env={**os.environ, **thread_limits(1)},  # with threads, it could not start runs by forking
            )
        answer = self._receive()
        if isinstance(answer, ProcessEnded):
            raise UserError(f"Cannot import {study_file.path} in a process of its own: {_reason(answer.code)}")
        if answer.error is not None:
            self.end()
            raise answer.error
        self._description: Description = answer.value
        self.workload = Workload(**self._description.workload)

    def _receive(self) -> Any:
        try:
            return self._connection.recv()
        except (EOFError, OSError):
            return ProcessEnded(self.end())

    @property
    def is_running(self) -> bool:
        """Whether the process can make a run."""
        return not self._connection.closed and self._process.guard.poll() is None

    @property
    def folder(self) -> Path:
        """The working folder after the import of the study file."""
        return self._description.folder

    def run(self, job: Job, log: Log, folder: Path) -> Outcome:
        """Make a run in the working folder `folder`.

        Raises the exception of the training (TrainingFailed for one whose class this process may not know), or
        TrainingLost if the process of the run died.
        """
        try:
            self._connection.send(RunRequest(job, folder, log.checkpoint.absolute()))
            result = None
            while not isinstance(message := self._receive(), ProcessEnded):
                if isinstance(message, LogCall):
                    self._connection.send(_answer(log, message))
                else:
                    result = message
        except BaseException:
            self.end()
            raise
        if not isinstance(result, RunResult):
            raise TrainingLost(_reason(message.code))
        if result.error is not None:
            raise result.error
        assert result.outcome is not None
        return result.outcome

    def end(self) -> int:
        """End the process, and the run in progress, and return its exit code."""
        self._connection.close()
        return self._process.end()


def _answer(log: Log, call: LogCall) -> Answer:
    try:
        found = getattr(log, call.name)
        value = found(*call.arguments, **(call.named or {})) if callable(found) else found
        return Answer(value.absolute() if isinstance(value, Path) else value, caller=call.caller)
    except Exception as error:  # for the training, which asked
        return Answer(error=error, caller=call.caller)


def _reason(code: int) -> str:
    if code <= 128:
        return f"its process exited with code {code}"
    name = signal.Signals(code - 128).name
    return f"its process was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")


_current: list[StudyProcess] = []
"""The study process of this process, if there is one."""


@atexit.register
def _end_current() -> None:
    while _current:
        _current.pop().end()


def start_study_process(study_file: StudyFile) -> StudyProcess:
    """Start the process of a study file, in place of the last one."""
    _end_current()
    _current.append(StudyProcess(study_file))
    return _current[0]


def train(job: Job, log: Log) -> Outcome:
    """Execute a run of the function of a study file in a process of its own."""
    workload = job.recipe.workload
    assert workload.study_file is not None
    process = next((one for one in _current if one.study_file == workload.study_file and one.is_running), None)
    process = process or start_study_process(workload.study_file)
    with working_folder(workload, log, process.folder) as folder:
        return process.run(job, log, folder.path)

"""Import a study file, and start the runs of its function from the state after the import.

Started by `study_process`. On Linux, each run is a fork of this process. A file that starts threads or opens files or
devices when it is imported cannot be forked safely: its process executes one run, and the next run gets a new one.
Other systems have no safe forks.
"""

from __future__ import annotations

import atexit
import gc
import os
import random
import signal
import socket
import sys
import threading
import traceback
from contextlib import nullcontext, suppress
from dataclasses import fields, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from ablate.cores import limit_threads
from ablate.errors import UserError
from ablate.interrupts import Terminated, raise_terminated, repeat_ignored_interrupts
from ablate.journal.run_log import OUTPUT
from ablate.studies.workload import StudyFile
from ablate.workloads.custom import process_guard
from ablate.workloads.custom.absolute_paths import AbsolutePaths
from ablate.workloads.custom.declarations import Trainer
from ablate.workloads.custom.hidden_failures import OutputFiles
from ablate.workloads.custom.preloading import preload, recorded_imports
from ablate.workloads.custom.random_state import RandomState
from ablate.workloads.custom.remote_log import RemoteLog, SharedConnection
from ablate.workloads.custom.study_file import arguments_explained, load_trainer
from ablate.workloads.custom.study_messages import (
    Answer,
    Description,
    ProcessEnded,
    RunRequest,
    RunResult,
    portable,
)

_SAFE_THREADS = ("jemalloc_bg_thd",)
"""Threads that survive a fork: the memory allocator of Apache Arrow, which pandas imports, starts its own again."""

_CLOSED = (BrokenPipeError, ConnectionResetError)
"""Errors of a channel whose other end, the command, has ended; the second one if it left an answer unread."""

_TERMINATED = 128 + signal.SIGTERM
_FORKING = threading.local()
"""The signals that a thread had blocked before it forked."""


def serve(channel: int, path: str, code_digest: str) -> None:
    """Import a study file and execute the runs that are requested on the socket `channel`, until it closes.

    Args:
        channel: File descriptor of the socket.
        path: The study file.
        code_digest: The expected digest of the training code.
    """
    os.set_inheritable(channel, False)
    connection: Connection[Any, Any] = Connection(channel)
    study_file = StudyFile(Path(path), code_digest)
    sys.argv = [path]
    files, seed = _open_files(), random.getstate()
    try:
        workload, trainer = load_trainer(study_file)
    except UserError as error:
        with suppress(*_CLOSED):
            connection.send(Answer(error=error))
        return
    state, can_fork = RandomState.after(seed), _can_fork(files)
    described = {field.name: getattr(workload, field.name) for field in fields(workload)}
    with suppress(*_CLOSED):  # the command has ended, and the channel has no request
        connection.send(Answer(Description(described, Path.cwd())))
    process_guard.adopt_orphans()
    with limit_threads(1):
        while _has_request(channel):
            if not can_fork:
                _run(connection, trainer)
            gc.freeze()  # so that collections in the forks do not copy the memory of all objects
            imported = os.memfd_create("imported")
            if (run := os.fork()) == 0:
                os.setsid()
                state.restore()
                _run(connection, trainer, imported)
            try:
                connection.send(ProcessEnded(_wait(run)))
            except _CLOSED:  # the sweep has ended without waiting for the run
                return
            can_fork = not _preload(imported) or _can_fork(files)


def _has_request(channel: int) -> bool:
    """Wait until the socket `channel` has a request, which the process of the run reads. Return False at its end."""
    with socket.socket(fileno=os.dup(channel)) as same, suppress(*_CLOSED):
        return bool(same.recv(1, socket.MSG_PEEK))
    return False  # the command has ended without reading the last answer


def _wait(run: int) -> int:
    """Wait for the end of a run and of its descendants, and return its exit code, 128 + N for signal N."""
    code = os.waitstatus_to_exitcode(os.waitpid(run, 0)[1])
    with suppress(ChildProcessError):  # there are no others
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        process_guard.end_group(run)
        while True:
            os.waitpid(-1, 0)
    return code if code >= 0 else 128 - code


def _open_files() -> dict[str, str]:
    """Return the files, sockets and devices that this process has open, by descriptor."""
    found = {}
    for path in Path("/proc/self/fd").iterdir() if sys.platform == "linux" else ():
        with suppress(FileNotFoundError):  # the one that lists the folder
            found[path.name] = str(path.readlink())
    return found


def _can_fork(files: dict[str, str]) -> bool:
    """Return whether forks of this process are as good as new processes, given the files that it began with."""
    if sys.platform != "linux" or _open_files() != files:
        return False
    threads = [(path / "comm").read_text(encoding="utf-8").strip() for path in Path("/proc/self/task").iterdir()]
    shares_memory = " rw-s " in Path("/proc/self/maps").read_text(encoding="utf-8")
    return not shares_memory and len([name for name in threads if name not in _SAFE_THREADS]) <= 1


def _preload(imported: int) -> bool:
    """Import the modules that a run has written to a file. Return whether one was new."""
    with open(imported, encoding="utf-8") as file:  # of the child process
        file.seek(0)
        return preload(file.read().split())


def _run(connection: Connection[Any, Any], trainer: Trainer, imported: int | None = None) -> NoReturn:
    """Execute a run, send its result, and end this process. Write the modules to preload to the file `imported`."""
    code = 1
    try:
        signal.signal(signal.SIGTERM, raise_terminated)
        repeat_ignored_interrupts()
        os.register_at_fork(
            before=_delay_termination, after_in_parent=_allow_termination, after_in_child=_reset_termination
        )
        while not isinstance(received := connection.recv(), RunRequest):
            pass  # the answer to a call of the last run, which had ended
        shared = SharedConnection.of(connection)
        result, libraries = _result(trainer, received, RemoteLog(shared, received))
        shared.end(result)
        if imported is not None:
            os.write(imported, "\n".join(libraries).encode())
        code = 0
    except Terminated:
        code = _TERMINATED
    except (EOFError, *_CLOSED):
        pass  # the process that asked for the run was killed
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)  # a regular exit with torch loaded takes more than a second


def _call(trainer: Trainer, request: RunRequest, log: RemoteLog) -> RunResult:
    store = request.checkpoint.parents[1]
    opened = AbsolutePaths([store.parent], store) if store in request.folder.parents else None
    try:
        outcome = trainer(request.job, log)
        if opened is not None:
            opened.check()
        return RunResult(outcome)
    except Terminated:
        raise
    except BaseException as error:
        return RunResult(error=portable(error))


def _with_warning(result: RunResult, printed: OutputFiles) -> RunResult:
    """Add the error that the printed output shows to the result of a run that has finished without a warning."""
    if result.outcome is None or result.outcome.warning or not (error := printed.hidden_error("the run finished")):
        return result
    return RunResult(replace(result.outcome, warning=error))


def _delay_termination() -> None:
    """Block SIGTERM during a fork: the child would otherwise lose a signal that it gets before its handler is reset."""
    _FORKING.mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def _allow_termination() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _FORKING.mask)


def _reset_termination() -> None:
    """Let SIGTERM end a process that the training forks, such as a worker of a pool, as usual."""
    if signal.getsignal(signal.SIGTERM) is raise_terminated:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _allow_termination()


def _result(trainer: Trainer, request: RunRequest, log: RemoteLog) -> tuple[RunResult, list[str]]:
    """Execute a run, and return its result and the modules to preload.

    Its printed output becomes an artifact, also that of its child processes.
    """
    output = log.file(OUTPUT)
    os.chdir(request.folder)
    os.environ["PWD"] = str(request.folder)
    try:
        sys.stdout.flush()
        with output.open("ab") as file:
            os.dup2(file.fileno(), 1)
        sys.stdout = open(1, "w", buffering=1, closefd=False, encoding="utf-8")  # noqa: SIM115  # until this process ends
        threads = request.job.conditions.threads
        with (
            nullcontext() if threads == 1 else limit_threads(threads),
            arguments_explained(),
            recorded_imports() as imports,
        ):
            printed = OutputFiles.of({"output": output})
            result = _call(trainer, request, log)
            atexit._run_exitfuncs()  # noqa: SLF001  # those of joblib, which end its workers, and of the training
            sys.stdout.flush()
            return _with_warning(result, printed), imports.found
    finally:
        sys.stdout.flush()
        if not output.stat().st_size:
            output.unlink()

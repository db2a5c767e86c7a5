"""Failures in a run that the value of its function does not show: in threads, pools, child processes and logs."""

from __future__ import annotations

import logging
import multiprocessing
import os
import re
import shlex
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing.pool import ApplyResult, MapResult
from multiprocessing.popen_fork import Popen as ChildProcess
from pathlib import PurePath
from subprocess import Popen
from typing import Any

_FAILURE = "_noticed_by_ablate"
"""Attribute of a task with its failure, and of a process that the training itself has ended."""

_CRASHES = {-number for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)}
_PYTHON = re.compile(r"python[\d.]*|torchrun|accelerate|deepspeed")


@dataclass
class _Failure:
    text: str
    is_task: bool = False
    is_read: bool = False


@dataclass
class Failures:
    """The failures that a run has not noticed so far."""

    found: list[_Failure] = field(default_factory=list)

    def add(self, text: str, *, is_task: bool = False) -> _Failure:
        """Record a failure, and return it."""
        self.found.append(_Failure(text, is_task))
        return self.found[-1]

    def add_program(self, command: Any, code: int) -> None:
        """Record the end of a program with an exit code that is not 0, if it is one of Python or a crash."""
        name = _program(command)
        if code in _CRASHES or _PYTHON.fullmatch(name):
            self.add(f"the program {name} ended {_ending(code)}")

    @property
    def warning(self) -> str:
        """The first failure that nothing has read, with the number of others. An empty text if there is none.

        Tasks come last: a pool that is ended after a failure cancels the others.
        """
        unread = sorted((failure for failure in self.found if not failure.is_read), key=lambda one: one.is_task)
        texts = list(dict.fromkeys(failure.text for failure in unread))
        return texts[0] + (f" ({len(texts) - 1} more)" if len(texts) > 1 else "") if texts else ""


@contextmanager
def recorded_failures() -> Iterator[Failures]:
    """Record the failures in this context that Python only prints, or that nothing asks for.

    An exception of a task counts as noticed when its result is read.
    """
    failures = Failures()
    with ExitStack() as stack:
        for replacement in (
            *_of_threads(failures),
            *_of_tasks(failures),
            *_of_processes(failures),
            *_of_logs(failures),
        ):
            stack.enter_context(_replaced(*replacement))
        stack.callback(logging.setLogRecordFactory, logging.getLogRecordFactory())
        logging.setLogRecordFactory(_recording(failures, logging.getLogRecordFactory()))
        yield failures
        multiprocessing.active_children()  # learns the exit codes of those that have ended


_Replacement = tuple[Any, str, Any]
"""An object, the name of an attribute, and its value in the context."""


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    missing = object()
    before = vars(owner).get(name, missing)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if before is missing:
            delattr(owner, name)
        else:
            setattr(owner, name, before)


def _of_threads(failures: Failures) -> Iterator[_Replacement]:
    report = threading.excepthook

    def record(ended: threading.ExceptHookArgs) -> None:
        if not issubclass(ended.exc_type, SystemExit) and ended.exc_value is not None:
            failures.add(f"a thread of the run ended with {_name(ended.exc_value)}")
        report(ended)

    yield threading, "excepthook", record


def _of_tasks(failures: Failures) -> Iterator[_Replacement]:
    """Yield what records the exceptions of tasks of `concurrent.futures` and of pools of `multiprocessing`."""
    fail = Future.set_exception

    def set_exception(task: Future[Any], error: BaseException | None) -> None:
        _note(failures, task, error)
        fail(task, error)

    yield Future, "set_exception", set_exception
    for results in (ApplyResult, MapResult):
        yield results, "_set", _noting_failure(failures, vars(results)["_set"])
    for owner, name in ((Future, "result"), (Future, "exception"), (ApplyResult, "get"), (ApplyResult, "successful")):
        yield owner, name, _noting_use(vars(owner)[name])


def _note(failures: Failures, task: Any, error: object) -> None:
    if isinstance(error, BaseException):
        text = f"a task of a pool ended with {_name(error)}, and its result was not read"
        vars(task)[_FAILURE] = failures.add(text, is_task=True)


def _noting_failure(failures: Failures, end: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that ends a task of a pool, and records its exception unless a callback gets it."""

    def _set(task: Any, place: Any, result: tuple[bool, object]) -> Any:
        if not result[0] and task._error_callback is None:  # noqa: SLF001  # no public name
            _note(failures, task, result[1])
        return end(task, place, result)

    return _set


def _noting_use(read: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that reads the result of a task, after which its exception counts as noticed."""

    def get(task: Any, *arguments: Any, **named: Any) -> Any:
        try:
            return read(task, *arguments, **named)
        finally:
            if _FAILURE in vars(task):
                vars(task)[_FAILURE].is_read = True

    return get


def _of_processes(failures: Failures) -> Iterator[_Replacement]:
    """Yield what records exit codes: of child processes of `multiprocessing`, and of programs if they are Python's.

    Other programs end with an exit code that is not 0 for many reasons, so only their crashes count.
    """
    shell = os.system

    def system(command: str) -> int:
        status = shell(command)
        if status:
            failures.add_program(command, os.waitstatus_to_exitcode(status))
        return status

    def learn_program(process: Any, code: int | None) -> None:
        vars(process)["returncode"] = code
        if code and _FAILURE not in vars(process):
            failures.add_program(process.args, code)

    def learn_child(child: Any, code: int | None) -> None:
        vars(child)["returncode"] = code
        if code and _FAILURE not in vars(child):
            failures.add(f"a child process ended {_ending(code)}")

    for owner, learn, send in ((ChildProcess, learn_child, "_send_signal"), (Popen, learn_program, "send_signal")):
        yield owner, "returncode", property(lambda process: vars(process).get("returncode"), learn)
        yield owner, send, _noting_end(vars(owner)[send])
    yield os, "system", system


def _noting_end(send: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that sends a signal to a process, whose end is then no failure."""

    def send_signal(process: Any, *arguments: Any) -> Any:
        vars(process)[_FAILURE] = True
        return send(process, *arguments)

    return send_signal


def _of_logs(failures: Failures) -> Iterator[_Replacement]:
    """Yield what records the exceptions that the training prints."""
    report = traceback.print_exception

    def record(error: Any, value: Any = None, *arguments: Any, **named: Any) -> None:
        shown = error if isinstance(error, BaseException) else value
        if isinstance(shown, BaseException):
            failures.add(_printed(shown))
        report(error, *(() if value is None and shown is error else (value,)), *arguments, **named)

    yield traceback, "print_exception", record


def _recording(failures: Failures, make: Callable[..., logging.LogRecord]) -> Callable[..., logging.LogRecord]:
    def record(*arguments: Any, **named: Any) -> logging.LogRecord:
        made = make(*arguments, **named)
        if made.levelno >= logging.ERROR and made.exc_info and made.exc_info[1] is not None:
            failures.add(_printed(made.exc_info[1]))
        return made

    return record


def _printed(error: BaseException) -> str:
    return f"the run logged {_name(error)} and continued"


def _name(error: BaseException) -> str:
    return traceback.format_exception_only(error)[-1].strip()[:300]


def _ending(code: int) -> str:
    return f"with exit code {code}" if code > 0 else f"by {signal.Signals(-code).name}"


def _program(command: Any) -> str:
    """Return the name of the program that a command or its arguments start."""
    if isinstance(command, (bytes, str)):
        try:
            words = shlex.split(os.fsdecode(command))
        except ValueError:  # an open quotation mark
            words = []
        command = [word for word in words if not re.match(r"\w+=", word)]
    words = [os.fsdecode(word) for word in ([command] if isinstance(command, os.PathLike) else command)]
    return PurePath(words[0]).name if words else ""

"""Failures in a run that the value of its function does not show: in threads, pools, child processes and logs."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing.pool import ApplyResult, MapResult
from typing import Any

from ablate.workloads.custom.unnoticed_processes import Replacement, failures_of_processes, learn_exit_codes

_FAILURE = "_noticed_by_ablate"
"""Attribute of a task with its failure."""


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
            *failures_of_processes(failures.add),
            *_of_logs(failures),
        ):
            stack.enter_context(_replaced(*replacement))
        stack.callback(logging.setLogRecordFactory, logging.getLogRecordFactory())
        logging.setLogRecordFactory(_recording(failures, logging.getLogRecordFactory()))
        yield failures
        learn_exit_codes()


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


def _of_threads(failures: Failures) -> Iterator[Replacement]:
    report = threading.excepthook

    def record(ended: threading.ExceptHookArgs) -> None:
        if not issubclass(ended.exc_type, SystemExit) and ended.exc_value is not None:
            failures.add(f"a thread of the run ended with {_name(ended.exc_value)}")
        report(ended)

    yield threading, "excepthook", record


def _of_tasks(failures: Failures) -> Iterator[Replacement]:
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


def _of_logs(failures: Failures) -> Iterator[Replacement]:
    """Yield what records the exceptions that the training prints."""
    report = traceback.print_exception

    def record(error: Any, value: Any = None, *arguments: Any, **named: Any) -> None:
        shown = error if isinstance(error, BaseException) else value
        if isinstance(shown, BaseException):
            failures.add(_printed(shown))
        report(error, *(() if value is None and shown is error else (value,)), *arguments, **named)

    yield traceback, "print_exception", record


def _recording(failures: Failures, make: Callable[..., logging.LogRecord]) -> Callable[..., logging.LogRecord]:
    """Return a factory of log records that records errors, with the exception if there is one."""

    def record(*arguments: Any, **named: Any) -> logging.LogRecord:
        made = make(*arguments, **named)
        if made.levelno >= logging.ERROR:
            error = made.exc_info[1] if made.exc_info else None
            failures.add(_printed(error) if error else f"the run logged an error: {_first_line(made)}")
        return made

    return record


def _first_line(made: logging.LogRecord) -> str:
    try:
        text = made.getMessage()
    except Exception:  # its arguments do not fit
        text = str(made.msg)
    return text.strip().partition("\n")[0][:300]


def _printed(error: BaseException) -> str:
    return f"the run logged {_name(error)} and continued"


def _name(error: BaseException) -> str:
    return traceback.format_exception_only(error)[-1].strip()[:300]

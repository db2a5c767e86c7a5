"""Failures of child processes and programs in a run, whose exit codes nothing asks for."""

from __future__ import annotations

import multiprocessing
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator
from multiprocessing.popen_fork import Popen as ChildProcess
from pathlib import PurePath
from subprocess import Popen
from typing import Any

_ENDED = "_ended_by_training"
"""Attribute of a process that the training itself has ended."""

_CRASHES = {-number for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)}
_PYTHON = re.compile(r"python[\d.]*|torchrun|accelerate|deepspeed")

Replacement = tuple[Any, str, Any]
"""An object, the name of an attribute, and its value in the context."""


def learn_exit_codes() -> None:
    """Learn the exit codes of the processes and programs that have ended and that nothing has waited for."""
    multiprocessing.active_children()
    subprocess._cleanup()  # type: ignore[attr-defined]  # noqa: SLF001


def failures_of_processes(add: Callable[[str], object]) -> Iterator[Replacement]:
    """Yield what records exit codes: of child processes of `multiprocessing`, and of programs if they are Python's.

    Other programs end with an exit code that is not 0 for many reasons, so only their crashes count.
    """
    shell = os.system

    def system(command: str) -> int:
        status = shell(command)
        if status:
            _add_program(add, command, os.waitstatus_to_exitcode(status))
        return status

    def learn_program(process: Any, code: int | None) -> None:
        vars(process)["returncode"] = code
        if code and _ENDED not in vars(process):
            _add_program(add, process.args, code)

    def learn_child(child: Any, code: int | None) -> None:
        vars(child)["returncode"] = code
        if code and _ENDED not in vars(child):
            add(f"a child process ended {_ending(code)}")

    forked = set[int]()
    yield from _of_forks(add, forked)
    for owner, learn, send in ((ChildProcess, learn_child, "_send_signal"), (Popen, learn_program, "send_signal")):
        yield owner, "returncode", property(lambda process: vars(process).get("returncode"), learn)
        yield owner, send, _noting_end(vars(owner)[send], forked)
    yield os, "system", system


def _of_forks(add: Callable[[str], object], forked: set[int]) -> Iterator[Replacement]:
    """Yield what records the exit codes of processes that the training forks and waits for, as `os.spawnv` does."""
    fork, wait = os.fork, os.waitpid

    def noting_fork() -> int:
        if child := fork():
            forked.add(child)
        return child

    def waitpid(child: int, options: int) -> tuple[int, int]:
        ended, status = wait(child, options)
        if ended in forked and os.WIFEXITED(status) and (code := os.WEXITSTATUS(status)):
            add(f"a child process ended {_ending(code)}")
        return ended, status

    yield os, "fork", noting_fork
    yield os, "waitpid", waitpid


def _noting_end(send: Callable[..., Any], forked: set[int]) -> Callable[..., Any]:
    """Return a method that sends a signal to a process, whose end is then no failure, also if it was forked."""

    def send_signal(process: Any, *arguments: Any) -> Any:
        vars(process)[_ENDED] = True
        forked.discard(process.pid)
        return send(process, *arguments)

    return send_signal


def _add_program(add: Callable[[str], object], command: Any, code: int) -> None:
    """Record the end of a program with an exit code that is not 0, if Python is part of it or it crashed."""
    names = _programs(command)
    python = next(filter(_PYTHON.fullmatch, names[:-1]), "")  # the last word is an argument, as in `which python`
    if code in _CRASHES or python:
        add(f"the program {python or names[0]} ended {_ending(code)}")


def _ending(code: int) -> str:
    return f"with exit code {code}" if code > 0 else f"by {signal.Signals(-code).name}"


def _programs(command: Any) -> list[str]:
    """Return the words of a command, or of what a shell gets as an argument, without variables and folders."""
    if isinstance(command, (bytes, str)):
        try:
            words = shlex.split(os.fsdecode(command))
        except ValueError:  # an open quotation mark
            words = []
    else:
        words = [os.fsdecode(word) for word in ([command] if isinstance(command, os.PathLike) else command)]
    if words and words[0].endswith("sh"):
        words += words[-1].split()
    return [PurePath(word).name for word in words if not re.match(r"\w+=", word)] or [""]

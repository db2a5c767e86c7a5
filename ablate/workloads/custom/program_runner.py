"""A program that runs for a while: its output goes to files, and nothing of it outlives whoever asked for it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ablate.workloads.custom import process_guard

POLL = 0.1


@dataclass(frozen=True)
class Program:
    """Arguments, the folder to run in, the environment, the files for output and errors, and a limit in seconds."""

    arguments: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    output: Path
    errors: Path
    time_limit: float | None = None


class TimeUp(Exception):  # noqa: N818  # it happens
    """The program took longer than it may."""


def run(program: Program, watch: Callable[[], None]) -> int:
    """Run a program to its end and return its exit code; 128 and the number of the signal that ended it.

    `watch` is called now and then. Whatever ends the wait (an exception of `watch`, KeyboardInterrupt, the time limit,
    even SIGKILL of this process) ends the program with all that it started. Raises TimeUp.
    """
    deadline = time.monotonic() + (program.time_limit or float("inf"))
    theirs, ours = os.pipe()
    try:
        with program.output.open("ab") as output, program.errors.open("ab") as errors:
            running = subprocess.Popen(
                [sys.executable, "-I", process_guard.__file__, str(theirs), *program.arguments],
                cwd=program.folder,
                env=dict(program.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                pass_fds=[theirs],
                start_new_session=True,
            )
        os.close(theirs)
        return _await(running, watch, deadline)
    finally:
        os.close(ours)  # ends what still runs
        with suppress(UnboundLocalError):  # it did not start
            running.wait(2 * process_guard.GRACE)


def _await(running: subprocess.Popen[bytes], watch: Callable[[], None], deadline: float) -> int:
    while True:
        try:
            code = running.wait(POLL)
        except subprocess.TimeoutExpired:
            watch()
            if time.monotonic() > deadline:
                raise TimeUp from None
        else:
            watch()
            return code

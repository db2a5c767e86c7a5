"""Run a program with its output in files; it never outlives the process that started it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ablate.workloads.custom import process_guard

POLL = 0.1  # seconds between two reads of the output


@dataclass(frozen=True)
class Program:
    """A program to run: its arguments, working folder, environment, output files and time limit in seconds."""

    arguments: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    output: Path
    errors: Path
    time_limit: float | None = None


class TimeLimitExceededError(Exception):
    """The program ran longer than its time limit."""


class RunningProgram:
    """A program that has been started by `running`."""

    def __init__(self, program: Program, process: subprocess.Popen[bytes], position: int) -> None:
        self._program, self._process = program, process
        self._position = position  # of the first byte of the output file that has not been read
        self._deadline = time.monotonic() + (program.time_limit or float("inf"))

    def lines(self) -> Iterator[str]:
        """Yield the complete lines of standard output as they are written, until the program ends.

        Raises TimeLimitExceededError.
        """
        has_ended = False
        while not has_ended:
            try:
                self._process.wait(POLL)
                has_ended = True
            except subprocess.TimeoutExpired:
                pass
            yield from self._new_lines()
            if not has_ended and time.monotonic() > self._deadline:
                raise TimeLimitExceededError

    def _new_lines(self) -> list[str]:
        with self._program.output.open("rb") as file:
            file.seek(self._position)
            complete, newline, _ = file.read().rpartition(b"\n")
        self._position += len(complete) + len(newline)
        return [line.decode(errors="replace") for line in complete.splitlines()]

    @property
    def exit_code(self) -> int:
        """The exit code of the program, after its end; 128 + N if signal N ended it."""
        assert self._process.returncode is not None, "`lines` is read to its end first"
        return self._process.returncode


@contextmanager
def running(program: Program) -> Iterator[RunningProgram]:
    """Start a program; on leaving the context, end it with every process that it started.

    This holds for exceptions, KeyboardInterrupt and SIGKILL of this process alike: the program runs under
    `process_guard`, which ends it when the pipe to this process closes.
    """
    read_end, write_end = os.pipe()
    process = None
    try:
        try:
            with program.output.open("ab") as output, program.errors.open("ab") as errors:
                position = output.tell()
                process = subprocess.Popen(
                    [sys.executable, "-I", process_guard.__file__, str(read_end), *program.arguments],
                    cwd=program.folder,
                    env=dict(program.environment),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=errors,
                    pass_fds=[read_end],
                    start_new_session=True,
                )
        finally:
            os.close(read_end)
        yield RunningProgram(program, process, position)
    finally:
        os.close(write_end)  # the guard ends the program, if it still runs
        if process is not None:
            process.wait(2 * process_guard.GRACE)

"""Run a program with its output in files; it never outlives the process that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablate.errors import UserError
from ablate.redaction import mask_variables_of
from ablate.workloads.custom import process_guard
from ablate.workloads.custom.output_parsing import failure_reason

_KILLED = 128 + 9

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


class GuardedProcess:
    """A process that never outlives this one, nor do its descendants: it runs under `process_guard`.

    Args:
        arguments: The program and its arguments.
        inherited: File descriptors that the program inherits.
        options: Further arguments of `subprocess.Popen`.
    """

    def __init__(self, arguments: Sequence[str], inherited: Sequence[int] = (), **options: Any) -> None:
        read_end, self._pipe = os.pipe()
        try:
            self.guard: subprocess.Popen[bytes] = subprocess.Popen(
                [sys.executable, "-I", process_guard.__file__, str(read_end), *arguments],
                stdin=subprocess.DEVNULL,
                pass_fds=[read_end, *inherited],
                start_new_session=True,
                **options,
            )
        except BaseException:
            os.close(self._pipe)
            raise
        finally:
            os.close(read_end)

    def end(self) -> int:
        """End the process and its descendants, if they still run, and return its exit code: 128 + N for signal N."""
        pipe, self._pipe = self._pipe, -1
        if pipe >= 0:
            os.close(pipe)
        return self.guard.wait(2 * process_guard.GRACE)


@contextmanager
def running(program: Program) -> Iterator[RunningProgram]:
    """Start a program; on leaving the context, end it with every process that it started.

    This holds for exceptions, KeyboardInterrupt and SIGKILL of this process alike.
    """
    mask_variables_of(program.environment)
    with program.output.open("ab") as output, program.errors.open("ab") as errors:
        position = output.tell()
        process = GuardedProcess(
            program.arguments, cwd=program.folder, env=dict(program.environment), stdout=output, stderr=errors
        )
    try:
        yield RunningProgram(program, process.guard, position)
    finally:
        process.end()


def check_exit_code(code: int, program: Program) -> None:
    """Raise MemoryError for SIGKILL, and UserError for another exit code than 0."""
    if code == _KILLED:
        raise MemoryError("The program was ended by SIGKILL, probably because the machine ran out of memory")
    if code:
        errors, output = (
            path.read_text(errors="replace", encoding="utf-8") for path in (program.errors, program.output)
        )
        raise UserError(f"The program failed with exit code {code}{_signal(code)}: {failure_reason(errors, output)}")


def _signal(code: int) -> str:
    """Return the signal of an exit code in brackets, or an empty text."""
    known = {128 + number: number.name for number in signal.Signals}
    return f" ({known[code]})" if code in known else ""

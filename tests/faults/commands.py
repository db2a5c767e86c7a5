"""Commands of `ablate` in processes that can be killed at any moment.

A command runs in a fork of this process, which has already imported the libraries, so that a random moment interrupts
the work of the command and not its imports.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ablate.cli.app import app
from ablate.tracking.mlflow_backend.quiet import silence_mlflow


@dataclass(frozen=True)
class CommandEnd:
    """The end of a command: its exit code (negative: the signal), its output, its duration."""

    code: int
    output: str
    seconds: float

    @property
    def was_killed(self) -> bool:
        return self.code == -signal.SIGKILL

    @property
    def is_clean(self) -> bool:
        """Whether the exit code is known and the output has no traceback."""
        return self.code in (0, 1, 2, 130) and "Traceback (most recent call last)" not in self.output


def import_libraries() -> None:
    """Import the libraries of the commands, for the forks."""
    silence_mlflow()
    import matplotlib.pyplot as plt
    import mlflow.store.tracking.sqlalchemy_store
    import mlflow.tracking
    import optuna
    import sklearn.datasets
    import statsmodels.api
    import torch

    import ablate.report.write_study
    import ablate.workloads.resnet9.run

    assert all((plt, mlflow, optuna, sklearn.datasets, statsmodels.api, torch, ablate))


@dataclass(frozen=True)
class Command:
    """A command line to run in a folder. The new process calls `before` first, to set limits or replace functions."""

    arguments: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str] | None = None
    before: Callable[[], None] | None = None

    def run(self, kill_after: float | None = None, *, with_children: bool = True, patience: float = 240) -> CommandEnd:
        """Run it to its end, or kill it after some seconds, alone or with its child processes."""
        return self.start().wait(kill_after, with_children=with_children, patience=patience)

    def start(self) -> RunningCommand:
        """Start it."""
        output = (
            Path(tempfile.gettempdir()) / f"ablate-faults-{os.getpid()}-{time.monotonic_ns()}"
        )  # outside the faulty folder
        began = time.monotonic()
        process = os.fork()
        if process == 0:
            self._become(output)
        return RunningCommand(process, output, began)

    def _become(self, output: Path) -> None:
        """Become the command; never returns."""
        code = 70
        try:
            os.setsid()
            os.chdir(self.folder)
            os.environ.update(self.environment or {})
            file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(file, 1)
            os.dup2(file, 2)
            sys.stdout, sys.stderr = (open(number, "w", closefd=False, errors="backslashreplace") for number in (1, 2))  # noqa: SIM115
            _redirect_consoles()
            if self.before:
                self.before()
            app(list(self.arguments))
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(BaseException):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)


def _redirect_consoles() -> None:
    """Point the consoles, which were created at import, to the streams of this process."""
    from ablate.console import printing

    printing.OUTPUT.file, printing.MESSAGES.file = sys.stdout, sys.stderr


@dataclass(frozen=True)
class RunningCommand:
    """A command in progress."""

    process: int
    output: Path
    began: float

    def wait(self, kill_after: float | None = None, *, with_children: bool = True, patience: float = 240) -> CommandEnd:
        """Wait for its end. It is killed after `kill_after` seconds; after `patience` seconds it has failed."""
        limit = kill_after if kill_after is not None else patience
        while (code := self._code()) is None and time.monotonic() - self.began < limit:
            time.sleep(0.002)
        timed_out = code is None and kill_after is None
        if code is None:
            self.kill(with_children=with_children)
            code = -signal.SIGKILL
        text = self.output.read_text(errors="replace") if self.output.exists() else ""
        self.output.unlink(missing_ok=True)
        return CommandEnd(99 if timed_out else code, text, time.monotonic() - self.began)

    def kill(self, *, with_children: bool = True) -> None:
        """Kill it, alone or with its process group, and wait for its end."""
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if with_children else os.kill)(self.process, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.process, 0)

    def _code(self) -> int | None:
        found, status = os.waitpid(self.process, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if found else None

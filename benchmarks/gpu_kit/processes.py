"""Processes with a time limit. A rehearsal forks them, which saves the imports."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol

GRACE = 15.0
"""Seconds that an interrupted process has to record its results before it is killed."""


class Child(Protocol):
    """A process that was started."""

    @property
    def pid(self) -> int:
        """Its identifier."""

    def wait(self, timeout: float) -> int:
        """Return its exit code. Raises subprocess.TimeoutExpired."""


class Fork:
    """A fork of this process that runs `python -m MODULE ARGUMENTS`."""

    def __init__(self, words: Sequence[str], folder: Path) -> None:
        sys.stdout.flush()
        self._process = get_context("fork").Process(target=_run_module, args=(list(words), folder))
        self._process.start()
        self.pid = self._process.pid or 0

    def wait(self, timeout: float) -> int:
        """Return its exit code. Raises subprocess.TimeoutExpired."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("fork", timeout)
        return self._process.exitcode


def start(words: Sequence[str], folder: Path, *, fork: bool) -> Child:
    """Start `python -m WORDS` in a folder."""
    if fork:
        return Fork(words, folder)
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), *sys.path]))}
    return subprocess.Popen([sys.executable, "-m", *words], cwd=folder, env={**os.environ, **paths})


def finish(process: Child, seconds: float) -> int:
    """Wait for a process and return its exit code. After some seconds, interrupt it as Ctrl-C does, then kill it.

    If this process is interrupted meanwhile, so is the other one, before KeyboardInterrupt is raised.
    """
    try:
        return _finish(process, seconds, (signal.SIGINT, signal.SIGKILL))
    except KeyboardInterrupt:
        os.kill(process.pid, signal.SIGINT)
        _finish(process, GRACE, (signal.SIGKILL,))
        raise


def _finish(process: Child, seconds: float, signals: Sequence[signal.Signals]) -> int:
    """Wait for a process. Send it one signal after the other, the first after `seconds`, until it has ended."""
    for number in signals:
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, number)
            seconds = GRACE
    return process.wait(GRACE)


def _run_module(words: list[str], folder: Path) -> None:
    os.chdir(folder)
    sys.argv = words
    sys.modules.pop(f"{words[0]}.__main__", None)  # a fork may have imported it
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)

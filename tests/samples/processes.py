"""Programs that tests start, and waiting for what they do."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from tests import ROOT

PATIENCE = 120.0
"""Seconds after which something that should happen is considered not to happen, on a busy machine too."""

ADDRESS = "ABLATE_TESTS_FORK_SERVER"
"""Environment variable with the path of the session's fork server (tests/samples/fork_server.py)."""

CAN_FORK = sys.platform == "linux"


def until(condition: Callable[[], bool], seconds: float = PATIENCE, pause: float = 0.02) -> None:
    """Wait until a condition holds; fail if it does not within some seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(pause)


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one that only waits to be reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class _Fork:
    """A program that the fork server runs."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self.pid = connection, int(connection.recv(100))

    def wait(self, timeout: float) -> int:
        self._connection.settimeout(timeout)
        try:
            answer = self._connection.recv(100)
        except TimeoutError:
            raise subprocess.TimeoutExpired(str(self.pid), timeout) from None
        self._connection.close()
        return int(answer)


class Program:
    """A program in a session of its own."""

    def __init__(self, process: _Fork | subprocess.Popen[bytes], streams: Sequence[Path]) -> None:
        self._process, self._streams = process, streams
        self.pid, self.returncode = process.pid, None

    def poll(self) -> int | None:
        """Return the exit code, or None while the program runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0.001)
        return self.returncode

    def wait(self, timeout: float = PATIENCE) -> int:
        """Wait for the end and return the exit code; negative: the signal that ended it."""
        if self.returncode is None:
            self.returncode = self._process.wait(timeout)
        return self.returncode

    def communicate(self, timeout: float = PATIENCE) -> tuple[str, str]:
        """Wait for the end and return what was written to standard output and standard error."""
        self.wait(timeout)
        output, errors = (stream.read_text(errors="replace") for stream in self._streams)
        return output, errors

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the program, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill_all(self) -> None:
        """Kill the program, and every process in its process group, and wait for it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait()


def start_program(
    *arguments: str,
    folder: Path,
    code: str = "",
    environment: Mapping[str, str] | None = None,
    without: Sequence[str] = (),
    fresh: bool = False,
) -> Program:
    """Start `python -m ablate ARGUMENTS`, or `python -c CODE ARGUMENTS`, in a folder.

    Args:
        folder: The current folder of the program.
        code: A program to run instead of the command line.
        environment: Variables to add to those of this process.
        without: Libraries that the program begins without: if it needs one, it imports it.
        fresh: Start an interpreter that imports everything itself, instead of a fork of the fork server.
    """
    session = Path(os.environ[ADDRESS]).parent if ADDRESS in os.environ else None  # deleted at the end of the tests
    streams = [Path(tempfile.mkstemp(prefix=f"ablate-tests-{name}-", dir=session)[1]) for name in ("out", "err")]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
    if CAN_FORK and not fresh:
        request = {"arguments": arguments, "folder": str(folder), "code": code, "environment": variables}
        request |= {"path": [str(folder), *sys.path], "without": without, "sketch": "matplotlib" not in without}
        return Program(_forked(request, streams), streams)
    command = [sys.executable, *(["-c", code] if code else ["-m", "ablate"]), *arguments]
    with streams[0].open("wb") as output, streams[1].open("wb") as errors:
        started = subprocess.Popen(
            command, cwd=folder, env=variables, stdout=output, stderr=errors, start_new_session=True
        )
    return Program(started, streams)


def output_of(code: str, *arguments: str, fresh: bool = False) -> str:
    """Run a program, which must succeed, and return what it writes to standard output."""
    program = start_program(*arguments, folder=ROOT, code=textwrap.dedent(code), fresh=fresh)
    output, errors = program.communicate()
    assert program.returncode == 0, errors
    return output


def _forked(request: Mapping[str, object], streams: Sequence[Path]) -> _Fork:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    until(lambda: connection.connect_ex(os.environ[ADDRESS]) == 0)
    descriptors = [os.open(stream, os.O_WRONLY | os.O_TRUNC) for stream in streams]
    socket.send_fds(connection, [json.dumps(request).encode()], descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    return _Fork(connection)


@contextlib.contextmanager
def fork_server() -> Iterator[None]:
    """Run the fork server of a session; its test processes find it by the environment."""
    if not CAN_FORK:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="ablate-tests-") as folder:
        os.environ[ADDRESS] = f"{folder}/socket"
        command = [sys.executable, "-m", "tests.samples.fork_server", os.environ[ADDRESS]]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE) as server:
            yield
            assert server.stdin
            server.stdin.close()

"""The MLflow UI: a server in its own process group, which ends with the command."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import IO

from ablate.errors import UsageError, UserError
from ablate.interrupts import termination_raises
from ablate.redaction import mask_uri
from ablate.tracking.mlflow_backend.store import Store
from ablate.tracking.project import Project, is_local_host, is_server

_START_TIMEOUT = 90.0
_STOP_TIMEOUT = 5.0


def serve_command(host: str, port: int) -> list[str]:
    """Return the command that starts the server with one worker. The store's URI is in the environment."""
    options = ["--host", host, "--port", str(port), "--workers", "1", "--uvicorn-opts", "--log-level warning"]
    return [sys.executable, "-m", "mlflow", "server", *options]


def serve_environment(project: Project, uri: str, host: str = "") -> dict[str, str]:
    """Return the environment of the server: the URI, which may contain a password, no jobs, no telemetry.

    A server for this machine only refuses requests for other hosts, which a web page could send to it under a name of
    its own (DNS rebinding). MLflow's default admits every name that begins like a private address, such as `10.`.
    """
    # any port, since it may be forwarded; MLflow takes a text as a pattern only if it contains an asterisk
    ports = ("", *(":" + "[0-9*]" * digits for digits in range(1, 6)))
    own = ",".join(f"{name}{port}" for name in ("localhost", "127.0.0.1", "[[]::1]", host) for port in ports)
    return {
        **({"MLFLOW_SERVER_ALLOWED_HOSTS": own} if is_local_host(host) else {}),
        **os.environ,
        "MLFLOW_BACKEND_STORE_URI": uri,
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": project.artifacts.as_uri(),
        "MLFLOW_SERVE_ARTIFACTS": "false",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


@contextmanager
def serving(project: Project, uri: str, host: str = "127.0.0.1", port: int = 5000) -> Iterator[subprocess.Popen[bytes]]:
    """Run the UI within the context; it is ready on entry, and all its processes have ended on exit.

    Closing the terminal ends it too, except under nohup.

    Raises:
        UsageError: The store is a server, which has its own UI.
        UserError: The port is in use, or the server does not start.
    """
    if is_server(uri):
        raise UsageError(f"The tracking server has its own UI: open {mask_uri(uri)}")
    _check_free(host, port)
    Store(uri, project.artifacts).connect()
    is_ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    with tempfile.TemporaryFile() as log, nullcontext() if is_ignored else termination_raises(signal.SIGHUP):
        process = subprocess.Popen(
            serve_command(host, port),
            env=serve_environment(project, uri, host),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            _wait_until_ready(process, f"http://{_reachable(host)}:{port}/health", log)
            yield process
        finally:
            _stop(process)


def _check_free(host: str, port: int) -> None:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise UserError(f"Cannot listen on {host}:{port}: {error.strerror or error}. Try another --port") from None


def _reachable(host: str) -> str:
    if host in ("0.0.0.0", "::"):  # noqa: S104 -- compared, not bound to
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _wait_until_ready(process: subprocess.Popen[bytes], address: str, log: IO[bytes]) -> None:
    deadline = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(address, timeout=5):  # noqa: S310 -- http, built above
            return
        time.sleep(0.1)
    if process.poll() is None:
        raise UserError(f"The MLflow UI did not answer within {_START_TIMEOUT:g} seconds. Repeat the command")
    log.seek(0)
    last_lines = log.read().decode(errors="replace").strip().splitlines()[-1:]
    raise UserError(f"The MLflow UI did not start: {last_lines[0] if last_lines else 'no answer'}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process group, by SIGTERM and then by SIGKILL."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_TIMEOUT)
    _wait_until_group_is_gone(process.pid)


def _wait_until_group_is_gone(group: int) -> None:
    deadline = time.monotonic() + _STOP_TIMEOUT
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except (ProcessLookupError, PermissionError):
            return
        time.sleep(0.02)

"""A process that has imported the heavy libraries, from which tests fork the programs that they start.

A fork is a process of its own (it can be killed, interrupted and waited for), and saves the seconds of processor time
that PyTorch, MLflow and matplotlib take to import. `ablate` itself is imported by each fork. One server serves all test
processes of a session, over a Unix socket: it starts with the session, imports the libraries at the first request, and
ends when its standard input is closed.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
import types
from collections.abc import Iterable
from typing import Any, NoReturn

PAUSE = 0.01
"""Seconds between two looks for programs that have ended."""


def import_heavy() -> None:
    """Import what the commands import, as quietly as they do."""
    from ablate.tracking.mlflow_backend.quiet import silence_mlflow

    silence_mlflow()
    import matplotlib.backends.backend_agg
    import matplotlib.figure
    import mlflow.store.tracking.sqlalchemy_store
    import mlflow.tracking
    import optuna
    import pandas as pd
    import scipy.stats
    import sklearn.datasets
    import statsmodels.api
    import torch

    assert all((matplotlib, mlflow, optuna, pd, scipy, sklearn, statsmodels, torch))
    for name in [name for name in sys.modules if name.partition(".")[0] == "ablate"]:
        del sys.modules[name]  # each program imports it with its own environment
    gc.freeze()


def serve(path: str) -> dict[str, Any]:
    """Fork a program for every request; returns the request in the fork, and never in the server."""
    running: dict[int, socket.socket] = {}
    is_warm = False
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(path)
        door.listen(64)
        while True:
            ready, _, _ = select.select([door, sys.stdin], [], [], PAUSE if running else None)
            if sys.stdin in ready:
                _end(running)
            if door in ready:
                client, _ = door.accept()
                content, descriptors, _, _ = socket.recv_fds(client, 1 << 20, 2)
                if not is_warm:
                    import_heavy()
                    is_warm = True
                child = os.fork()
                if child == 0:
                    return {**json.loads(content), "streams": descriptors, "keep": client}
                for descriptor in descriptors:
                    os.close(descriptor)
                client.sendall(str(child).encode())
                running[child] = client
            _report_ended(running)


def _end(running: Iterable[int]) -> NoReturn:
    for child in running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
    os._exit(0)


def _report_ended(running: dict[int, socket.socket]) -> None:
    for child in list(running):
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            with running.pop(child) as client, contextlib.suppress(OSError):  # the test has not waited for it
                client.sendall(str(os.waitstatus_to_exitcode(status)).encode())


def sketch_figures() -> None:
    """Write a dot instead of each figure, as in the tests' own processes."""
    from tests.samples.sketch import SKETCHES

    for replaced in SKETCHES:
        setattr(*replaced)


def become(request: dict[str, Any]) -> None:
    """Run the program of a request in this process, as `python -m ablate` or `python -c CODE` would."""
    request.pop("keep").close()
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, descriptor in enumerate(request["streams"], start=1):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[:] = request["path"]
    for name in [name for name in sys.modules if name.partition(".")[0] in request["without"]]:
        del sys.modules[name]
    if request["sketch"]:
        sketch_figures()
    sys.argv = ["python", *request["arguments"]]
    sys.modules["__main__"] = main = types.ModuleType("__main__")
    if request["code"]:
        exec(compile(request["code"], "<string>", "exec"), main.__dict__)
    else:
        runpy.run_module("ablate", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    asked = serve(sys.argv[1])
    become(asked)

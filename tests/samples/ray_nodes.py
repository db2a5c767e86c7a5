"""A Ray cluster on this machine: a head and a second node, which can be killed and started again."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import psutil

from tests import ROOT
from tests.samples.processes import until
from tests.samples.servers import free_ports

HEAD, OTHER = "head", "n2"
LIMITS = ("--object-store-memory=80000000", "--min-worker-port=0", "--max-worker-port=0", "--disable-usage-stats")
AUTHENTICATION = {"RAY_AUTH_MODE": "disabled"}


class RayNodes:
    """The nodes of a cluster, each with the same resources."""

    def __init__(self, folder: Path, cpus: int = 1, gpus: int = 0) -> None:
        self._folder = folder
        self._resources = (f"--num-cpus={cpus}", f"--num-gpus={gpus}")
        self._nodes: dict[str, subprocess.Popen[bytes]] = {}
        self._port, self._client_port = free_ports(2)

    @property
    def address(self) -> str:
        """The address for commands on a machine of the cluster."""
        return f"127.0.0.1:{self._port}"

    @property
    def client_address(self) -> str:
        """The address for commands on any machine."""
        return f"ray://127.0.0.1:{self._client_port}"

    def start(self, name: str) -> None:
        """Start the head or the other node, and wait until it is part of the cluster."""
        session = tempfile.mkdtemp(prefix="s", dir=self._folder)  # a head does not start where another one has been
        head = ("--head", f"--port={self._port}", "--include-dashboard=false", f"--temp-dir={session}")
        client = (f"--ray-client-server-port={self._client_port}",) if has_client() else ()
        place = (*head, *client) if name == HEAD else (f"--address={self.address}", "--node-ip-address=127.0.0.2")
        clean = {variable: value for variable, value in os.environ.items() if not variable.startswith("RAY_")}
        variables = {"PYTHONPATH": str(ROOT), **AUTHENTICATION}
        log = self._folder / f"{name}.out"
        with log.open("wb") as output:
            started = subprocess.Popen(
                [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *place, *self._resources, *LIMITS],
                env={**clean, **variables},
                cwd=self._folder,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._nodes[name] = started
        until(lambda: "Ray runtime started" in log.read_text() or started.poll() is not None, pause=0.2)
        assert started.poll() is None, log.read_text()

    def busy_workers(self, name: str) -> list[psutil.Process]:
        """Return the processes of a node that make a call."""
        return [process for process in self._processes(name) if _is_busy(process)]

    def kill(self, name: str) -> None:
        """Kill every process of a node, as a power failure does."""
        processes = self._processes(name)
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, timeout=30)
        self._nodes.pop(name).wait()

    def stop(self) -> None:
        """Kill all nodes."""
        for name in list(self._nodes):
            self.kill(name)

    def _processes(self, name: str) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            node = psutil.Process(self._nodes[name].pid)
            return [node, *node.children(recursive=True)]
        return []


def _is_busy(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        title = " ".join(process.cmdline())
        return title.startswith("ray::") and not title.startswith("ray::IDLE")
    return False


@contextmanager
def ray_nodes(cpus: int = 1, gpus: int = 0) -> Iterator[RayNodes]:
    """Start a cluster of two nodes, and stop it at the end."""
    with tempfile.TemporaryDirectory(prefix="ablate-ray-", ignore_cleanup_errors=True) as folder:
        nodes = RayNodes(Path(folder), cpus, gpus)
        try:
            for name in (HEAD, OTHER):
                nodes.start(name)
            yield nodes
        finally:
            nodes.stop()


def has_client() -> bool:
    """Return whether Ray's client (`ray://` addresses) is installed."""
    return find_spec("grpc") is not None

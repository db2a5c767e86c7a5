"""Execution on a Ray cluster, or on a local Ray instance. The only module that imports ray."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from ablate.errors import UsageError, UserError
from ablate.interrupts import Terminated, termination_raises
from ablate.runs.executors.contract import Item, Result, WorkerLost
from ablate.runs.executors.worker import GRACE, pack_call, run_packed_call, unpack_result

NODE_DEATHS = 3
"""How many times an item moves to another node after its node failed, before it counts as lost."""


class RayExecutor:
    """Runs at most `slots` items at a time.

    A worker that dies loses its item, since the same cause (such as memory) may end it again. If a node fails, its
    items are submitted again. An exception raised by the call ends all calls and is raised again in the caller, with
    the worker's traceback as a note.

    Args:
        address: Address of a running cluster; `auto` is the cluster of this machine. Defaults to RAY_ADDRESS, else to a
            local Ray instance that is started for these items.
        threads: CPUs per item.
        gpus: GPUs per item, may be a fraction.
    """

    def __init__(self, slots: int, address: str | None = None, *, threads: int = 1, gpus: float = 0.0) -> None:
        self.slots = slots
        self._address = address or os.environ.get("RAY_ADDRESS") or "local"
        self._threads, self._gpus = threads, gpus

    def results(
        self, call: Callable[[Item], Result], items: Sequence[Item]
    ) -> Generator[tuple[Item, Result | WorkerLost]]:
        """Yield each item with the result of `call`, or WorkerLost if its worker died.

        Closing the generator early raises KeyboardInterrupt in the running calls, which have GRACE seconds to record
        their end.

        Raises:
            UserError: If the cluster does not respond, or no node has the resources for an item.
        """
        ray = quiet_ray()
        with self._connected(ray):
            remote = ray.remote(num_cpus=self._threads, num_gpus=self._gpus, max_retries=0)(_run_on_node)
            waiting = iter(items)
            running = {
                remote.remote(pack_call(call, item)): (item, NODE_DEATHS) for item in islice(waiting, self.slots)
            }
            try:
                while running:
                    reference = ray.wait(list(running))[0][0]
                    item, chances = running.pop(reference)
                    try:
                        result = _result(ray, reference)
                    except _NodeFailed as failure:
                        if chances:
                            running[remote.remote(pack_call(call, item))] = item, chances - 1
                            continue
                        result = WorkerLost(str(failure))
                    for next_item in islice(waiting, 1):
                        running[remote.remote(pack_call(call, next_item))] = next_item, NODE_DEATHS
                    yield item, result
            finally:
                _cancel(ray, list(running))

    @contextmanager
    def _connected(self, ray: Any) -> Iterator[None]:
        """Connect to Ray in this context, unless the program is connected already."""
        if ray.is_initialized():
            yield
            return
        _check_reachable(self._address)
        before = signal.getsignal(signal.SIGTERM)
        here = {"num_cpus": self.slots * self._threads, "include_dashboard": False, "object_store_memory": 100 << 20}
        try:
            ray.init(
                self._address, **(here if self._address == "local" else {}), logging_level="ERROR", log_to_driver=False
            )
        except ConnectionError as error:
            raise _unreachable(self._address, error) from error
        try:
            signal.signal(signal.SIGTERM, before)  # Ray's handler would exit without recording the runs
            self._check_room(ray)
            yield
        finally:
            ray.shutdown()

    def _check_room(self, ray: Any) -> None:
        """Raise UserError if no node has the resources for an item: Ray would wait forever."""
        needs = {"CPU": self._threads, "GPU": self._gpus}
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if not any(all(node.get(kind, 0) >= amount for kind, amount in needs.items()) for node in nodes):
            raise UserError(f"No node of the Ray cluster has {self._threads} CPUs and {self._gpus:g} GPUs for a run")


class _NodeFailed(Exception):  # noqa: N818  # an event, handled here
    """The node of an item failed."""


def quiet_ray() -> Any:
    """Return the module `ray`, with usage statistics off and nothing printed on standard output.

    Raises UsageError if it is not installed.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # Ray warns if this is not set
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")  # Ray prints that a worker died; so do we
    try:
        import ray
    except ImportError:
        raise UsageError("Ray is not installed: pip install 'ablate-study[ray]'") from None
    return ray


def _check_reachable(address: str) -> None:
    """Raise UserError if `host:port` refuses a connection: Ray itself would try for seven minutes."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if colon and port.isdecimal():
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
        except OSError as error:
            raise _unreachable(address, error) from error


def _unreachable(address: str, error: OSError) -> UserError:
    reason = str(error).splitlines()[0]
    return UserError(f"No Ray cluster at {address} ({reason}). Start one with `ray start --head`")


def _run_on_node(received: bytes) -> bytes:
    try:
        with termination_raises():  # `ray stop` on a node, or a preempted node
            return run_packed_call(received)
    except Terminated:
        os._exit(128 + signal.SIGTERM)  # the run is recorded


def _result(ray: Any, reference: Any) -> Any:
    """Return the result of a task. Raises the exception of the call, or _NodeFailed."""
    try:
        received = ray.get(reference)
    except (ray.exceptions.NodeDiedError, ray.exceptions.ObjectLostError) as error:
        raise _NodeFailed(_reason(error)) from error
    except ray.exceptions.RayError as error:
        cancelled = isinstance(error, ray.exceptions.TaskCancelledError)
        if isinstance(error, ray.exceptions.RayTaskError) and not cancelled:
            raise
        return WorkerLost(_reason(error))
    return unpack_result(received)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _cancel(ray: Any, references: list[Any]) -> None:
    """Cancel running tasks and wait for their end."""
    for reference in references:
        ray.cancel(reference)
    if references:
        ray.wait(references, num_returns=len(references), timeout=GRACE)

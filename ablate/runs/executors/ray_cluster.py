"""Execution on a Ray cluster, or on a local Ray instance."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from importlib.util import find_spec
from itertools import count, islice
from typing import Any

from ablate import console
from ablate.errors import UsageError, UserError
from ablate.interrupts import Terminated, termination_raises
from ablate.runs.executors.contract import Item, Result, WorkerLost
from ablate.runs.executors.ray_connection import ClusterLost, Connection, NodeLost
from ablate.runs.executors.worker import GRACE, pack_call, run_packed_call, unpack_result

NODE_DEATHS = 3
"""How many times an item moves to another node after its node failed, before it counts as lost."""

CLUSTER_LOSSES = 3
"""How many times a command connects again after the head of its cluster stopped."""

RESTART = 300.0
"""Seconds in which a cluster has to run again."""

CLIENT_START = 60.0
"""Seconds in which the head starts the server of a client. Ray itself gives up too early on a busy machine."""


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
        self._threads, self.gpus = threads, gpus

    def results(
        self, call: Callable[[Item], Result], items: Sequence[Item]
    ) -> Generator[tuple[Item, Result | WorkerLost]]:
        """Yield each item with the result of `call`, or WorkerLost if its worker died.

        Closing the generator early raises KeyboardInterrupt in the running calls, which have GRACE seconds to record
        their end. If the head of the cluster restarts, the items without a result are submitted again.

        Raises:
            UserError: If the cluster does not respond, or no node has the resources for an item.
        """
        ray = quiet_ray()
        is_connected = ray.is_initialized()
        missing = dict(enumerate(items))
        for losses in count():
            try:
                with (
                    self._connected(ray, RESTART if losses else 0.0),
                    closing(self._outcomes(Connection.current(ray), call, missing)) as outcomes,
                ):
                    for number, outcome in outcomes:
                        item = missing.pop(number)
                        yield item, outcome if isinstance(outcome, WorkerLost) else unpack_result(outcome)
            except ClusterLost as error:
                if is_connected or self._address == "local" or losses == CLUSTER_LOSSES:
                    advice = "Repeat the command when it runs: finished runs are kept"
                    raise UserError(f"The Ray cluster at {self._address} was lost. {advice}") from error
                console.warning(f"The Ray cluster at {self._address} was lost. Waiting until it runs again")
            else:
                return

    def _outcomes(
        self, connection: Connection, call: Callable[[Item], Result], items: Mapping[int, Item]
    ) -> Generator[tuple[int, bytes | WorkerLost]]:
        """Yield the number of each item with its packed result. Raises ClusterLost."""
        ray = connection.ray
        remote = ray.remote(num_cpus=self._threads, num_gpus=self.gpus, max_retries=0)(_run_on_node)
        waiting = iter(list(items))
        running: dict[Any, tuple[int, int]] = {}

        def submit(number: int, chances: int) -> None:
            with connection.noticing_loss():
                running[remote.remote(pack_call(call, items[number]))] = number, chances

        try:
            for number in islice(waiting, self.slots):
                submit(number, NODE_DEATHS)
            while running:
                for reference in connection.ended(list(running)):
                    number, chances = running[reference]
                    outcome = connection.outcome(reference)
                    del running[reference]
                    if isinstance(outcome, NodeLost) and chances:
                        submit(number, chances - 1)
                        continue
                    for next_number in islice(waiting, 1):
                        submit(next_number, NODE_DEATHS)
                    yield number, outcome
        except ClusterLost:
            running.clear()
            raise
        finally:
            _cancel(ray, list(running))

    @contextmanager
    def _connected(self, ray: Any, patience: float) -> Iterator[None]:
        """Connect to Ray in this context, unless the program is connected already.

        A cluster that does not answer is tried again for `patience` seconds.
        """
        if ray.is_initialized():
            yield
            return
        _check_client(self._address)
        if not patience:
            _check_reachable(self._address)
        deadline = time.monotonic() + max(patience, CLIENT_START * self._address.startswith("ray://"))
        try:
            while True:
                try:
                    self._connect(ray)
                    break
                except UserError:
                    if time.monotonic() > deadline:
                        raise
                ray.shutdown()
                time.sleep(2)
            yield
        finally:
            with suppress(ConnectionError):  # of a client that has lost its connection
                ray.shutdown()

    def _connect(self, ray: Any) -> None:
        _check_reachable(self._address)
        before = signal.getsignal(signal.SIGTERM)
        here = {"num_cpus": self.slots * self._threads, "include_dashboard": False, "object_store_memory": 100 << 20}
        options = here if self._address == "local" else {}
        try:
            ray.init(self._address, **options, logging_level="ERROR", log_to_driver=False)
        except (OSError, RuntimeError, ray.exceptions.AuthenticationError) as error:
            if "InvalidAuthToken" in f"{error} {error.__cause__}":
                advice = "set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN to the token of the cluster"
                raise UserError(f"The Ray cluster at {self._address} requires a token: {advice}") from error
            if isinstance(error, OSError):
                raise _unreachable(self._address, error) from error
            raise UserError(f"The Ray cluster at {self._address} refused to connect: {_last_line(error)}") from error
        signal.signal(signal.SIGTERM, before)  # Ray's handler would exit without recording the runs
        self._check_room(ray)

    def _check_room(self, ray: Any) -> None:
        """Raise UserError if no node has the resources for an item: Ray would wait forever."""
        needs = {"CPU": self._threads, "GPU": self.gpus}
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if not any(all(node.get(kind, 0) >= amount for kind, amount in needs.items()) for node in nodes):
            raise UserError(f"No node of the Ray cluster has {self._threads} CPUs and {self.gpus:g} GPUs for a run")


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
    logging.getLogger("ray.util.client").setLevel(logging.ERROR)
    return ray


def _check_client(address: str) -> None:
    """Raise UsageError for a `ray://` address without Ray's client, which is an extra of its own."""
    if address.startswith("ray://") and find_spec("grpc") is None:
        raise UsageError(f"Address {address} needs Ray's client: pip install 'ray[client]', on the head node as well")


def _check_reachable(address: str) -> None:
    """Raise UserError if `host:port` refuses a connection: Ray itself would try for seven minutes."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if colon and port.isdecimal():
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
        except OSError as error:
            raise _unreachable(address, error) from error


def _unreachable(address: str, error: OSError) -> UserError:
    return UserError(f"No Ray cluster at {address} ({_last_line(error)}). Start one with `ray start --head`")


def _last_line(error: Exception) -> str:
    """Return the last line of a message: Ray's client passes tracebacks of the head on."""
    return next(line.strip() for line in reversed([type(error).__name__, *str(error).splitlines()]) if line.strip())


def _run_on_node(received: bytes) -> bytes:
    try:
        with termination_raises():  # `ray stop` on a node, or a preempted node
            return run_packed_call(received)
    except Terminated:
        os._exit(128 + signal.SIGTERM)  # the run is recorded


def _cancel(ray: Any, references: list[Any]) -> None:
    """Cancel running tasks and wait for their end."""
    for reference in references:
        ray.cancel(reference)
    if references:
        ray.wait(references, num_returns=len(references), timeout=GRACE)

"""Runs on a Ray cluster, or on a Ray of this machine alone. Ray decides what runs where; the only import of ray."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from ablate.errors import UsageError, UserError
from ablate.runs.executors.contract import Item, Lost, Result
from ablate.runs.executors.worker import GRACE, answer, message, outcome
from ablate.runs.interrupts import Terminated, termination_raises

NODE_DEATHS = 3
"""How often an item is given to another node because its own went away, before it counts as lost."""


class RayExecutor:
    """At most `slots` items at a time, each with `threads` processors and `gpus` (a fraction may do) of one node.

    `address` is a running cluster's (`auto`: this machine's). Without it, and without RAY_ADDRESS, a Ray is started on
    this machine for as long as there are results to come.

    A worker that dies loses its item: what killed it once (memory) might do so again. An item whose node goes away is
    given to Ray again, for nodes come and go through no fault of the item. An exception of the call ends all that runs
    and reaches the caller as itself, with the worker's traceback as a note.
    """

    def __init__(self, slots: int, address: str | None = None, *, threads: int = 1, gpus: float = 0.0) -> None:
        self.slots = slots
        self._address = address or os.environ.get("RAY_ADDRESS") or "local"
        self._threads, self._gpus = threads, gpus

    def results(self, call: Callable[[Item], Result], items: Sequence[Item]) -> Generator[tuple[Item, Result | Lost]]:
        """Yield each item with what `call` returned, or Lost where its worker died.

        Closed early, running calls get KeyboardInterrupt at their next step of Python and GRACE seconds to record it.
        Raises UserError when no cluster answers, or none of its nodes can take an item.
        """
        ray = quiet_ray()
        with self._connected(ray):
            remote = ray.remote(num_cpus=self._threads, num_gpus=self._gpus, max_retries=0)(_perform)
            waiting = iter(items)
            running = {remote.remote(message(call, item)): (item, NODE_DEATHS) for item in islice(waiting, self.slots)}
            try:
                while running:
                    reference = ray.wait(list(running))[0][0]
                    item, chances = running.pop(reference)
                    try:
                        result = _result(ray, reference)
                    except _NodeWentAway as gone:
                        if chances:
                            running[remote.remote(message(call, item))] = item, chances - 1
                            continue
                        result = Lost(str(gone))
                    for following in islice(waiting, 1):
                        running[remote.remote(message(call, following))] = following, NODE_DEATHS
                    yield item, result
            finally:
                _cancel(ray, list(running))

    @contextmanager
    def _connected(self, ray: Any) -> Iterator[None]:
        """Be connected meanwhile; a program that uses Ray itself stays connected as it was."""
        if ray.is_initialized():
            yield
            return
        _check_answers(self._address)
        before = signal.getsignal(signal.SIGTERM)
        here = {"num_cpus": self.slots * self._threads, "include_dashboard": False, "object_store_memory": 100 << 20}
        try:
            ray.init(
                self._address, **(here if self._address == "local" else {}), logging_level="ERROR", log_to_driver=False
            )
        except ConnectionError as error:
            raise _no_answer(self._address, error) from error
        try:
            signal.signal(signal.SIGTERM, before)  # Ray's would leave by SystemExit, nothing recorded
            self._check_room(ray)
            yield
        finally:
            ray.shutdown()

    def _check_room(self, ray: Any) -> None:
        """Raise UserError when no node could ever take an item: Ray would wait for one for ever."""
        needs = {"CPU": self._threads, "GPU": self._gpus}
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if not any(all(node.get(kind, 0) >= amount for kind, amount in needs.items()) for node in nodes):
            raise UserError(f"no node of the Ray cluster has {self._threads} CPUs and {self._gpus:g} GPUs for a run")


class _NodeWentAway(Exception):  # noqa: N818  # it happens
    """The node that had an item is gone."""


def quiet_ray() -> Any:
    """Return the module `ray`, told to report nothing to its makers and to leave standard output alone.

    Raises UsageError where it is not installed.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # it warns where this is not set
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")  # it prints that a worker died; we say so ourselves
    try:
        import ray
    except ImportError:
        raise UsageError("Ray is not installed: pip install 'ablate-study[ray]'") from None
    return ray


def _check_answers(address: str) -> None:
    """Raise UserError when nobody listens at `host:port`: Ray itself would try for seven minutes."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if colon and port.isdecimal():
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
        except OSError as error:
            raise _no_answer(address, error) from error


def _no_answer(address: str, error: OSError) -> UserError:
    reason = str(error).splitlines()[0]
    return UserError(f"no Ray cluster answers at {address} ({reason}): start one with `ray start --head`")


def _perform(received: bytes) -> bytes:
    try:
        with termination_raises():  # `ray stop` on a node, or a node that is taken back
            return answer(received)
    except Terminated:
        os._exit(128 + signal.SIGTERM)  # recorded by now


def _result(ray: Any, reference: Any) -> Any:
    """Return what came of a task. Raises what the call raised, or _NodeWentAway."""
    try:
        answered = ray.get(reference)
    except (ray.exceptions.NodeDiedError, ray.exceptions.ObjectLostError) as error:
        raise _NodeWentAway(_reason(error)) from error
    except ray.exceptions.RayError as error:
        cancelled = isinstance(error, ray.exceptions.TaskCancelledError)
        if isinstance(error, ray.exceptions.RayTaskError) and not cancelled:
            raise
        return Lost(_reason(error))
    return outcome(answered)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _cancel(ray: Any, references: list[Any]) -> None:
    """Ask what runs to end, and wait until it has."""
    for reference in references:
        ray.cancel(reference)
    if references:
        ray.wait(references, num_returns=len(references), timeout=GRACE)

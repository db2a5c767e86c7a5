"""A connection to a Ray cluster: the ends of its tasks, and whether the cluster still exists."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ablate.runs.executors.contract import WorkerLost

LOOK = 5.0
"""Seconds without a result after which the cluster is checked."""

SILENCE = 20.0
"""Seconds without an answer of the head after which the cluster is lost. After 60, Ray ends the process."""


class ClusterLost(Exception):  # noqa: N818  # an event, handled by the executor
    """The head of the cluster has stopped or restarted: no task of this connection will end."""


@dataclass(frozen=True)
class NodeLost(WorkerLost):
    """The node of an item failed."""


@dataclass(frozen=True)
class Connection:
    """The connection of this process.

    Attributes:
        ray: The module.
        head: Host and port of the head's control service; None with Ray's client, which notices a loss itself.
        cluster: The identity of the cluster, another one after each start of the head.
    """

    ray: Any
    head: str | None
    cluster: str

    @classmethod
    def current(cls, ray: Any) -> Connection:
        """Return the connection of this process, which exists."""
        if ray.util.client.ray.is_connected():
            return cls(ray, None, "")
        head = ray.get_runtime_context().gcs_address
        return cls(ray, head, _cluster_id(head))

    def ended(self, references: Sequence[Any]) -> Sequence[Any]:
        """Return tasks that have ended; none after LOOK seconds. Raises ClusterLost."""
        with self.noticing_loss():
            found: Sequence[Any] = self.ray.wait(references, timeout=LOOK)[0]
        if not found and self.is_lost():
            raise ClusterLost
        return found

    def outcome(self, reference: Any) -> bytes | WorkerLost:
        """Return the packed result of a task that has ended. Raises ClusterLost, or the exception of the task."""
        errors = self.ray.exceptions
        try:
            packed: bytes = self.ray.get(reference)
        except (errors.NodeDiedError, errors.ObjectLostError) as error:
            lost: WorkerLost = NodeLost(_reason(error))
        except errors.RayError as error:
            if isinstance(error, errors.RayTaskError) and not isinstance(error, errors.TaskCancelledError):
                raise
            lost = WorkerLost(_reason(error))
        except Exception as error:  # of Ray's client, which has no connection any more
            if self.is_lost(error):
                raise ClusterLost from error
            raise
        else:
            return packed
        if self.is_lost():
            raise ClusterLost
        return lost

    @contextmanager
    def noticing_loss(self) -> Iterator[None]:
        """Raise ClusterLost instead of an error that is due to the loss of the cluster."""
        try:
            yield
        except Exception as error:
            if self.is_lost(error):
                raise ClusterLost from error
            raise

    def is_lost(self, error: Exception | None = None) -> bool:
        """Return whether the cluster of this connection has stopped or restarted, after an error of Ray or none.

        The head is asked on a connection of its own: after a restart, most calls of Ray end the process.
        """
        if self.head is None:
            failures = (ConnectionError, import_module("grpc").RpcError)
            return isinstance(error, failures) or not self.ray.is_initialized()
        host, _, port = self.head.rpartition(":")
        deadline = time.monotonic() + SILENCE
        while time.monotonic() < deadline:
            try:
                socket.create_connection((host.strip("[]"), int(port)), timeout=SILENCE / 2).close()
                return _cluster_id(self.head) != self.cluster
            except (OSError, self.ray.exceptions.RayError):
                time.sleep(1)
        return True


def _cluster_id(head: str) -> str:
    from ray._raylet import GcsClient  # type: ignore[attr-defined]  # compiled, and without a public name

    identity: str = GcsClient(address=head).cluster_id.hex()
    return identity


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]

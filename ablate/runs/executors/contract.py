"""The executor protocol: call a function for each item. Executors do not depend on training."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class WorkerLost:
    """The worker of an item died; the result is unknown."""

    reason: str


class Executor(Protocol):
    """Calls a function for each item, several at a time."""

    @property
    def slots(self) -> int:
        """The number of items in progress at a time."""

    def results(
        self, call: Callable[[Item], Result], items: Sequence[Item]
    ) -> Generator[tuple[Item, Result | WorkerLost]]:
        """Yield each item with the result of `call`, in the order of completion. Items start in the given order.

        A worker that dies loses its own item only: its result is WorkerLost. `call` and the items are pickled. Closing
        the generator early, or an exception such as KeyboardInterrupt, raises Terminated in the running calls.
        """

"""What an executor is. It knows nothing of trainings: it calls a function for each item."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Lost:
    """The worker that had an item is gone, and nobody knows what came of it."""

    reason: str


class Executor(Protocol):
    """Calls a function for every item, several at a time."""

    @property
    def slots(self) -> int:
        """How many items are worked on at a time."""

    def results(self, call: Callable[[Item], Result], items: Sequence[Item]) -> Generator[tuple[Item, Result | Lost]]:
        """Yield each item with what `call` returned, in the order in which they end; items start in their order.

        A worker that dies loses its item only. `call` and items travel by pickle. Closing the iterator early (or an
        exception such as KeyboardInterrupt) asks the running calls to end: they get `runner.Terminated`.
        """

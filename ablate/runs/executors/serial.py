"""Serial execution in this process."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

from ablate.runs.executors.contract import Item, Result, WorkerLost


class SerialExecutor:
    """Calls the function in this process, one item after the other."""

    slots = 1

    def results(
        self, call: Callable[[Item], Result], items: Sequence[Item]
    ) -> Generator[tuple[Item, Result | WorkerLost]]:
        """Yield each item with the result of `call`."""
        for item in items:
            yield item, call(item)

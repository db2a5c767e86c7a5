"""One after the other, in this process."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

from ablate.runs.executors.contract import Item, Lost, Result


class SerialExecutor:
    """Calls the function here: no worker that could be lost, nothing to start."""

    slots = 1

    def results(self, call: Callable[[Item], Result], items: Sequence[Item]) -> Generator[tuple[Item, Result | Lost]]:
        """Yield each item with what `call` returned."""
        for item in items:
            yield item, call(item)

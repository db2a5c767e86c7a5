"""Persistent worker processes on this machine: torch is imported once a worker, the data is mapped into all of them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from multiprocessing.connection import wait
from types import FrameType

from pebble import ProcessExpired, ProcessPool

from ablate.executors.contract import Item, Lost, Result
from ablate.runner import Terminated


class ProcessExecutor:
    """A pool of worker processes; one that dies is replaced and loses only what it had."""

    def __init__(self, slots: int) -> None:
        self.slots = slots

    def results(self, call: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[tuple[Item, Result | Lost]]:
        """Yield each item with what `call` returned, or Lost where its worker died."""
        fresh = multiprocessing.get_context("spawn")  # a fork would copy torch's threads half
        pool = ProcessPool(min(self.slots, len(items)) or 1, initializer=_prepare, context=fresh)
        futures: dict[Future[Result], Item] = {pool.schedule(_guarded, args=(call, item)): item for item in items}
        try:
            for future in as_completed(futures):
                yield futures.pop(future), _outcome(future)
            pool.close()
        except BaseException:
            pool.stop()  # SIGTERM, and SIGKILL to what has not ended soon after
            raise
        finally:
            pool.join()


def _outcome(future: Future[Result]) -> Result | Lost:
    try:
        return future.result()
    except ProcessExpired as expired:
        return Lost(_reason(expired.exitcode))


def _reason(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        return f"its worker was ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    return f"its worker ended with exit code {code}"


def _prepare() -> None:
    """Make a new worker end when it is asked to, and when its parent is gone."""
    signal.signal(signal.SIGTERM, _terminate)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise Terminated


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


def _guarded(call: Callable[[Item], Result], item: Item) -> Result:
    try:
        return call(item)
    except Terminated:
        os._exit(128 + signal.SIGTERM)  # recorded by now; the pool would hand this worker the next item

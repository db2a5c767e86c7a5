"""Persistent worker processes on this machine: torch is imported once a worker, the data is mapped into all of them.

A worker is a fresh interpreter at the other end of a socket of its own. So one that dies, at whatever moment, takes
nothing along that another one needs; and all of them notice at once when their parent is gone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import cycle, islice
from multiprocessing import Pipe
from multiprocessing.connection import wait
from typing import Any, Generic

from ablate.runs.executors.contract import Item, Lost, Result
from ablate.runs.executors.worker import GRACE, message, outcome


class ProcessExecutor:
    """At most `slots` workers; one that dies is replaced and loses only what it had.

    Where there are `gpus`, named as in CUDA_VISIBLE_DEVICES, each worker sees one of them, dealt out in turn.
    An exception of the call ends all workers and reaches the caller as itself, with the worker's traceback as a note.
    """

    def __init__(self, slots: int, gpus: Sequence[str] = ()) -> None:
        self.slots, self.gpus = slots, gpus

    def results(self, call: Callable[[Item], Result], items: Sequence[Item]) -> Generator[tuple[Item, Result | Lost]]:
        """Yield each item with what `call` returned, or Lost where its worker died.

        Closed early, running calls get `runner.Terminated` and GRACE seconds to record their end; an exception
        meanwhile (a second KeyboardInterrupt) kills them.
        """
        waiting = iter(items)
        crew: list[_Worker[Item, Result]] = []
        try:
            for item, gpu in zip(islice(waiting, self.slots), cycle(self.gpus or (None,)), strict=False):
                crew.append(_Worker(gpu))
                crew[-1].hand(call, item)
            while busy := {worker.connection: worker for worker in crew if worker.is_busy}:
                for ready in wait(list(busy)):
                    worker = busy[ready]  # type: ignore[index]  # `wait` returns what it was given
                    item, result = worker.item, worker.result()
                    if isinstance(result, Lost):
                        crew.remove(worker)
                    for following in islice(waiting, 1):
                        if worker not in crew:
                            worker = _Worker(worker.gpu)
                            crew.append(worker)
                        worker.hand(call, following)
                    yield item, result
        finally:
            _dismiss(crew)


class _Worker(Generic[Item, Result]):
    """One worker process, the GPU that it sees if it has one of its own, and the item that it has."""

    item: Item

    def __init__(self, gpu: str | None) -> None:
        self.gpu = gpu
        self.connection, theirs = Pipe()
        find, serve = f"sys.path[:] = {sys.path!r}", f"ablate.runs.executors.worker.serve({theirs.fileno()})"
        program = f"import sys; {find}; import ablate.runs.executors.worker; {serve}"
        with theirs, _interrupts_held_back():
            self.process = subprocess.Popen(
                [sys.executable, "-c", program],  # multiprocessing's would import the main program again
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=2,  # standard output belongs to the command's own answer
                env=os.environ if gpu is None else {**os.environ, "CUDA_VISIBLE_DEVICES": gpu},
            )
        self.is_busy = False

    def hand(self, call: Callable[[Item], Result], item: Item) -> None:
        """Give the worker its next item. If it is gone, `result` will say so."""
        self.item, self.is_busy = item, True
        packed = message(call, item)
        with suppress(OSError):
            self.connection.send_bytes(packed)

    def result(self) -> Result | Lost:
        """Return what came of the item; waits for it. Raises what the call raised."""
        self.is_busy = False
        try:
            answered = self.connection.recv_bytes()
        except (EOFError, OSError):
            _dismiss([self])
            return Lost(_reason(self.process.returncode))
        result: Result = outcome(answered)
        return result


def _dismiss(crew: Iterable[_Worker[Any, Any]]) -> None:
    """Hang up, which asks every worker to end, and wait until they have."""
    deadline = time.monotonic() + GRACE
    try:
        for worker in crew:
            worker.connection.close()
        for worker in crew:
            worker.process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        pass
    finally:
        for worker in crew:
            worker.process.kill()
            worker.process.wait()


def _reason(code: int) -> str:
    if code < 0:
        name = signal.Signals(-code).name
        return f"its worker was ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    return f"its worker ended with exit code {code}"


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Hold Ctrl-C back; a process that is started meanwhile holds it back until it knows what to do with it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

"""Persistent worker processes on this machine. Each imports torch once and maps the data into memory.

Each worker is a new interpreter with a socket of its own. A worker that dies does not affect the others, and all
workers notice at once if the parent process dies.
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

from ablate.runs.executors.contract import Item, Result, WorkerLost
from ablate.runs.executors.worker import GRACE, pack_call, unpack_result


class ProcessExecutor:
    """Runs at most `slots` workers. A worker that dies loses its own item only, and is replaced.

    Each worker sees one of the `gpus` (named as in CUDA_VISIBLE_DEVICES), assigned in turn. An exception raised by the
    call ends all workers and is raised again in the caller, with the worker's traceback as a note.
    """

    def __init__(self, slots: int, gpus: Sequence[str] = ()) -> None:
        self.slots, self.gpus = slots, gpus

    def results(
        self, call: Callable[[Item], Result], items: Sequence[Item]
    ) -> Generator[tuple[Item, Result | WorkerLost]]:
        """Yield each item with the result of `call`, or WorkerLost if its worker died.

        Closing the generator early raises Terminated in the running calls, which have GRACE seconds to record their
        end. An exception during that time, such as a second KeyboardInterrupt, kills them.
        """
        waiting = iter(items)
        workers: list[_Worker[Item, Result]] = []
        try:
            for item, gpu in zip(islice(waiting, self.slots), cycle(self.gpus or (None,)), strict=False):
                workers.append(_Worker(gpu))
                workers[-1].assign(call, item)
            while busy := {worker.connection: worker for worker in workers if worker.is_busy}:
                for ready in wait(list(busy)):
                    worker = busy[ready]  # type: ignore[index]  # `wait` returns the same objects
                    item, result = worker.item, worker.result()
                    if worker.process.returncode is not None:
                        workers.remove(worker)
                    for next_item in islice(waiting, 1):
                        if worker not in workers:
                            worker = _Worker(worker.gpu)
                            workers.append(worker)
                        worker.assign(call, next_item)
                    yield item, result
        finally:
            _dismiss(workers)


class _Worker(Generic[Item, Result]):
    """A worker process, its GPU (if any), and its current item."""

    item: Item

    def __init__(self, gpu: str | None) -> None:
        self.gpu = gpu
        self.connection, theirs = Pipe()
        find, serve = f"sys.path[:] = {sys.path!r}", f"ablate.runs.executors.worker.serve({theirs.fileno()})"
        program = f"import sys; {find}; import ablate.runs.executors.worker; {serve}"
        with theirs, _interrupts_blocked():
            self.process = subprocess.Popen(
                [sys.executable, "-c", program],  # multiprocessing's would import the main program again
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=2,  # standard output is reserved for the output of the command
                env=os.environ if gpu is None else {**os.environ, "CUDA_VISIBLE_DEVICES": gpu},
            )
        self.is_busy = False

    def assign(self, call: Callable[[Item], Result], item: Item) -> None:
        """Send the worker its next item. If the worker is dead, `result` returns WorkerLost."""
        self.item, self.is_busy = item, True
        packed = pack_call(call, item)
        with suppress(OSError):
            self.connection.send_bytes(packed)

    def result(self) -> Result | WorkerLost:
        """Wait for the result of the item and return it. Raises the exception of the call."""
        self.is_busy = False
        try:
            received = self.connection.recv_bytes()
        except (EOFError, OSError):
            _dismiss([self])
            return WorkerLost(_reason(self.process.returncode))
        result: Result = unpack_result(received)
        return result


def _dismiss(workers: Iterable[_Worker[Any, Any]]) -> None:
    """Close the connections, which ends the workers, and wait for their end."""
    deadline = time.monotonic() + GRACE
    try:
        for worker in workers:
            worker.connection.close()
        for worker in workers:
            worker.process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        pass
    finally:
        for worker in workers:
            worker.process.kill()
            worker.process.wait()


def _reason(code: int) -> str:
    if code < 0:
        name = signal.Signals(-code).name
        return f"its worker was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    return f"its worker exited with code {code}"


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Block SIGINT. A process started in this context blocks it until it has set its own handler."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

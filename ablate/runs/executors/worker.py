"""The worker's side of the executors: run pickled calls; and the main loop of a worker process.

A call travels as a pickled (function, item), its result as a pickled (True, result) or (False, exception).
"""

from __future__ import annotations

import atexit
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from ablate.cores import reduce_garbage_collection
from ablate.errors import PROCESS_LIMIT
from ablate.interrupts import Terminated, raise_terminated, repeat_ignored_interrupts
from ablate.runs.executors.contract import Item, Result

GRACE = 10.0
"""Seconds that a terminated call has to record its end before its process is killed."""


def pack_call(call: Callable[[Item], Result], item: Item) -> bytes:
    """Return a call as bytes."""
    return pickle.dumps((call, item), pickle.HIGHEST_PROTOCOL)


def run_packed_call(received: bytes) -> bytes:
    """Run a packed call and return its packed result, or the exception raised by the call or by pickling."""
    try:
        call, item = pickle.loads(received)  # noqa: S301  # from our own parent or driver
        return pickle.dumps((True, call(item)), pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        error.add_note("In a worker:\n" + traceback.format_exc())
        return _pack_error(error)


def _pack_error(error: Exception) -> bytes:
    try:
        whole = pickle.dumps((False, error), pickle.HIGHEST_PROTOCOL)
        pickle.loads(whole)  # noqa: S301  # some exceptions can be pickled but not unpickled
    except Exception:
        text = "".join(traceback.format_exception(error))
        return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}\n{text}")))
    return whole


def unpack_result(received: bytes) -> Any:
    """Return a packed result, or raise the packed exception."""
    is_result, value = pickle.loads(received)  # noqa: S301  # from our own worker
    if is_result:
        return value
    raise value


def serve(channel: int) -> None:
    """Run the calls received on the socket `channel` until it closes or SIGTERM arrives."""
    reduce_garbage_collection()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group; the parent decides
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.set_inheritable(channel, False)
    connection: Connection[Any, Any] = Connection(channel)
    inbox: SimpleQueue[bytes] = SimpleQueue()
    with suppress(Terminated):
        signal.signal(signal.SIGTERM, raise_terminated)
        repeat_ignored_interrupts()
        try:
            threading.Thread(target=_listen, args=(connection, inbox), daemon=True).start()
        except RuntimeError:
            sys.exit(f"error: A worker cannot start a thread. {PROCESS_LIMIT}")
        with suppress(OSError):  # the parent closed the connection
            while True:
                connection.send_bytes(run_packed_call(inbox.get()))
        signal.pause()
    atexit._run_exitfuncs()  # noqa: SLF001  # temporary folders are removed, which the exit below skips
    sys.stderr.flush()
    os._exit(0)  # everything is recorded, and a regular exit with torch loaded takes more than a second


def _listen(connection: Connection[Any, Any], inbox: SimpleQueue[bytes]) -> None:
    """Receive calls. When the parent closes the connection or dies, terminate this process."""
    try:
        while True:
            inbox.put(connection.recv_bytes())
    except (EOFError, OSError):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        os._exit(128 + signal.SIGTERM)

"""What a worker does with an item, and the worker process of `processes`.

A message is a pickled (call, item); the answer to it is pickled, too: (True, result) or (False, exception).
"""

from __future__ import annotations

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
from types import FrameType
from typing import Any

from ablate.cores import collect_garbage_seldom
from ablate.runs.executors.contract import Item, Result
from ablate.runs.interrupts import Terminated

GRACE = 10.0
"""How many seconds a call has, once asked to end, before its process is ended."""


def message(call: Callable[[Item], Result], item: Item) -> bytes:
    """Return what a worker is sent."""
    return pickle.dumps((call, item), pickle.HIGHEST_PROTOCOL)


def answer(received: bytes) -> bytes:
    """Return the answer to a message. Whatever goes wrong, in the call or in pickling, is an answer as well."""
    try:
        call, item = pickle.loads(received)  # noqa: S301  # from our own parent or driver
        return pickle.dumps((True, call(item)), pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        error.add_note("In a worker:\n" + traceback.format_exc())
        return _pickled(error)


def _pickled(error: Exception) -> bytes:
    try:
        whole = pickle.dumps((False, error), pickle.HIGHEST_PROTOCOL)
        pickle.loads(whole)  # noqa: S301  # some exceptions only fail on the way back
    except Exception:
        text = "".join(traceback.format_exception(error))
        return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}\n{text}")))
    return whole


def outcome(answered: bytes) -> Any:
    """Return the result that an answer holds, or raise the exception."""
    is_result, value = pickle.loads(answered)  # noqa: S301  # from our own worker
    if is_result:
        return value
    raise value


def serve(channel: int) -> None:
    """Answer every message that comes over the socket `channel`; end when it closes or SIGTERM comes."""
    collect_garbage_seldom()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole terminal; the parent decides
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.set_inheritable(channel, False)
    connection: Connection[Any, Any] = Connection(channel)
    inbox: SimpleQueue[bytes] = SimpleQueue()
    with suppress(Terminated):
        signal.signal(signal.SIGTERM, _terminate)
        threading.Thread(target=_listen, args=(connection, inbox), daemon=True).start()
        with suppress(OSError):  # the parent hung up
            while True:
                connection.send_bytes(answer(inbox.get()))
        signal.pause()
    sys.stderr.flush()
    os._exit(0)  # all is recorded, and taking torch down in good order takes more than a second


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # asked twice, it must still have time to record its end
    raise Terminated


def _listen(connection: Connection[Any, Any], inbox: SimpleQueue[bytes]) -> None:
    """Take in messages; when the parent has hung up, or is gone, ask this process to end."""
    try:
        while True:
            inbox.put(connection.recv_bytes())
    except (EOFError, OSError):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        os._exit(128 + signal.SIGTERM)

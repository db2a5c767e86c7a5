"""SIGTERM as an exception."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(BaseException):
    """The process received SIGTERM."""


@contextmanager
def termination_raises() -> Iterator[None]:
    """Raise Terminated on SIGTERM within this context, so that an interrupted run is recorded as killed."""

    def terminate(_signal: int, _frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

"""SIGTERM as an exception, and interruptions that Python ignores in destructors.

May import no other module of the package.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

REPEAT_AFTER = 0.05
"""Seconds until an ignored interruption is raised again."""


class Terminated(BaseException):
    """The process received SIGTERM, or another signal that ends it."""


def raise_terminated(_signal: int, _frame: FrameType | None) -> None:
    """Raise Terminated, as the handler of SIGTERM; a second SIGTERM must not interrupt the recording of the first."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated


@contextmanager
def termination_raises(number: int = signal.SIGTERM) -> Iterator[None]:
    """Raise Terminated on SIGTERM, or another signal, within this context: an interrupted run is recorded as killed.

    An ignored interruption is repeated, as by `repeat_ignored_interrupts`.
    """

    def terminate(_signal: int, _frame: FrameType | None) -> None:
        raise Terminated

    before, hook = signal.signal(number, terminate), sys.unraisablehook
    repeat_ignored_interrupts()
    try:
        yield
    finally:
        sys.unraisablehook = hook
        signal.signal(number, before)


def let_interrupts_end_waits() -> None:
    """Let Ctrl-C end waits for locks and processes again, after an import that may have changed this.

    Polars, which MLflow imports if it is installed, replaces the handler of SIGINT by one after which the system
    restarts such waits.
    """
    if hasattr(signal, "siginterrupt"):  # not on Windows
        signal.siginterrupt(signal.SIGINT, True)


def repeat_ignored_interrupts() -> None:
    """Raise KeyboardInterrupt and Terminated again wherever Python ignores them.

    Python prints and drops an exception that a signal raises within a destructor or the callback of a weak reference,
    so that the training would continue. The handler of the signal is then called a second time, REPEAT_AFTER seconds
    later, by SIGALRM: a thread would need locks that the interrupted code may hold.
    """
    handlers = {KeyboardInterrupt: signal.getsignal(signal.SIGINT), Terminated: signal.getsignal(signal.SIGTERM)}
    default = sys.unraisablehook

    def repeat(ignored: sys.UnraisableHookArgs) -> None:
        handler = handlers.get(ignored.exc_type)
        if not callable(handler):
            default(ignored)
            return
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, REPEAT_AFTER)

    sys.unraisablehook = repeat

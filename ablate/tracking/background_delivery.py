"""The thread that brings journals into the store while training goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from ablate.errors import StoreError, UnreachableError, UserError
from ablate.journal.mlflow_handshake import WANTED, hand_over
from ablate.tracking.contract import Tracker

INTERVAL = 1.0
BEAT = 60.0
LONGEST_PAUSE = 30.0
PATIENCE = 60.0
LAST_CHANCE = 15.0
_END = b'{"record": "end"'
_WORTH_DELIVERING = (b'{"record": "metrics"', WANTED, _END)


@dataclass
class _Followed:
    journal: Path
    delivered: tuple[int, int] | None = None  # size and time of change at the last delivery
    touched: float = 0.0
    handed_over: int = 0


class Writer:
    """Follows journals and delivers what is new about once a second; training never waits for it.

    Nothing of the store is imported before a journal has its first metrics. A store that fails is told once, through
    `on_error`, and tried again at longer intervals and at `close`. `prepare` is called before the first delivery, and
    `tidy` once after it, to deliver and close what earlier commands left.
    """

    def __init__(
        self,
        tracker: Tracker,
        on_error: Callable[[StoreError], None],
        tidy: Callable[[], object] | None = None,
        prepare: Callable[[], object] | None = None,
        interval: float = INTERVAL,
    ) -> None:
        self._tracker = tracker
        self._on_error = on_error
        self._tidy = tidy
        self._prepare = prepare
        self._interval = interval
        self._lock = threading.Lock()
        self._followed: dict[Path, _Followed] = {}
        self._identifiers: dict[str, str] = {}
        self._failure: StoreError | None = None
        self._told = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="tracking", daemon=True)
        self._thread.start()

    def follow(self, journal: Path) -> None:
        """Deliver a journal from now on; it need not be there yet."""
        with self._lock:
            self._followed.setdefault(journal, _Followed(journal))

    @property
    def failure(self) -> StoreError | None:
        """Why something is not delivered, or None."""
        return self._failure

    def close(self, timeout: float | None = None) -> dict[str, str]:
        """Deliver all that is left, and return the identifiers by name of the run.

        A store gets `timeout` seconds for it, unless given PATIENCE, or LAST_CHANCE if it failed already.
        """
        if timeout is None:
            timeout = LAST_CHANCE if self._failure else PATIENCE
        self._stop.set()
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._fail(UnreachableError(f"the tracking store {self._tracker.uri} gave no answer for {timeout:.0f} s"))
        with self._lock:
            return dict(self._identifiers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _work(self) -> None:
        pause = self._interval
        stopping = False
        while not stopping:
            stopping = self._stop.wait(pause)
            failure = self._round(stopping)
            if failure:
                self._fail(failure)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                self._failure = None
                pause = self._interval

    def _round(self, last: bool) -> StoreError | None:
        """Deliver what is new, and return the first failure; a journal that fails does not keep back the others."""
        with self._lock:
            followed = list(self._followed.values())
        failures: list[StoreError] = []
        for one in followed:
            try:
                self._attend(one, last)
            except UnreachableError as error:
                return error  # to ask for the others would only take time
            except UserError as error:
                failures.append(error if isinstance(error, StoreError) else StoreError(str(error)))
            except Exception as error:  # nothing that goes wrong here may reach the training
                failures.append(StoreError(f"delivery failed: {type(error).__name__}: {error}"))
        return failures[0] if failures else None

    def _attend(self, one: _Followed, last: bool) -> None:
        if not one.journal.is_file():
            return
        stamp, now = _stamp(one.journal), time.monotonic()
        if stamp == one.delivered:
            if now - one.touched > BEAT:
                one.touched = now
                self._tracker.beat(one.journal)
            return
        content = one.journal.read_bytes()
        if not last and not any(mark in content for mark in _WORTH_DELIVERING):
            return
        if self._prepare is not None:
            self._prepare()
            self._prepare = None
        identifier = self._tracker.deliver(one.journal)
        one.delivered, one.touched = stamp, now
        if identifier and (wanted := content.count(b"\n" + WANTED)) > one.handed_over:
            hand_over(one.journal, self._tracker.address(identifier))
            one.handed_over = wanted
        with self._lock:
            if identifier:
                self._identifiers[one.journal.stem] = identifier
            if content.rstrip().rpartition(b"\n")[2].startswith(_END):
                self._followed.pop(one.journal, None)
        self._clear_up()

    def _clear_up(self) -> None:
        if self._tidy is not None:
            tidy, self._tidy = self._tidy, None
            tidy()

    def _fail(self, error: StoreError) -> None:
        self._failure = error
        if not self._told:
            self._told = True
            self._on_error(error)


def _stamp(journal: Path) -> tuple[int, int]:
    found = journal.stat()
    return found.st_size, found.st_mtime_ns

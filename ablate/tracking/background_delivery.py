"""Background delivery: a thread that copies journals to the tracking store while runs train."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from ablate.errors import StoreError, UnreachableError, UserError
from ablate.journal.mlflow_handshake import WANTED, provide_run_environment
from ablate.journal.receipt import stamp
from ablate.journal.study_journal import StudyJournals
from ablate.tracking.catch_up import catch_up, deliver_lost, deliver_study
from ablate.tracking.contract import Tracker
from ablate.tracking.project import Project

INTERVAL = 1.0
"""Seconds between two deliveries."""

LONGEST_INTERVAL = 30.0
"""Seconds between two attempts at a store that fails."""

AWAITED_AFTER = 5.0
"""Seconds of `close` after which the observer is informed."""

HEARTBEAT_INTERVAL = 60.0
CLOSE_TIMEOUT = 60.0
CLOSE_TIMEOUT_AFTER_FAILURE = 15.0
_END = b'{"record": "end"'
_WORTH_DELIVERING = (b'{"record": "metrics"', WANTED, _END)


class DeliveryObserver(Protocol):
    """Receives the failure of a background delivery, in the delivery's thread, and a long wait for its end."""

    def delivery_failed(self, error: StoreError) -> None:
        """Handle the first failure. The delivery continues to retry and reports no further ones."""

    def delivery_awaited(self) -> None:
        """Handle that the end of the delivery takes longer than AWAITED_AFTER seconds."""


@dataclass
class _Followed:
    journal: Path
    delivered: tuple[int, int] | None = None  # stamp of the journal at the last delivery
    touched: float = 0.0
    handed_over: int = 0


class BackgroundDelivery:
    """Delivers journals about once a second; training never waits for it.

    The store's libraries are imported once a journal has its first metrics. The record of `study` is delivered before
    the first journal, and the records left by earlier commands after it. If the store fails, `observer` is
    informed once, and the delivery is retried at longer intervals and in `close`.
    """

    def __init__(
        self,
        tracker: Tracker,
        project: Project,
        observer: DeliveryObserver,
        *,
        study: str | None = None,
        interval: float = INTERVAL,
    ) -> None:
        self._tracker = tracker
        self._project = project
        self._observer = observer
        self._undelivered_study = study
        self._interval = interval
        self._caught_up = False
        self._lock = threading.Lock()
        self._followed: dict[Path, _Followed] = {}
        self._identifiers: dict[str, str] = {}
        self._refused: list[UserError] = []
        self._failure: StoreError | None = None
        self._has_reported = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=copy_context().run, args=(self._work,), name="tracking", daemon=True)
        self._thread.start()

    def follow(self, journal: Path) -> None:
        """Deliver a journal from now on; it need not exist yet."""
        with self._lock:
            self._followed.setdefault(journal, _Followed(journal))

    @property
    def failure(self) -> StoreError | None:
        """The error of the last attempt, or None if it succeeded."""
        return self._failure

    @property
    def refused(self) -> Sequence[UserError]:
        """The errors of damaged journals, and of records of earlier commands that the store does not accept."""
        with self._lock:
            return tuple(self._refused)

    def close(self, timeout: float | None = None) -> dict[str, str]:
        """Deliver the rest, and return the store's identifiers by run name.

        Args:
            timeout: Seconds that the store is given. Default: CLOSE_TIMEOUT, or CLOSE_TIMEOUT_AFTER_FAILURE if the
                last attempt failed.
        """
        if timeout is None:
            timeout = CLOSE_TIMEOUT_AFTER_FAILURE if self._failure else CLOSE_TIMEOUT
        self._stop.set()
        self._thread.join(min(AWAITED_AFTER, timeout))
        if self._thread.is_alive() and timeout > AWAITED_AFTER:
            self._observer.delivery_awaited()
            self._thread.join(timeout - AWAITED_AFTER)
        if self._thread.is_alive():
            self._fail(UnreachableError(f"Tracking store {self._tracker.uri} did not answer within {timeout:.0f} s"))
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
            failure = self._deliver_all(stopping)
            if failure:
                self._fail(failure)
                pause = min(2 * pause, LONGEST_INTERVAL)
            else:
                self._failure = None
                pause = self._interval

    def _deliver_all(self, is_last: bool) -> StoreError | None:
        """Deliver every journal that changed and return the first failure; one failure does not stop the others."""
        with self._lock:
            followed = list(self._followed.values())
        failures: list[StoreError] = []
        for one in followed:
            try:
                self._deliver_one(one, is_last)
            except UnreachableError as error:
                return error  # the other journals would only wait for the same timeout
            except UserError as error:
                failures.append(error if isinstance(error, StoreError) else StoreError(str(error)))
            except Exception as error:  # no failure of the store may reach the training
                failures.append(StoreError(f"Delivery failed: {type(error).__name__}: {error}"))
        return failures[0] if failures else None

    def _deliver_one(self, one: _Followed, is_last: bool) -> None:
        if not one.journal.is_file():
            return
        current, now = stamp(one.journal), time.monotonic()
        if current == one.delivered:
            if now - one.touched > HEARTBEAT_INTERVAL:
                one.touched = now
                self._tracker.heartbeat(one.journal)
            return
        content = one.journal.read_bytes()
        if not is_last and not any(mark in content for mark in _WORTH_DELIVERING):
            return
        self._deliver_study()
        identifier = self._tracker.deliver(one.journal)
        one.delivered, one.touched = current, now
        if identifier and (wanted := content.count(b"\n" + WANTED)) > one.handed_over:
            provide_run_environment(one.journal, self._tracker.run_environment(identifier))
            one.handed_over = wanted
        with self._lock:
            if identifier:
                self._identifiers[one.journal.stem] = identifier
            if content.rstrip().rpartition(b"\n")[2].startswith(_END):
                self._followed.pop(one.journal, None)
        self._catch_up()

    def _deliver_study(self) -> None:
        if self._undelivered_study is not None:
            deliver_lost(self._tracker, self._project)  # the study is the parent of the runs
            deliver_study(self._tracker, StudyJournals(self._project.studies), self._undelivered_study)
            self._undelivered_study = None

    def _catch_up(self) -> None:
        if not self._caught_up:
            self._caught_up = True
            refused = catch_up(self._tracker, self._project)
            with self._lock:
                self._refused += refused

    def _fail(self, error: StoreError) -> None:
        self._failure = error
        if not self._has_reported:
            self._has_reported = True
            self._observer.delivery_failed(error)

"""Watching the journals of a sweep from outside: the one channel between workers and whoever started them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from ablate.journal.process_identity import is_alive
from ablate.journal.run_journal import Journals, Run, load
from ablate.studies.job import Job

LOOKAHEAD = 4
"""Items start in order, so what runs is among the first few, times the slots, of what has not ended."""


class Follower:
    """A thread that reports, about once a second, the pending jobs that are running, with their journals."""

    def __init__(
        self,
        journals: Journals,
        pending: Callable[[], Sequence[Job]],
        report: Callable[[Sequence[tuple[Path, Run]]], None],
        interval: float = 1.0,
    ) -> None:
        self._journals, self._pending, self._report, self._interval = journals, pending, report, interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="following", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stop.wait(self._interval):
            self._report(self._running())

    def _running(self) -> list[tuple[Path, Run]]:
        found = []
        for job in self._pending():
            attempts = self._journals.attempts(job.recipe.key, job.data.fingerprint)
            run = load(attempts[-1]) if attempts else None
            if run and run.status == "running" and is_alive(run.process) is not False:
                found.append((attempts[-1], run))
        return found

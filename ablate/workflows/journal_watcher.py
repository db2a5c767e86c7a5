"""Watch the journals of a running sweep or search, deliver them and show their progress."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from ablate import console
from ablate.journal.process_identity import is_alive
from ablate.journal.run_journal import Journals, Run
from ablate.studies.job import Job
from ablate.tracking import BackgroundDelivery
from ablate.workflows.messages import describe_progress


@dataclass(frozen=True)
class WatchedJob:
    """A job that may be running: its title in the live view, and facts to show where the width allows."""

    job: Job
    title: str
    facts: Sequence[str] = ()


class JournalWatcher:
    """A thread that, once per second, finds the running jobs, has their journals delivered and shows their progress.

    Journals are the only channel from worker processes to this one. `jobs` returns the jobs that may be running.
    """

    def __init__(
        self,
        journals: Journals,
        jobs: Callable[[], Sequence[WatchedJob]],
        delivery: BackgroundDelivery,
        view: console.SweepView,
        interval: float = 1.0,
    ) -> None:
        self._journals, self._jobs, self._delivery, self._view = journals, jobs, delivery, view
        self._interval = interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=copy_context().run, args=(self._work,), name="journals", daemon=True)

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
            running = list(self._running())
            for path, _, _ in running:
                self._delivery.follow(path)
            rows = ([describe_progress(run, watched.title), *watched.facts] for _, run, watched in running)
            self._view.show_running(["  ".join(row) for row in rows])

    def _running(self) -> Iterator[tuple[Path, Run, WatchedJob]]:
        for watched in self._jobs():
            job = watched.job
            attempts = self._journals.attempts(job.recipe.key, job.data.fingerprint)
            run = self._journals.read(attempts[-1]) if attempts else None
            if run and run.status == "running" and is_alive(run.process) is not False:
                yield attempts[-1], run, watched

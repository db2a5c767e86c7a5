"""The jobs of one queue: submit them, collect results, and find calls whose job has ended."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from ablate import console
from ablate.errors import UserError
from ablate.runs.executors.contract import WorkerLost
from ablate.runs.executors.slurm.call_queue import CallQueue
from ablate.runs.executors.slurm.cluster import LOGS, Cluster, LimitError, UnavailableError
from ablate.runs.executors.slurm.job import QueueWorker
from ablate.runs.executors.slurm.states import JobState, States, gone, jobs_to_submit, live

CLUSTER_FAULTS = 3
"""How often a call moves to another job after a fault of the cluster, before it counts as lost."""

PATIENCE = 300.0
"""Seconds for which jobs are submitted again if the cluster does not take them now, and no job is left."""


@dataclass
class Batch:
    """A queue and its jobs.

    `awaited` has the numbers of the calls whose results are awaited, `states` the jobs as the cluster last listed them.
    """

    queue: CallQueue
    cluster: Cluster
    slots: int
    calls_per_job: int | None
    awaited: set[int]
    states: States = field(default_factory=dict)
    _suspects: set[int] = field(default_factory=set)
    _faults: Counter[int] = field(default_factory=Counter)
    _unavailable_since: float | None = None

    def update(self, states: States) -> None:
        """Take the states of the jobs. Jobs that the cluster does not list any more have ended."""
        ended = {job: state if not state.is_live else gone(job) for job, state in self.states.items()}
        self.states = {**ended, **states}

    @property
    def open_calls(self) -> set[int]:
        """The numbers of the calls that a job makes or that no job has taken."""
        claims = self.queue.claims().items()
        return {*self.queue.unclaimed(), *(number for number, claim in claims if self._state(claim.job).is_live)}

    def results(self) -> Iterator[tuple[int, bytes]]:
        """Yield the awaited results that exist."""
        for number in sorted(self.queue.results() & self.awaited):
            self.awaited.discard(number)
            yield number, self.queue.result(number)

    def losses(self) -> Iterator[tuple[int, WorkerLost]]:
        """Yield the calls whose job has ended without a result. After a fault of the cluster they are made again.

        A job counts as ended at the second look, because a network file system may show its result late.
        """
        claims = self.queue.claims()
        dead = {number for number, claim in claims.items() if not self._state(claim.job).is_live}
        self._suspects, confirmed = dead, sorted(dead & self._suspects)
        for number in confirmed:
            state = self._state(claims[number].job)
            if state.is_fault_of_the_cluster and self._faults[number] < CLUSTER_FAULTS:
                self._faults[number] += 1
                self.queue.release(number, claims[number])
            elif number in self.awaited:
                self.awaited.discard(number)
                yield number, WorkerLost(f"its job {state.job} {state.end}{self._log(state)}")
        if self.queue.is_closed and not live(self.states.values()):
            for number in sorted(self.awaited & set(self.queue.unclaimed())):
                self.awaited.discard(number)
                yield number, WorkerLost("another command cancelled its job")

    def top_up(self) -> None:
        """Submit jobs for the calls that no job will make. Raises UserError if jobs end before their first call."""
        unclaimed = self.queue.unclaimed()
        if not unclaimed or self.queue.is_closed:
            return
        alive = live(self.states.values())
        makers = {claim.job for claim in self.queue.claims().values()}
        busy = sum(state.job in makers for state in alive)
        open_calls = len(unclaimed) + busy
        count = jobs_to_submit(open_calls, len(alive), self.slots, self.calls_per_job)
        if count == 0:
            return
        self._check_ends()
        try:
            self.submit(count, max(1, self.slots - len(alive)))
        except UserError as error:
            if not alive:
                raise
            console.warn_once(f"{error}. The other jobs continue")

    def submit(self, count: int, at_once: int) -> None:
        """Submit jobs and note their ids. If the cluster does not take jobs now, the next `top_up` tries again."""
        try:
            self._submit(count, at_once)
        except UnavailableError as error:
            now = time.monotonic()
            self._unavailable_since = self._unavailable_since or now
            if now - self._unavailable_since > PATIENCE:
                raise
            console.warn_once(f"{error}. The command tries again")
        with suppress(UserError):  # the next look finds the jobs
            self.update(self.cluster.states([self.queue.name]).get(self.queue.name, {}))

    def _submit(self, count: int, at_once: int) -> None:
        """Submit jobs. If they exceed a limit, submit half of them; the others follow when these have ended."""
        work = QueueWorker(self.queue.folder, self.calls_per_job, tuple(sys.path))
        try:
            self.cluster.submit(self.queue.folder, count, at_once, work)
        except LimitError:
            if count == 1:
                raise
            self._submit(count // 2, at_once)
        self._unavailable_since = None

    def _check_ends(self) -> None:
        """Raise UserError if more jobs than may run at a time ended in an error before they took a call."""
        failed = [state for state in self.states.values() if state.is_failure]
        if len(failed) <= self.slots:
            return
        makers = self.queue.makers()
        barren = [state for state in failed if state.job not in makers]
        if len(barren) > self.slots:
            last = barren[-1]
            place = f" on {last.node}" if last.node else ""
            log = self._log(last) or f" and left no log. Can the node write to {self.queue.folder}?"
            raise UserError(f"Job {last.job}{place} {last.end} before its first run{log}")

    def _state(self, job: str) -> JobState:
        return self.states.get(job) or gone(job)

    def _log(self, state: JobState) -> str:
        log = self.queue.folder / LOGS / f"{state.job}_0_log.err"
        return f" ({log})" if log.exists() and state.word in ("FAILED", "COMPLETED", "OUT_OF_MEMORY") else ""

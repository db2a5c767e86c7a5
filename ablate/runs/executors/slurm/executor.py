"""The executor of runs on a Slurm cluster."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol, runtime_checkable

from ablate import console
from ablate.errors import UserError
from ablate.journal.process_identity import is_alive, this_process
from ablate.runs.executors.contract import Item, Result, WorkerLost
from ablate.runs.executors.slurm.batch import Batch
from ablate.runs.executors.slurm.call_queue import NAME_PREFIX, CallLabel, CallQueue, queues
from ablate.runs.executors.slurm.cluster import Cluster, SlurmCluster
from ablate.runs.executors.slurm.states import jobs_to_submit, live, waiting_reasons
from ablate.runs.executors.worker import GRACE, pack_call, unpack_result
from ablate.wording import count, listed

KEPT = 24 * 3600.0
"""Seconds after which the folder of a queue without jobs is removed."""


@runtime_checkable
class Labelled(Protocol):
    """An item that another command can recognise."""

    @property
    def identity(self) -> str:
        """The same for the same work in each command, or empty: never the same."""

    @property
    def title(self) -> str:
        """A name to show."""


class SlurmExecutor:
    """Makes calls in jobs of a cluster, which take them from a queue in a shared folder, at most `slots` at a time.

    The jobs do not need the command: they continue if it dies. The next command that needs the same calls finds their
    queue, waits for the calls in progress, and makes the others. A job that ends without a result loses its call,
    except after a fault of the cluster, such as a lost node: then another job makes the call.

    Args:
        folder: The folder of the queues, which every node reaches under the same path.
        calls_per_job: After how many calls a job ends. Default: when no call is left.
    """

    def __init__(self, slots: int, cluster: Cluster, folder: Path, calls_per_job: int | None = None) -> None:
        self.slots = slots
        self._cluster, self._folder, self._calls_per_job = cluster, folder, calls_per_job

    def script(self, calls: int) -> str:
        """Return the script that sbatch would receive for a number of calls."""
        assert isinstance(self._cluster, SlurmCluster)
        count = jobs_to_submit(calls, 0, self.slots, self._calls_per_job)
        return self._cluster.script(self._folder / f"{NAME_PREFIX}ID", count, self.slots)

    def results(
        self, call: Callable[[Item], Result], items: Sequence[Item]
    ) -> Generator[tuple[Item, Result | WorkerLost]]:
        """Yield each item with the result of `call`, or WorkerLost if its job ended.

        Closing the generator early cancels the jobs, which have GRACE seconds to record their end. Jobs for which the
        process of another command waits as well continue.

        Raises:
            UserError: If the cluster refuses the jobs.
        """
        places = self._attach(items)
        batches = list({batch.queue.name: batch for batch, _ in places.values()}.values())
        for batch in batches:
            _announce(batch, adopted=self._is_ours(batch))
        try:
            missing = [number for number in range(len(items)) if number not in places]
            if missing:
                batches.append(self._begin(call, [items[number] for number in missing], batches))
                places |= {number: (batches[-1], place) for place, number in enumerate(missing)}
            numbers = {(batch.queue.name, place): number for number, (batch, place) in places.items()}
            for name, place, outcome in self._outcomes(batches):
                result: Result | WorkerLost
                result = outcome if isinstance(outcome, WorkerLost) else unpack_result(outcome)
                yield items[numbers[name, place]], result
        finally:
            own = [batch for batch in batches if self._is_ours(batch)]
            for batch in own:
                with suppress(UserError):  # of the cluster; a job that finds its queue closed ends
                    self._dismiss(batch)
            self._await_end(own)

    def _begin(self, call: Callable[[Item], Result], items: Sequence[Item], others: Sequence[Batch]) -> Batch:
        """Create a queue of calls and submit its jobs."""
        packed = [pack_call(call, item) for item in items]
        queue = CallQueue.create(self._folder, packed, [_label(item) for item in items], this_process())
        batch = self._batch(queue, set(range(len(items))))
        busy = sum(len(live(other.states.values())) for other in others)
        batch.submit(jobs_to_submit(len(items), 0, self.slots, self._calls_per_job), max(1, self.slots - busy))
        if batch.states:
            console.info(f"Submitted {count(len(batch.states), 'job')} to Slurm: {listed(batch.states)}")
        return batch

    def _batch(self, queue: CallQueue, awaited: set[int]) -> Batch:
        return Batch(queue, self._cluster, self.slots, self._calls_per_job, awaited)

    def _attach(self, items: Sequence[Item]) -> dict[int, tuple[Batch, int]]:
        """Return the calls of the items, by number, that jobs of an earlier command make or will make."""
        wanted = {_label(item).identity: number for number, item in enumerate(items)}
        found: dict[int, tuple[Batch, int]] = {}
        known = queues(self._folder)
        states = self._cluster.states([queue.name for queue in known])
        for queue in known:
            batch = self._batch(queue, set())
            batch.update(states.get(queue.name, {}))
            if not live(batch.states.values()):
                if queue.age() > KEPT:
                    shutil.rmtree(queue.folder, ignore_errors=True)
                continue
            if queue.is_closed:
                continue
            open_calls = {*queue.unclaimed(), *queue.claims()}
            for place, label in enumerate(queue.labels):
                number = wanted.get(label.identity) if label.identity else None
                if number is not None and number not in found and place in open_calls:
                    found[number] = batch, place
                    batch.awaited.add(place)
        return found

    def _is_ours(self, batch: Batch) -> bool:
        """Return whether a batch is that of this process, or of a dead one: then it becomes this one's."""
        owner = batch.queue.owner
        if is_alive(owner) is False:
            batch.queue.adopt(this_process())
            return True
        return owner == this_process()

    def _outcomes(self, batches: Sequence[Batch]) -> Generator[tuple[str, int, bytes | WorkerLost]]:
        """Yield the name of a queue, the number of a call, and its packed result or loss, until each has one."""
        looked = time.monotonic()
        while any(batch.awaited for batch in batches):
            is_due = time.monotonic() - looked >= self._cluster.interval
            if is_due:
                looked = time.monotonic()
                is_due = self._update(batches)
            for batch in batches:
                for number, result in batch.results():
                    yield batch.queue.name, number, result
                if is_due and batch.awaited:
                    for number, lost in batch.losses():
                        yield batch.queue.name, number, lost
                    if self._is_ours(batch) or not live(batch.states.values()):
                        batch.top_up()
            time.sleep(min(1.0, self._cluster.interval))

    def _update(self, batches: Sequence[Batch]) -> bool:
        """Ask the cluster for the states of the jobs. If it does not answer, the last ones remain; return False."""
        try:
            states = self._cluster.states([batch.queue.name for batch in batches])
        except UserError as error:
            console.warn_once(f"Slurm does not answer ({error}). Jobs continue, and the command waits")
            return False
        for batch in batches:
            batch.update(states.get(batch.queue.name, {}))
            for reason in waiting_reasons(batch.states.values()):
                console.warn_once(f"Jobs wait: {reason}")
        return True

    def _dismiss(self, batch: Batch) -> None:
        """Cancel the jobs of a batch whose results are still awaited. Jobs with other calls continue."""
        self._update([batch])
        if not batch.awaited and batch.open_calls:
            return
        batch.queue.close()
        jobs = [state for state in live(batch.states.values()) if batch.awaited or state.is_waiting]
        self._cluster.cancel(batch.queue.name, [state.job for state in jobs])

    def _await_end(self, own: Sequence[Batch]) -> None:
        """Wait for the end of jobs that were cancelled."""
        cancelled = [batch for batch in own if batch.awaited]
        deadline = time.monotonic() + GRACE
        while any(live(batch.states.values()) for batch in cancelled) and time.monotonic() < deadline:
            time.sleep(min(1.0, self._cluster.interval))
            self._update(cancelled)


def _announce(batch: Batch, *, adopted: bool) -> None:
    runs, jobs = count(len(batch.awaited), "run"), [state.job for state in live(batch.states.values())]
    whose = "an earlier command" if adopted else "another command"
    console.info(f"Waiting for {runs} in jobs of {whose}: {listed(jobs)}")


def _label(item: object) -> CallLabel:
    return CallLabel(item.identity, item.title) if isinstance(item, Labelled) else CallLabel("", "")

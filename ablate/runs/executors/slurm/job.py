"""The side of the job: take calls from a queue until none is left or the time limit is near."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from ablate.cores import reduce_garbage_collection, share_cores
from ablate.interrupts import Terminated, repeat_ignored_interrupts
from ablate.runs.executors.slurm.call_queue import CallQueue, Claim
from ablate.runs.executors.worker import run_packed_call

TIME_IS_UP = signal.SIGUSR2
"""The signal that Slurm sends some time before the time limit (sbatch --signal)."""

MOST_RESTARTS = 10
"""How often a job is restarted at its time limit for the same call."""


@dataclass(frozen=True)
class QueueWorker:
    """What a job does: makes at most `most` calls of the queue in `folder`, with the modules of `path`.

    SIGTERM ends the call and the job. Shortly before the time limit the call is ended, and Slurm puts the job back into
    its queue, where it continues with the same call.
    """

    folder: Path
    most: int | None
    path: Sequence[str]

    def __call__(self) -> None:
        """Make the calls. Does not return after a signal: the process ends."""
        sys.path[:] = self.path
        share_cores()
        reduce_garbage_collection()
        job = this_job()
        ending = _Ending()
        try:
            make_calls(CallQueue(self.folder), job, self.most)
        except Terminated:
            if ending.signal == TIME_IS_UP and may_restart(CallQueue(self.folder), job):
                subprocess.run(["scontrol", "requeue", job.job], check=False, timeout=60)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(128 + ending.signal)  # everything is recorded


class _Ending:
    """Raises Terminated at the first signal that ends the job, and ignores further ones."""

    def __init__(self) -> None:
        self.signal = signal.SIGTERM
        for number in (signal.SIGTERM, TIME_IS_UP):
            signal.signal(number, self._end)
        repeat_ignored_interrupts()

    def _end(self, number: int, _frame: FrameType | None) -> None:
        if number in (signal.SIGTERM, TIME_IS_UP):  # an ignored interruption is repeated as SIGALRM
            self.signal = signal.Signals(number)
        for one in (signal.SIGTERM, TIME_IS_UP):
            signal.signal(one, signal.SIG_IGN)  # a second signal must not interrupt the recording
        raise Terminated


def this_job() -> Claim:
    """Return the job of this process, with the number of its restarts."""
    from submitit import JobEnvironment

    return Claim(JobEnvironment().job_id, int(os.environ.get("SLURM_RESTART_COUNT", "0")))


def make_calls(queue: CallQueue, job: Claim, most: int | None = None) -> None:
    """Make calls of a queue until none is left, or `most`."""
    made = 0
    while most is None or made < most:
        number = queue.take(job)
        if number is None:
            return
        queue.put(number, run_packed_call(queue.call(number)))
        made += 1


def may_restart(queue: CallQueue, job: Claim) -> bool:
    """Return whether a job may start again at its time limit: not after MOST_RESTARTS restarts with the same call."""
    began = [claim.restarts for claim in queue.claims().values() if claim.job == job.job]
    return not began or job.restarts - began[0] < MOST_RESTARTS

"""submitit's local executor as a cluster: each job is a process of this machine."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ablate.runs.executors.slurm.states import JobState, States
from tests.samples.processes import PATIENCE


class LocalCluster:
    """Jobs of submitit's local executor, with the states that Slurm would show."""

    interval = 0.1

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}

    def submit(self, queue: Path, count: int, at_once: int, work: Callable[[], None]) -> None:
        from submitit import LocalExecutor

        executor = LocalExecutor(queue / "jobs")
        executor.update_parameters(timeout_min=10)
        executor._throttling = 0.0
        submitted = [executor.submit(work) for _ in range(count)]
        self.jobs.setdefault(queue.name, {}).update({job.job_id: job for job in submitted})

    def states(self, queues: Sequence[str]) -> Mapping[str, States]:
        words = {"RUNNING": "RUNNING", "FINISHED": "COMPLETED", "INTERRUPTED": "CANCELLED"}
        return {
            name: {job: JobState(job, words[found.state]) for job, found in self.jobs.get(name, {}).items()}
            for name in queues
        }

    def wait(self) -> None:
        """Wait for the end of all jobs."""
        for jobs in self.jobs.values():
            for job in jobs.values():
                job._process.wait(PATIENCE)

    def cancel(self, queue: str, jobs: Sequence[str]) -> None:
        for job in jobs:
            self.jobs[queue][job]._process.send_signal(signal.SIGTERM)

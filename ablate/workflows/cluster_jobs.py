"""The jobs of a project that wait or run on a Slurm cluster, for `ablate list`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablate import console
from ablate.errors import UserError
from ablate.runs.executors.slurm.call_queue import CallQueue, queues
from ablate.runs.executors.slurm.cluster import my_jobs
from ablate.runs.executors.slurm.states import JobState, States
from ablate.tracking import Project
from ablate.wording import count


@dataclass(frozen=True)
class QueuedJob:
    """A job that waits or runs: its state, the title of its run (empty: none yet), and the open runs of its queue."""

    state: JobState
    run: str
    open_runs: int

    @property
    def status(self) -> str:
        """`waiting` or `running`."""
        return "waiting" if self.state.is_waiting else "running"

    def cells(self) -> dict[str, str]:
        """Return the columns of a table."""
        return {
            "job": self.state.job,
            "state": self.status,
            "node or reason": self.state.reason if self.state.is_waiting else self.state.node,
            "run": self.run or f"any of {count(self.open_runs, 'run')}",
        }

    def as_json(self) -> dict[str, Any]:
        """Return the fields of a row of `ablate list --json`: those of a run, and the job, its node and its reason."""
        unknown = dict.fromkeys(("experiment", "scale", "device", "started", "key"))
        mine = {"job": self.state.job, "node": self.state.node or None, "reason": self.state.reason or None}
        return {"run": self.run or None, "status": self.status, **unknown, **mine}


def print_jobs(project: Project) -> None:
    """Print the jobs that wait or run, if there are any."""
    if rows := [job.cells() for job in jobs_of(project)]:
        console.table(list(rows[0]), [list(row.values()) for row in rows], title="Slurm jobs")


def jobs_of(project: Project) -> list[QueuedJob]:
    """Return the jobs that wait or run. If the cluster does not answer, warn and return none."""
    known = queues(project.slurm)
    try:
        return queued_jobs(known, my_jobs()) if known else []
    except UserError as error:
        console.warning(f"Jobs are not listed: {error}")
        return []


def queued_jobs(known: Sequence[CallQueue], jobs: Mapping[str, States]) -> list[QueuedJob]:
    """Return the jobs of the queues, oldest queue first."""
    found = []
    for queue in known:
        labels, open_runs = queue.labels, len(queue.unclaimed())
        runs = {claim.job: labels[number].title for number, claim in queue.claims().items()}
        states = jobs.get(queue.name, {}).values()
        found += [QueuedJob(state, runs.get(state.job, ""), open_runs) for state in states]
    return found

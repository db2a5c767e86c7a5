"""The jobs of a project that wait or run on a Slurm cluster, for `ablate list`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ablate import console
from ablate.errors import UserError
from ablate.runs.executors.slurm.call_queue import CallQueue, queues
from ablate.runs.executors.slurm.cluster import my_jobs
from ablate.runs.executors.slurm.states import JobState, States
from ablate.tracking import Project
from ablate.wording import count


def print_jobs(project: Project) -> None:
    """Print the jobs that wait or run, if there are any."""
    known = queues(project.slurm)
    if not known:
        return
    try:
        rows = job_rows(known, my_jobs())
    except UserError as error:
        console.warning(f"Jobs are not listed: {error}")
        return
    if rows:
        console.table(list(rows[0]), [list(row.values()) for row in rows], title="Slurm jobs")


def job_rows(known: Sequence[CallQueue], jobs: Mapping[str, States]) -> list[dict[str, str]]:
    """Return a row for each job of the queues: its id, its state, where it runs or why it waits, and its run."""
    rows = []
    for queue in known:
        labels, unclaimed = queue.labels, f"any of {count(len(queue.unclaimed()), 'run')}"
        runs = {claim.job: labels[number].title for number, claim in queue.claims().items()}
        rows += [_row(state, runs.get(state.job, unclaimed)) for state in jobs.get(queue.name, {}).values()]
    return rows


def _row(state: JobState, run: str) -> dict[str, str]:
    where = state.reason if state.is_waiting else state.node
    return {
        "job": state.job,
        "state": "waiting" if state.is_waiting else "running",
        "node or reason": where,
        "run": run,
    }

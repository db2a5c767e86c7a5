"""States of the jobs of a Slurm cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

SQUEUE_FORMAT = "%j|%i|%T|%N|%r"
"""Name, id, state, node and reason of a job."""

_WAITING = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD")
_RUNNING = ("RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING")
_FAULTS_OF_THE_CLUSTER = ("NODE_FAIL", "BOOT_FAIL", "PREEMPTED", "REVOKED", "LAUNCH_FAILED", "RECONFIG_FAIL")
_USUAL_REASONS = ("", "BeginTime", "Cleaning", "JobArrayTaskLimit", "Priority", "Prolog", "Resources")
_ENDS = {
    "CANCELLED": "was cancelled",
    "COMPLETED": "ended",
    "DEADLINE": "reached its deadline",
    "FAILED": "failed",
    "NODE_FAIL": "lost its node",
    "OUT_OF_MEMORY": "ran out of memory",
    "PREEMPTED": "was preempted",
    "TIMEOUT": "reached its time limit",
    "GONE": "left the queue",
}


@dataclass(frozen=True)
class JobState:
    """A job of the cluster. `word` is its state in Slurm's words, `reason` why it waits."""

    job: str
    word: str
    node: str = ""
    reason: str = ""

    @property
    def is_waiting(self) -> bool:
        """Whether the job waits for a node."""
        return self.word in _WAITING

    @property
    def is_live(self) -> bool:
        """Whether the job waits or runs."""
        return self.is_waiting or self.word in _RUNNING

    @property
    def is_fault_of_the_cluster(self) -> bool:
        """Whether the job ended for a cause that its run has no part in."""
        return self.word in _FAULTS_OF_THE_CLUSTER

    @property
    def is_failure(self) -> bool:
        """Whether the job ended early, without a fault of the cluster."""
        return not (self.is_live or self.is_fault_of_the_cluster or self.word in ("COMPLETED", "GONE"))

    @property
    def end(self) -> str:
        """How the job ended, as the end of a sentence."""
        return _ENDS.get(self.word, f"ended in state {self.word}")


States = Mapping[str, JobState]
"""The jobs of a queue by id."""


def gone(job: str) -> JobState:
    """Return the state of a job that the cluster does not list any more."""
    return JobState(job, "GONE")


def read_squeue(text: str) -> dict[str, dict[str, JobState]]:
    """Return the jobs in the output of squeue with SQUEUE_FORMAT, by the name of their queue and their id."""
    found: dict[str, dict[str, JobState]] = {}
    for line in text.splitlines():
        name, job, word, node, reason = (*line.split("|", 4), "", "", "", "")[:5]
        if word:
            found.setdefault(name, {})[job] = JobState(job, word, node, "" if reason == "None" else reason)
    return found


def live(states: Iterable[JobState]) -> list[JobState]:
    """Return the jobs that wait or run."""
    return [state for state in states if state.is_live]


def waiting_reasons(states: Iterable[JobState]) -> list[str]:
    """Return why all live jobs wait, unless one of them runs or only needs its turn."""
    alive = live(states)
    reasons = sorted({state.reason for state in alive})
    return reasons if all(state.is_waiting for state in alive) and not set(reasons) & set(_USUAL_REASONS) else []


def jobs_to_submit(open_calls: int, alive: int, slots: int, calls_per_job: int | None) -> int:
    """Return how many jobs to add to `alive` ones, so that all open calls are made."""
    wanted = min(slots, open_calls) if calls_per_job is None else -(-open_calls // calls_per_job)
    return max(0, wanted - alive)

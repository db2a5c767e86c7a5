"""The list of jobs on a Slurm cluster."""

from __future__ import annotations

from pathlib import Path

from ablate.runs.executors.slurm.call_queue import CallLabel, CallQueue, Claim
from ablate.runs.executors.slurm.states import JobState
from ablate.workflows.cluster_jobs import queued_jobs


def test_jobs_are_listed_with_their_runs(tmp_path: Path) -> None:
    labels = [CallLabel("", f"no-augment/s{seed}") for seed in range(3)]
    queue = CallQueue.create(tmp_path, [b""] * 3, labels, {})
    queue.take(Claim("7_0"))
    jobs = {"7_0": JobState("7_0", "RUNNING", "n1"), "7_1": JobState("7_1", "PENDING", "", "Resources")}
    found = queued_jobs([queue], {queue.name: jobs, "other": jobs})
    assert [job.cells() for job in found] == [
        {"job": "7_0", "state": "running", "node or reason": "n1", "run": "no-augment/s0"},
        {"job": "7_1", "state": "waiting", "node or reason": "Resources", "run": "any of 2 runs"},
    ]
    unknown = dict.fromkeys(("experiment", "scale", "device", "started", "key"))
    assert [job.as_json() for job in found] == [
        {"run": "no-augment/s0", "status": "running", **unknown, "job": "7_0", "node": "n1", "reason": None},
        {"run": None, "status": "waiting", **unknown, "job": "7_1", "node": None, "reason": "Resources"},
    ]

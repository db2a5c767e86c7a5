"""States of jobs, as squeue lists them."""

from __future__ import annotations

import pytest

from ablate.runs.executors.slurm.states import jobs_to_submit, read_squeue, waiting_reasons

LISTING = """\
ablate-a|7_0|RUNNING|n1|None
ablate-a|7_1|PENDING||Resources
ablate-a|7_2|PENDING||JobHeldUser|odd
ablate-b|9|NODE_FAIL|n2|NodeDown

"""


def test_squeue_is_read_by_queue_and_job() -> None:
    found = read_squeue(LISTING)
    assert list(found) == ["ablate-a", "ablate-b"]
    running, waiting = found["ablate-a"]["7_0"], found["ablate-a"]["7_1"]
    assert (running.is_live, running.is_waiting, running.node, running.reason) == (True, False, "n1", "")
    assert (waiting.is_live, waiting.is_waiting, waiting.reason) == (True, True, "Resources")
    failed = found["ablate-b"]["9"]
    assert (failed.is_live, failed.is_fault_of_the_cluster, failed.end) == (False, True, "lost its node")


@pytest.mark.parametrize(
    ("word", "is_live", "is_fault", "is_failure"),
    [
        ("COMPLETING", True, False, False),
        ("REQUEUED", True, False, False),
        ("COMPLETED", False, False, False),
        ("CANCELLED", False, False, True),
        ("TIMEOUT", False, False, True),
        ("OUT_OF_MEMORY", False, False, True),
        ("PREEMPTED", False, True, False),
    ],
)
def test_kinds_of_states(word: str, is_live: bool, is_fault: bool, is_failure: bool) -> None:
    state = read_squeue(f"q|1|{word}||")["q"]["1"]
    assert (state.is_live, state.is_fault_of_the_cluster, state.is_failure) == (is_live, is_fault, is_failure)


@pytest.mark.parametrize(
    ("open_calls", "alive", "slots", "calls_per_job", "jobs"),
    [
        (20, 0, 4, None, 4),
        (3, 0, 4, None, 3),
        (3, 2, 4, None, 1),
        (1, 3, 4, None, 0),
        (20, 0, 4, 3, 7),
        (20, 7, 4, 3, 0),
    ],
)
def test_jobs_to_submit(open_calls: int, alive: int, slots: int, calls_per_job: int | None, jobs: int) -> None:
    assert jobs_to_submit(open_calls, alive, slots, calls_per_job) == jobs


@pytest.mark.parametrize(
    ("lines", "reasons"),
    [
        ("q|1|PENDING||PartitionTimeLimit\nq|2|PENDING||JobHeldUser", ["JobHeldUser", "PartitionTimeLimit"]),
        ("q|1|PENDING||PartitionTimeLimit\nq|2|PENDING||Resources", []),
        ("q|1|PENDING||PartitionTimeLimit\nq|2|RUNNING|n1|None", []),
        ("q|1|PENDING||PartitionTimeLimit\nq|2|COMPLETED||None", ["PartitionTimeLimit"]),
        ("", []),
    ],
)
def test_reasons_why_jobs_wait(lines: str, reasons: list[str]) -> None:
    assert waiting_reasons(read_squeue(lines).get("q", {}).values()) == reasons

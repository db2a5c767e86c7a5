"""The handshake with programs that log to the store themselves."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ablate.errors import UserError
from ablate.journal.mlflow_handshake import await_run_environment, provide_run_environment
from ablate.journal.run_journal import Journal
from ablate.journal.run_log import RunLog
from ablate.tracking import BackgroundDelivery, Project
from ablate.tracking.mlflow_backend.records import batches
from ablate.tracking.mlflow_backend.schema import LOGGED_PARAMS
from tests.samples.memory_tracker import MemoryTracker
from tests.samples.tracking import NoFailure, end, start


def test_the_environment_of_a_run_is_private_and_deleted_after_reading(tmp_path: Path) -> None:
    journal = tmp_path / "0123456789ab-feed-0.jsonl"
    provide_run_environment(journal, {"MLFLOW_TRACKING_URI": "https://user:secret@example.org"})
    (left,) = tmp_path.iterdir()
    assert left.stat().st_mode & 0o077 == 0
    assert await_run_environment(journal)["MLFLOW_TRACKING_URI"] == "https://user:secret@example.org"
    assert not list(tmp_path.iterdir())


def test_waiting_for_a_run_has_a_timeout(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="created no run"):
        await_run_environment(tmp_path / "x.jsonl", timeout=0.1)


def test_every_request_for_a_run_is_answered(tmp_path: Path) -> None:
    with Journal(tmp_path / "0123456789ab-feed-0.jsonl") as journal:
        start(journal)
        with BackgroundDelivery(MemoryTracker(), Project(tmp_path), NoFailure(), interval=0.02) as writer:
            writer.follow(journal.path)
            log = RunLog(journal)
            with ThreadPoolExecutor(1) as pool:
                for _ in range(2):  # a killed and continued run asks again
                    assert pool.submit(log.mlflow_environment).result(20)["MLFLOW_RUN_ID"]


def test_params_of_a_run_that_logs_directly_are_in_a_tag(tmp_path: Path) -> None:
    lines = []
    for wanted in (False, True):
        with Journal(tmp_path / f"0123456789ab-feed-{wanted:d}.jsonl") as journal:
            start(journal)
            if wanted:
                journal.write("wanted")
            end(journal)
        from ablate.journal.journal_lines import records

        lines.append(next(iter(batches(records(journal.path), 0))))
    assert lines[0].params["augment"] == "false"
    assert LOGGED_PARAMS not in lines[0].tags
    assert not lines[1].params
    assert '"augment": "false"' in lines[1].tags[LOGGED_PARAMS]

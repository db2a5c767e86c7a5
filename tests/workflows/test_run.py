"""What `ablate run` prints while it trains."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from ablate.journal.run_journal import Journals, load
from ablate.runs.runner import RunOptions
from ablate.tracking import JournalTracker
from ablate.workflows import run as module
from ablate.workflows.messages import run_row
from tests.samples import sweeps
from tests.samples.tracking import new_project, write_run


def test_a_wait_for_another_process_is_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = new_project(tmp_path)
    journals, made = Journals(project.journals), load(write_run(project))
    job = sweeps.planned(sweeps.study(seeds=1), journals)[0].job
    monkeypatch.setattr(module, "make_run", lambda *_: (made, False))

    def train() -> str:
        module.train_run(job, RunOptions(tmp_path), project, JournalTracker(project))
        return capsys.readouterr().err

    assert "is running already" not in train()
    with journals.lock(job.recipe.key, job.data.fingerprint):
        assert "baseline/s0 is running already (a process that has just started). Waiting for its" in train()


def test_the_start_of_a_run_is_shown_in_any_time_zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = load(write_run(new_project(tmp_path)))
    assert run is not None
    monkeypatch.setenv("TZ", "UTC+99")
    time.tzset()
    try:
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", run_row(run)["started"])
    finally:
        monkeypatch.undo()
        time.tzset()

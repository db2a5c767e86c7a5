"""What `ablate run` prints while it trains."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablate.journal.run_journal import Journals, load
from ablate.runs.runner import RunOptions
from ablate.tracking import JournalTracker
from ablate.workflows import run as module
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

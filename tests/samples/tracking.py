"""Journals like those of runs, and quickly created stores, for the tests of tracking."""

from __future__ import annotations

import atexit
import math
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ablate.journal.process_identity import this_process
from ablate.journal.run_journal import Journal
from ablate.tracking import MlflowTracker, Project, StoreError
from ablate.tracking.mlflow_backend import database

KEY = "0123456789ab"
DEAD = {**this_process(), "boot": "an earlier boot"}
ELSEWHERE = {**this_process(), "host": "another-host.example"}


class NoFailure:
    """An observer of deliveries that must not fail."""

    def delivery_failed(self, error: StoreError) -> None:
        raise AssertionError(error)

    def delivery_awaited(self) -> None:
        """A slow machine is no failure."""


def start(journal: Journal, **changes: Any) -> None:
    record = {
        "schema": 1,
        "run": journal.name,
        "variant": "no-augment",
        "key": KEY,
        "data": "feed",
        "data_name": "digits",
        "study": "ablate",
        "tags": {"purpose": "test"},
        "recipe": {"seed": 3, "workload": "resnet9"},
        "params": {"augment": False, "residual": True, "lr": 0.01, "dropout.p": 0.2, "optimizer": "adam", "seed": 3},
        "floor": 0.1,
        "conditions": {"device": "cpu", "precision": "bf16", "threads": 1},
        "environment": {"commit": "c0ffee", "dirty": True, "versions": {"python": "3.11", "torch": "2.14.1"}},
        "process": this_process(),
        **changes,
    }
    journal.write("start", **record)


def epoch(journal: Journal, number: int, steps: int = 5) -> None:
    if number:
        first = (number - 1) * steps + 1
        journal.write(
            "series", name="lr_step", first=first, values=[0.001 * step for step in range(first, first + steps)]
        )
    journal.write(
        "metrics", step=number, values={"train/loss": 1 / (number + 1), "grad_norm": math.nan if number else 0.5}
    )


def end(journal: Journal, status: str = "finished", **changes: Any) -> None:
    metrics = {"test/accuracy": 0.9, "time/total_s": 12.5}
    journal.write(
        "end", **{"status": status, "metrics": metrics, "params": {}, "error": None, "trace": None, **changes}
    )


def add_files(journal: Journal) -> None:
    journal.files.mkdir(parents=True)
    (journal.files / "recipe.json").write_text("{}\n")


def write_run(
    project: Project, name: str = f"{KEY}-feed-0", epochs: int = 3, status: str | None = "finished", **changes: Any
) -> Path:
    """Write the journal of a run, without an end if `status` is None."""
    with Journal(project.journals / f"{name}.jsonl") as journal:
        start(journal, key=name.partition("-")[0], **changes)
        for number in range(epochs + 1):
            epoch(journal, number)
        if status:
            add_files(journal)
            end(journal, status)
    return journal.path


def new_project(root: Path) -> Project:
    (root / "mlruns").mkdir(parents=True)
    return Project(root)


def mlflow_project(root: Path) -> Project:
    """Return a project with an empty store, a copy of one that is created once."""
    project = new_project(root)
    shutil.copyfile(empty_database(), project.database)
    return project


@cache
def empty_database() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="ablate-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "mlflow.db"
    MlflowTracker(f"sqlite:///{path}", folder / "artifacts").runs()
    return path


def copied_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make stores copy the empty database instead of creating its schema, which takes MLflow seconds."""
    source = empty_database()
    monkeypatch.setattr(database, "create_schema", lambda path, _artifacts: shutil.copyfile(source, path))

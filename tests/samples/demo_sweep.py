"""A sweep of the demo study, as the tests of the clusters compare it: four runs of four epochs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from ablate.journal.run_journal import Journals, Run
from tests import ROOT
from tests.samples.processes import start_program

SWEEP = ("sweep", str(ROOT / "experiments/demo.py"), "--seeds", "1", "--epochs", "4", "--threads", "1", "--offline")

PATIENCE = 900.0
"""Seconds after which a sweep counts as hung."""

Table = tuple[str, dict[str, object]]


def runs_in(folder: Path) -> list[Run]:
    """Return the runs of a project, complete or not."""
    journals = Journals(folder / "mlruns" / "journal")
    return [run for path in journals.paths() if (run := journals.read(path))]


def table(folder: Path) -> Table:
    """Return the effects of the report, and the history and the weights of each run, bit for bit."""
    runs = [run for run in runs_in(folder) if run.is_result]
    losses = {run.key: [row.get("train/loss") for row in run.history] for run in runs}
    weights = {run.key: (losses[run.key], run.metrics["test/loss"], run.params["weights_digest"]) for run in runs}
    return (folder / "reports" / "demo" / "effects.csv").read_text(), dict(weights)


def assert_made_once(folder: Path) -> None:
    """Assert that the project has one result for each of the four runs."""
    made = Counter(run.key for run in runs_in(folder) if run.is_result)
    assert set(made.values()) == {1}, "a run was made twice"
    assert len(made) == 4


def is_training(folder: Path) -> bool:
    """Return whether a run has completed an epoch."""
    journals = (folder / "mlruns" / "journal").glob("*.jsonl")
    return any(path.read_text().count('{"record": "metrics"') >= 2 for path in journals)


def serial_table(folder: Path) -> Table:
    """Return the table of a serial sweep, made in a folder."""
    program = start_program(*SWEEP, "--executor", "serial", folder=folder, fresh=True)
    _, errors = program.communicate(PATIENCE)
    assert program.returncode == 0, errors
    return table(folder)

"""A sweep of the demo study, as the tests of the clusters compare it: four runs of four epochs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from ablate.journal.run_journal import Journals, Run
from tests import ROOT
from tests.samples.processes import Program, start_program

SWEEP = ("sweep", str(ROOT / "experiments/demo.py"), "--seeds", "1", "--epochs", "4", "--threads", "1", "--offline")

PATIENCE = 900.0
"""Seconds after which a sweep counts as hung."""

Table = tuple[str, dict[str, object]]


def runs_in(folder: Path) -> list[Run]:
    """Return the runs of a project, complete or not."""
    journals = Journals(folder / "mlruns" / "journal")
    return [run for path in journals.paths() if (run := journals.read(path))]


def table(folder: Path) -> Table:
    """Return the effects of the report, and the history, the metrics and the weights of each run, bit for bit."""
    runs = [run for run in runs_in(folder) if run.is_result]
    histories = {run.key: [_without_durations(row) for row in run.history] for run in runs}
    weights = {
        run.key: (histories[run.key], _without_durations(run.metrics), run.params["weights_digest"]) for run in runs
    }
    return (folder / "reports" / "demo" / "effects.csv").read_text(), dict(weights)


def _without_durations(values: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if not name.startswith("time/") and name != "images_per_s"}


def assert_complete(program: Program, folder: Path, serial: Table) -> None:
    """Assert that a sweep with `--json` ends without a failed run, with the table of a serial sweep."""
    output, errors = program.communicate(PATIENCE)
    assert program.returncode == 0, errors
    assert json.loads(output)["failed"] == 0
    assert table(folder) == serial
    made = Counter(run.key for run in runs_in(folder) if run.is_result)
    assert set(made.values()) == {1}, "a run was made twice"
    assert len(made) == 4


def is_training(folder: Path) -> bool:
    """Return whether a run has completed an epoch."""
    journals = (folder / "mlruns" / "journal").glob("*.jsonl")
    return any(path.read_text().count('{"record": "metrics"') >= 2 for path in journals)


def serial_table(folder: Path, *options: str) -> Table:
    """Return the table of a serial sweep, made in a folder."""
    program = start_program(*SWEEP, *options, "--executor", "serial", folder=folder, fresh=True)
    _, errors = program.communicate(PATIENCE)
    assert program.returncode == 0, errors
    return table(folder)

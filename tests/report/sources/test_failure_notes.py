"""Notes that describe a failure of a run that counts as finished."""

from __future__ import annotations

from dataclasses import replace

import pytest

import ablate
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.mlflow_experiment import from_experiment
from tests.samples.external_store import EMPTY_RUN, Store


def cautions(column: str, note: str) -> list[str]:
    rows = [
        {"variant": variant, "seed": seed, "accuracy": accuracy + seed / 1000, column: note if seed == 1 else ""}
        for variant, accuracy in (("base", 0.9), ("x", 0.8731))
        for seed in range(3)
    ]
    found = ablate.compare(rows, metric="accuracy", baseline="base", margin=0.5).cautions
    return [text for text in found if "mentions a failure" in text]


@pytest.mark.parametrize(
    ("column", "note"),
    [
        ("comment", "CRASHED at epoch 3"),
        ("run_notes", "ran out of memory, score of the checkpoint"),
        ("Remarks", "loss was NaN, restarted"),
    ],
)
def test_a_note_on_a_failure_is_a_warning(column: str, note: str) -> None:
    [text] = cautions(column, note)
    assert text.startswith(f"{column} mentions a failure, {note!r} (base: seed 1, x: seed 1), and the runs count as ")


@pytest.mark.parametrize(
    ("column", "note"), [("comment", "no crash this time"), ("notes", "trained without any NaN"), ("cmd", "killed it")]
)
def test_other_notes_are_not(column: str, note: str) -> None:
    assert cautions(column, note) == []


def test_the_description_of_an_mlflow_run_is_a_note() -> None:
    runs = [
        replace(
            EMPTY_RUN,
            name=f"{arm}{seed}",
            variant=f"{arm}-s{seed}",
            params={"seed": seed},
            metrics={"val_acc": 0.9 + seed / 100},
            tags={"mlflow.note.content": "diverged, ignore this run"} if (arm, seed) == ("x", 1) else {},
        )
        for arm in ("base", "x")
        for seed in range(2)
    ]
    options = TableOptions(metric="val_acc", baseline="base")
    [text] = from_experiment("theirs", Store(runs), options).cautions  # type: ignore[arg-type]
    assert text.startswith(
        "The description of runs (mlflow.note.content) mentions a failure, 'diverged, ignore this run' (x: seed 1)"
    )

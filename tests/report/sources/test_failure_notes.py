"""Notes that describe a failure of a run that counts as finished."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

import ablate
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.external_study import study_of
from ablate.report.sources.readers.run_table import Curve, RunTable, table_of_rows
from tests.samples.external_store import EMPTY_RUN, Store, from_experiment


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


def test_a_loss_that_ended_as_nan_next_to_a_finite_score_is_a_warning() -> None:
    rows = [
        {"variant": arm, "seed": seed, "accuracy": 0.9 + seed / 100, "val_loss_epoch": loss, "psnr": "nan"}
        for arm, losses in {"base": (1.0, 1.1, None), "x": ("nan", "inf", 1.2)}.items()
        for seed, loss in enumerate(losses)
    ]
    found = ablate.compare(rows, metric="accuracy", baseline="base", margin=0.5)
    [text] = [text for text in found.cautions if "ended as" in text]
    assert text.startswith("val_loss_epoch ended as NaN or infinity (x: seeds 0 to 1), and the runs count as finished.")
    assert found.analysis.study.counts.statuses == {"finished": 6}


def test_the_end_of_a_curve_is_that_of_the_loss() -> None:
    curves = {
        f"{arm}-s{seed}": {
            "val_acc": Curve([1, 2], [0.8, 0.9]),
            "train/loss": Curve([1, 2], [2.0, math.nan if (arm, seed) == ("x", 1) else 1.0]),
        }
        for arm in ("base", "x")
        for seed in range(2)
    }
    table = table_of_rows({name: {"variant": name[:-3], "seed": name[-1]} for name in curves})
    for step in ("last", "best:val_acc", "1"):
        options = TableOptions(metric="val_acc", baseline="base", step=step)
        found = study_of("s", RunTable("the folder s", table, "run", histories=curves), options).cautions
        assert [text.partition(",")[0] for text in found if "ended as" in text] == [
            "train/loss ended as NaN or infinity (x: seed 1)"
        ]


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

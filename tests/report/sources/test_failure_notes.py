"""Notes that describe a failure of a run that counts as finished."""

from __future__ import annotations

import pytest

import ablate


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

"""The log of a run: which steps it takes, and that no invalid record reaches the journal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ablate.errors import UserError
from ablate.journal.journal_lines import records
from ablate.journal.run_journal import Journal
from ablate.journal.run_log import Diverged, Pruned, RunLog, integer_step
from tests.samples.tracking import start


@pytest.mark.parametrize("step", [1, 1.0, np.int64(1), np.uint8(1), np.float32(1), np.float64(1), np.array(1), True])
def test_whole_steps_are_integers(tmp_path: Path, step: Any) -> None:
    assert type(integer_step(step)) is int
    with Journal(tmp_path / "one.jsonl") as journal:
        start(journal)
        log = RunLog(journal)
        log(step, loss=np.float32(0.5))
        log(1, loss=0.7, other=1)
        log.series("lr", step, [0.5])
    assert log.history == [{"step": 1, "loss": 0.5, "other": 1.0}]
    assert RunLog(Journal(tmp_path / "one.jsonl")).history == log.history


@pytest.mark.parametrize("step", [0.5, np.float64(0.5), None, "1", 10**20, -(2**63), 1e300, float("nan"), [1], 1j])
def test_other_steps_are_refused_before_they_are_written(tmp_path: Path, step: Any) -> None:
    with Journal(tmp_path / "one.jsonl") as journal:
        start(journal)
        log = RunLog(journal)
        log(1, loss=1)
        for call in (lambda: log(step, loss=1), lambda: log.series("lr", step, [0.5])):
            with pytest.raises(UserError, match=r"called with step .*, which is not an integer") as caught:
                call()
            assert "\n" not in str(caught.value)
    assert [record["record"] for record in records(tmp_path / "one.jsonl")] == ["start", "metrics"]


def test_a_value_that_is_not_finite_is_known_to_a_resumed_run(tmp_path: Path) -> None:
    with Journal(tmp_path / "one.jsonl") as journal:
        start(journal)
        log = RunLog(journal)
        log(1, loss=1)
        assert log.diverged is None
        with pytest.raises(Diverged, match="loss is not finite after epoch 2"):
            log(2, loss=float("inf"))
        with pytest.raises(Diverged, match="loss is not finite after epoch 2"):
            RunLog(journal)(2, loss=1)
        log(3, loss=1)
        assert [log.diverged, RunLog(journal).diverged] == ["loss is not finite after epoch 2"] * 2
    assert [record["step"] for record in records(tmp_path / "one.jsonl")[1:]] == [1, 2, 3]


class Pruner:
    def progress(self, done: int, total: int) -> None:
        pass

    def recorded(self, step: int, metrics: Mapping[str, float]) -> None:
        if step == 2:
            raise Pruned("stopped after epoch 2")


def test_a_run_that_was_pruned_records_nothing_more(tmp_path: Path) -> None:
    with Journal(tmp_path / "one.jsonl") as journal:
        start(journal)
        log = RunLog(journal, Pruner())
        log(1, loss=1)
        assert log.pruned is None
        for step in (2, 3, 4):
            with pytest.raises(Pruned, match="stopped after epoch 2"):
                log(step, loss=1)
    assert log.pruned == "stopped after epoch 2"
    assert [row["step"] for row in log.history] == [1, 2]


@pytest.mark.parametrize(
    ("record", "fields"),
    [
        ("metrics", {"step": 0.5, "values": {}}),
        ("metrics", {"step": 1}),
        ("end", {"status": "lost"}),
        ("end", {"status": "finished", "metrics": {"a": 10**30}}),
        ("series", {"name": 1, "first": 1, "values": []}),
        ("start", {}),
    ],
)
def test_an_invalid_record_is_never_written(tmp_path: Path, record: str, fields: dict[str, Any]) -> None:
    with Journal(tmp_path / "one.jsonl") as journal:
        start(journal)
        with pytest.raises(ValueError, match=f"Invalid {record} record"):
            journal.write(record, **fields)
    assert len(records(tmp_path / "one.jsonl")) == 1

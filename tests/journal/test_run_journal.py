"""Run journals: complete lines, truncation after a crash, attempts and locks."""

from __future__ import annotations

import json
import math
import multiprocessing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.errors import UserError
from ablate.journal.journal_lines import records
from ablate.journal.process_identity import this_process
from ablate.journal.run_journal import Journal, Journals, load

KEY, DATA = "0123456789ab", "feedbeef0000"


def start(journal: Journal) -> None:
    journal.write(
        "start",
        variant="baseline",
        key=KEY,
        data=DATA,
        study="ablate",
        recipe={"seed": 3},
        params={"lr": 0.1},
        floor=0.1,
        conditions={"device": "cpu", "precision": "fp32", "threads": 1},
        environment={},
        process=this_process(),
    )


def written(folder: Path) -> Path:
    with Journals(folder).create(KEY, DATA) as journal:
        start(journal)
        journal.write("metrics", step=0, values={"loss": 2.0})
        journal.write("metrics", step=1, values={"loss": math.inf})
        journal.write("end", status="unstable", metrics={"taste": math.nan}, params={"digest": "x"})
    return journal.path


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    run = load(written(tmp_path))
    assert run is not None
    assert (run.status, run.seed, run.floor) == ("unstable", 3, 0.1)
    assert run.params == {"lr": 0.1, "digest": "x"}
    assert [row["step"] for row in run.history] == [0, 1]
    assert math.isnan(run.history[1]["loss"])
    assert math.isnan(run.metrics["taste"])
    assert all(json.loads(line) for line in run_lines(tmp_path))


def test_a_new_attempt_never_uses_the_file_of_another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journals = Journals(tmp_path)
    first = journals.create(KEY, DATA)
    monkeypatch.setattr(Journals, "attempts", lambda self, key, data: [])  # an outdated listing
    assert journals.create(KEY, DATA).path != first.path


@pytest.mark.parametrize(
    ("record", "fields"),
    [
        ("start", {"variant": "x"}),
        ("metrics", {"step": "1", "values": {}}),
        ("metrics", {"step": 1, "values": {"loss": "low"}}),
        ("series", {"name": "lr", "first": 1, "values": 3}),
        ("end", {"status": "perfect"}),
        ("resume", {"process": {"pid": 1}}),
    ],
)
def test_an_invalid_line_is_named(tmp_path: Path, record: str, fields: dict[str, Any]) -> None:
    path = written(tmp_path)
    path.write_bytes(path.read_bytes() + json.dumps({"record": record, "time": 1.0, **fields}).encode() + b"\n")
    with pytest.raises(UserError, match=r"line 5: field .*doctor --repair"):
        load(path)


def test_unknown_kinds_of_records_are_accepted(tmp_path: Path) -> None:
    path = written(tmp_path)
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], b'{"record": "note", "time": 1.0}', *lines[1:]]))
    assert load(path) is not None


def test_secrets_are_masked_as_they_are_written(tmp_path: Path) -> None:
    with Journals(tmp_path).create(KEY, DATA) as journal:
        journal.write("note", tags={"from": "https://me:hush@host.example/x"})
    assert b"hush" not in journal.path.read_bytes()
    assert b"https://me:***@host.example/x" in journal.path.read_bytes()


def run_lines(folder: Path) -> list[str]:
    return Journals(folder).paths()[0].read_text().splitlines()


@given(st.floats(0, 1))
@settings(max_examples=60)
def test_a_truncated_journal_loses_at_most_one_line(tmp_path_factory: pytest.TempPathFactory, share: float) -> None:
    path = written(tmp_path_factory.mktemp("cut"))
    content, whole = path.read_bytes(), records(path)
    cut = content[: round(share * len(content))]
    path.write_bytes(cut)
    assert records(path) == whole[: cut.count(b"\n")]
    assert (load(path) is None) == (not cut.count(b"\n"))
    kept, ended = [line["record"] for line in whole[: cut.count(b"\n")]], cut.count(b"\n") == len(whole)
    with Journal(path) as journal:  # continue after the crash
        if kept and not ended:
            journal.write("resume", process=this_process())
        elif not kept:
            start(journal)
    added = ["resume"] * (not ended) if kept else ["start"]
    assert [line["record"] for line in records(path)] == kept + added


def test_an_invalid_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / f"{KEY}-{DATA}-0.jsonl"
    path.write_text("hello\n")
    with pytest.raises(UserError, match=r"is not a valid journal"):
        records(path)


def test_attempts_are_counted(tmp_path: Path) -> None:
    journals = Journals(tmp_path)
    assert journals.attempts(KEY, DATA) == []
    for _ in range(12):
        with journals.create(KEY, DATA) as journal:
            start(journal)
    names = [path.stem.rpartition("-")[2] for path in journals.attempts(KEY, DATA)]
    assert names == [str(number) for number in range(12)]
    assert journals.index() == {(KEY, DATA): journals.attempts(KEY, DATA)}


def _hold(folder: str, ready: Any, release: Any) -> None:
    with Journals(Path(folder)).lock(KEY, DATA):
        ready.set()
        release.wait(30)


def test_a_lock_excludes_others_and_ends_with_its_process(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, release = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(str(tmp_path), ready, release))
    holder.start()
    assert ready.wait(30)
    journals = Journals(tmp_path)
    assert journals.is_locked(KEY, DATA)
    with pytest.raises(UserError, match="Another process runs"), journals.lock(KEY, DATA, timeout=0.1):
        pass
    holder.kill()
    holder.join()
    with journals.lock(KEY, DATA, timeout=5):
        assert not journals.is_locked("ba9876543210", DATA)

"""Journals that anything may have written: each is either a run that every command can use, or named as damaged."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from ablate.cli.app import app
from ablate.doctor import DoctorContext
from ablate.doctor.leftovers import check_journals, leftovers
from ablate.errors import UserError
from ablate.journal import journal_lines
from ablate.journal.journal_lines import DamagedJournalError, NewerJournalError, records
from ablate.journal.run_journal import Journals, Run, load
from ablate.tracking import JournalTracker
from ablate.tracking.mlflow_backend.records import batches, merged_batches, start_tags
from ablate.workflows.messages import describe_progress, run_row
from tests.samples.damage import mutated
from tests.samples.tracking import KEY, new_project, write_run

NAME = f"{KEY}-feed-0.jsonl"


def use(run: Run, path: Path) -> None:
    """Use every field of a run as the commands do."""
    lines = records(path)
    sent = [point for batch in merged_batches(batches(lines, 0)) for point in batch.points]
    assert len({(name, step) for name, _, _, step in sent}) == len(sent), "no value is delivered twice"
    assert all(isinstance(text, str) for text in start_tags(lines[0], path.stem).values())
    shown = {(name, row["step"]): value for row in run.history for name, value in row.items() if name != "step"}
    delivered = {(name, step): value for name, value, _, step in sent}
    assert all(math.isnan(value) or delivered[key] == value for key, value in shown.items()), "both take the first one"
    for text in (*map(str, run_row(run).values()), describe_progress(run, "x")):
        text.encode()
    assert f"{run.variant}{run.study}{run.process['host']}".isprintable()


def check_mutation(folder: Path, seed: int) -> None:
    project = new_project(folder)
    path = write_run(project)
    path.write_bytes(mutated(path.read_bytes(), random.Random(seed)))
    before = path.read_bytes()
    journals = Journals(project.journals)
    run = journals.read(path)
    assert all(str(error).isprintable() for error in journals.damaged.values())
    assert len(JournalTracker(project).runs()) == (run is not None)
    if run:
        use(run, path)
    assert path.read_bytes() == before


@given(st.integers(0, 2**32))
@settings(max_examples=60)
def test_a_changed_journal_is_a_run_or_is_named(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    check_mutation(tmp_path_factory.mktemp("journal"), seed)


@pytest.mark.slow
def test_thousands_of_changed_journals(tmp_path_factory: pytest.TempPathFactory) -> None:
    for seed in range(5000):
        check_mutation(tmp_path_factory.mktemp("journal"), seed)


def changed_line(number: int, **changes: Any) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        lines = path.read_bytes().splitlines()
        lines[number] = json.dumps({**json.loads(lines[number]), **changes}).encode()
        path.write_bytes(b"\n".join(lines) + b"\n")

    return change


def reordered(order: Callable[[list[bytes]], list[bytes]]) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(b"".join(order(path.read_bytes().splitlines(keepends=True)))) and None


def replaced(old: bytes, new: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(path.read_bytes().replace(old, new, 1)) and None


def linked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def as_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = [
    (changed_line(0, metric="accuracy"), "line 1: field 'metric' is missing or invalid"),
    (changed_line(0, conditions={"precision": "fp32", "threads": 1}), "line 1: field 'conditions'"),
    (changed_line(0, params={"%s": 1}), "line 1: field 'params'"),
    (changed_line(0, variant="a\x1b[2J"), "line 1: field 'variant'"),
    (changed_line(0, study="a\nb"), "line 1: field 'study'"),
    (changed_line(0, key="ffffffffffff"), "line 1: the file name belongs to another recipe"),
    (changed_line(1, values={"../loss": 1.0}), "line 2: field 'values'"),
    (changed_line(0, process={"host": "a", "boot": "b", "pid": 1}), "line 1: field 'process'"),
    (changed_line(1, time=10**400), "line 2: not a record"),
    (reordered(lambda lines: lines[1:]), "line 1: the start of the run is missing"),
    (reordered(lambda lines: [*lines[1:], lines[0]]), "line 1: the start of the run is missing"),
    (reordered(lambda lines: [lines[0], lines[-1], *lines[1:-1]]), "line 3: a record after the end of the run"),
    (reordered(lambda lines: [lines[0], lines[0].replace(b'"pid": ', b'"pid": 1'), *lines[1:]]), "a second start"),
    (reordered(lambda lines: [b'{"record": NaN}\n', *lines]), "line 1: NaN is not a number of JSON"),
    (replaced(b'"feed"', b'"f\xed\xa0\x80"'), "line 1: 'utf-8' codec can't decode"),  # half of a surrogate pair
    (replaced(b'"seed": ', b'"seed": ' + b"1" * 5000), "line 1: a number with thousands of digits"),
    (linked, "a symbolic link"),
    (as_pipe, "not a regular file"),
    (as_folder, "not a regular file"),
]


@pytest.mark.parametrize(("damage", "reason"), DAMAGES)
def test_the_reason_is_named(tmp_path: Path, damage: Callable[[Path], None], reason: str) -> None:
    project = new_project(tmp_path)
    path = write_run(project)
    damage(path)
    journals = Journals(project.journals)
    assert journals.read(path) is None
    assert reason in journals.damaged[path].reason
    assert str(journals.damaged[path]).endswith("`ablate doctor --repair` moves it aside")


def test_an_endless_line_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_lines, "LONGEST_LINE", 2**20)
    with (tmp_path / NAME).open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(DamagedJournalError, match="line 1 is longer than 1 MiB"):
        load(tmp_path / NAME)


def test_a_journal_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = write_run(new_project(tmp_path))
    changed_line(0, schema=2)(path)
    with pytest.raises(NewerJournalError, match=r"newer version of ablate \(schema 2\). Upgrade"):
        load(path)


def with_carriage_returns(lines: list[bytes]) -> list[bytes]:
    return [line.replace(b"\n", b"\r\n") for line in lines]


@pytest.mark.parametrize("order", [lambda lines: [*lines, *lines], with_carriage_returns])
def test_repeated_lines_and_other_line_breaks_change_nothing(
    tmp_path: Path, order: Callable[[list[bytes]], list[bytes]]
) -> None:
    path = write_run(new_project(tmp_path))
    whole = records(path)
    reordered(order)(path)
    assert records(path) == whole


def test_a_copy_under_another_name_is_no_second_run(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    original = write_run(project)
    copied = shutil.copy(original, original.with_name(f"{KEY}-feed-1.jsonl"))
    other = write_run(project, f"{KEY}-feed-2", run=original.stem)  # of another machine, imported under a new name
    with pytest.raises(DamagedJournalError, match=f"a copy of {original.name}"):
        records(copied)
    assert records(other)[0]["run"] == original.stem
    tracker = JournalTracker(project)
    assert {run.name for run in tracker.runs()} == {original.stem, other.stem}
    assert [error.path for error in tracker.damaged()] == [copied]
    original.unlink()
    assert records(copied)[0]["run"] == original.stem, "the only one left"


def test_a_run_that_had_ended_when_it_was_closed_as_killed_has_its_result(tmp_path: Path) -> None:
    path = write_run(new_project(tmp_path))
    end = json.dumps({"record": "end", "time": 2e9, "status": "killed", "error": "its process is gone"})
    path.write_bytes(path.read_bytes() + end.encode() + b"\n")
    run = load(path)
    assert run is not None
    assert run.status == "finished"


@pytest.mark.parametrize("name", ["../x", "a/b", "..", "", "a\nb"])
def test_names_of_runs_stay_in_the_folder(tmp_path: Path, name: str) -> None:
    journals = Journals(tmp_path / "journal")
    with pytest.raises(UserError, match="Invalid name of a run"):
        journals.path(name)
    with pytest.raises(UserError, match="Invalid key"), journals.lock(f"../{name}", "feed"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_commands_continue_without_a_damaged_journal_and_name_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = new_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    path = write_run(store)
    write_run(store, "ba9876543210-feed-0", variant="other")
    changed_line(0, metric="accuracy")(path)
    damaged = path.read_bytes()
    listed = CliRunner().invoke(app, ["list", "--json", "--offline"])
    assert [run["run"] for run in json.loads(listed.stdout)] == ["other/s3"]
    assert listed.stderr.count(path.name) == 1
    assert listed.stderr.count("\n") == 1
    (finding,) = check_journals(DoctorContext(store))
    assert finding.text.startswith(f"1 journal damaged: {path.name} (line 1: field 'metric'")
    assert path.read_bytes() == damaged


def test_a_journal_without_line_breaks_is_not_removed(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    path = write_run(project)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r"))
    os.utime(path, (1e9, 1e9))
    found = {leftover.path: leftover.may_be_valuable for leftover in leftovers(DoctorContext(project))}
    assert found[path]

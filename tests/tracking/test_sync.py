"""Runs recorded elsewhere are imported completely and once, also after interruptions."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import time
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from ablate.cli.app import app
from ablate.errors import UserError
from ablate.journal.run_journal import Journal, Journals, load
from ablate.tracking import (
    JournalTracker,
    Project,
    StudyJournals,
    StudyRecord,
    SyncResult,
    deliver_study,
    open_tracker,
    sync_journals,
)
from tests import ROOT
from tests.samples.processes import Program, start_program
from tests.samples.report import record_of, small_study, write_runs
from tests.samples.tracking import ELSEWHERE, KEY, end, epoch, mlflow_project, new_project, start, write_run

REPORTS = ROOT / "reports"


@pytest.fixture(autouse=True)
def _own_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def import_from(source: Path | Project | None, project: Project) -> SyncResult:
    """Sync without MLflow."""
    folder = source.root if isinstance(source, Project) else source
    result = sync_journals(folder, project, JournalTracker(project))
    assert result.refused == []
    return result


def counts(result: SyncResult) -> tuple[int, int, int, int]:
    return len(result.new), len(result.known), len(result.running), len(result.damaged)


def content(project: Project) -> dict[str, bytes]:
    """Return every file of the project, without locks and receipts."""
    return {
        str(path.relative_to(project.root)): path.read_bytes()
        for path in sorted(project.root.rglob("*"))
        if path.is_file() and path.suffix not in (".lock", ".delivered")
    }


def test_runs_and_their_files_are_imported_once(there: Project, here: Project) -> None:
    write_run(there)
    write_run(there, "ba9876543210-feed-0", status="failed")
    assert counts(import_from(there, here)) == (2, 0, 0, 0)
    first = content(here)
    assert first["mlruns/journal/0123456789ab-feed-0.files/recipe.json"] == b"{}\n"
    assert counts(import_from(there, here)) == (0, 2, 0, 0)
    assert content(here) == first


@pytest.mark.parametrize("place", ["", "mlruns", "mlruns/journal"])
def test_any_folder_with_journals_is_accepted(there: Project, here: Project, place: str) -> None:
    write_run(there)
    assert counts(import_from(there.root / place, here)) == (1, 0, 0, 0)


def test_a_folder_without_journals_is_an_error(tmp_path: Path, here: Project) -> None:
    with pytest.raises(UserError, match="No journals in"):
        import_from(tmp_path, here)


def test_a_run_that_was_continued_there_is_extended_here(there: Project, here: Project) -> None:
    with Journal(there.journals / f"{KEY}-feed-0.jsonl") as journal:
        start(journal, process=ELSEWHERE)
        epoch(journal, 0)
        assert counts(import_from(there, here)) == (0, 0, 1, 0)
        epoch(journal, 1)
        end(journal)
    assert counts(import_from(there, here)) == (1, 0, 0, 0)
    copy = here.journals / journal.path.name
    assert copy.read_bytes() == journal.path.read_bytes()
    assert counts(import_from(there, here)) == (0, 1, 0, 0)


def test_runs_of_two_machines_may_have_the_same_name(there: Project, here: Project) -> None:
    write_run(there, tags={"by": "anna"})
    write_run(here, tags={"by": "bert"})
    assert counts(import_from(there, here)) == (1, 0, 0, 0)
    runs = [load(path) for path in Journals(here.journals).paths()]
    assert [(run.name[-1], run.tags["by"]) for run in runs if run] == [("0", "bert"), ("1", "anna")]
    assert counts(import_from(there, here)) == (0, 1, 0, 0)
    assert counts(import_from(here, there)) == (1, 1, 0, 0), "in the other direction its own run is known"
    assert counts(import_from(here, there)) == (0, 2, 0, 0)


@given(cut=st.integers(1, 5000), repeats=st.integers(1, 2))
@settings(max_examples=25)
def test_a_truncated_journal_loses_at_most_one_line_and_is_completed_later(
    tmp_path_factory: pytest.TempPathFactory, cut: int, repeats: int
) -> None:
    root = tmp_path_factory.mktemp("cut")
    there, here = new_project(root / "there"), new_project(root / "here")
    path = write_run(there, process=ELSEWHERE)
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    lines = whole[:cut].count(b"\n")
    for _ in range(repeats):
        result = import_from(there, here)
    if lines == 0:
        assert counts(result)[3] == 1
        assert Journals(here.journals).paths() == []
    else:
        assert (here.journals / path.name).read_bytes() == b"".join(whole.splitlines(keepends=True)[:lines])
    path.write_bytes(whole)
    assert len(import_from(there, here).damaged) == 0
    assert (here.journals / path.name).read_bytes() == whole


@pytest.mark.parametrize("damage", ["hello\n", '{"record": "start", "time": 1}\n', '[]\n{"record": 1}\n', "\0\0\0\n"])
def test_a_damaged_journal_is_skipped_by_name(there: Project, here: Project, damage: str) -> None:
    write_run(there)
    bad = there.journals / "ba9876543210-feed-0.jsonl"
    bad.write_text(damage)
    result = import_from(there, here)
    assert counts(result) == (1, 0, 0, 1)
    assert list(result.damaged) == [bad.name]


def test_a_journal_with_the_name_of_another_recipe_is_skipped(there: Project, here: Project) -> None:
    write_run(there).rename(there.journals / "ba9876543210-feed-0.jsonl")
    assert counts(import_from(there, here)) == (0, 0, 0, 1)


def test_a_study_is_imported_with_the_local_names_of_its_runs(there: Project, here: Project) -> None:
    study = small_study(seeds=2)
    write_runs(study, there.journals)
    StudyJournals(there.studies).open(record_of(study))
    StudyJournals(there.studies).close("small", "finished")
    twin, other = record_of(study).planned_runs[:2]
    write_run(here, f"{twin.run}", variant="baseline", study="small")
    result = import_from(there, here)
    assert (counts(result), result.studies) == ((10, 0, 0, 0), ["small"])
    found = JournalTracker(here).study("small")
    assert found.status == "finished"
    assert [planned.run for planned in found.planned_runs[:2]] == [f"{twin.key}-feed-1", other.run]
    assert import_from(there, here).studies == []
    assert JournalTracker(here).study("small") == found


def test_a_report_on_imported_runs_has_the_same_numbers(
    tmp_path: Path, here: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report of a real study, from its committed journals, as a reader with a clone would write it."""
    monkeypatch.chdir(here.root)
    assert "48 new" in call("sync", str(REPORTS / "example"), "--offline")
    call("report", "example", "--offline")
    for name in ("runs.csv", "effects.csv"):
        made, kept = here.reports / "example" / name, REPORTS / "example" / name
        pd.testing.assert_frame_equal(pd.read_csv(made), pd.read_csv(kept), check_exact=False, rtol=1e-9)


def call(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.output
    return result.output


def test_everything_reaches_the_store_once(tmp_path: Path, there: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project = mlflow_project(tmp_path / "project")
    monkeypatch.chdir(project.root)
    study = small_study(seeds=1)
    write_runs(study, there.journals)
    StudyJournals(there.studies).open(record_of(study))
    write_run(there, status=None, process=ELSEWHERE)
    facts = json.loads(call("sync", str(there.root), "--json"))
    wanted = {"new": 5, "already_there": 0, "running": 1, "damaged": {}, "studies": ["small"]}
    assert {name: facts[name] for name in wanted} == wanted
    tracker = open_tracker(project)
    assert sorted(run.status for run in tracker.runs()) == ["finished"] * 5 + ["running"], "its host is another one"
    assert [run.study for run in tracker.runs("small")] == ["small"] * 5
    before = [tracker.identifier(run) for run in tracker.runs()]
    for arguments in ((), (str(there.root),), (str(project.root),)):
        facts = json.loads(call("sync", *arguments, "--json"))
        assert (facts["new"], facts["already_there"], facts["running"], facts["studies"]) == (0, 5, 1, [])
    assert [tracker.identifier(run) for run in tracker.runs()] == before
    assert "another-host.example" in call("sync")


def test_runs_of_two_machines_with_one_name_are_two_runs_in_the_store(tmp_path: Path) -> None:
    """Both deliver to the same store."""
    store = mlflow_project(tmp_path / "store")
    trackers = []
    for name in ("anna", "bert"):
        project = new_project(tmp_path / name)
        tracker = open_tracker(project, f"sqlite:///{store.database}")
        tracker.deliver(write_run(project, tags={"by": name}))
        trackers.append((tracker, project))
        time.sleep(0.002)
    tracker, project = trackers[0]
    runs = tracker.runs()
    assert [run.tags["by"] for run in runs] == ["anna", "bert"]
    assert len({tracker.identifier(run) for run in runs}) == 2
    for tracker, project in trackers:
        run = load(project.journals / f"{KEY}-feed-0.jsonl")
        assert run
        assert [tracker.find(tracker.identifier(run)).tags] == [run.tags]


SYNC = """
import sys
from pathlib import Path
from ablate.tracking import JournalTracker, Project, open_tracker, sync_journals
project = Project(Path(sys.argv[2]))
tracker = open_tracker(project) if sys.argv[3] == "mlflow" else JournalTracker(project)
result = sync_journals(Path(sys.argv[1]), project, tracker)
print(len(result.new), len(result.known))
"""


def in_a_process(there: Project, here: Project, kind: str = "journals") -> Program:
    return start_program(str(there.root), str(here.root), kind, code=SYNC, folder=here.root)


def test_concurrent_syncs_import_everything_once(tmp_path: Path, there: Project) -> None:
    here = mlflow_project(tmp_path / "project")
    for number in range(6):
        write_run(there, f"{number}{KEY[1:]}-feed-0", epochs=1)
    StudyJournals(there.studies).open(record_of(small_study(seeds=1)))
    answers = [process.communicate()[0] for process in [in_a_process(there, here, "mlflow") for _ in "ab"]]
    assert all(sum(map(int, answer.split())) == 6 for answer in answers), answers
    with contextlib.closing(sqlite3.connect(here.database)) as store:
        assert store.execute("select count(*) from runs").fetchone() == (7,), "six runs and one study"
    runs = open_tracker(here).runs()
    assert sorted(run.key for run in runs) == sorted(f"{number}{KEY[1:]}" for number in range(6))


def kill_syncs(there: Project, here: Project, moments: list[float]) -> None:
    """Kill syncs `moments` seconds after their first file; the next sync completes the import."""
    for moment in moments:
        shutil.rmtree(here.mlruns)
        here.mlruns.mkdir()
        process = in_a_process(there, here)
        while process.poll() is None and not here.journals.is_dir():
            time.sleep(0.001)
        time.sleep(moment)
        process.kill_all()
        for path in Journals(here.journals).paths():
            assert path.read_bytes() == (there.journals / path.name).read_bytes(), "complete or absent"
        assert import_from(there, here).damaged == {}
        wanted = content(there)
        assert {name: data for name, data in content(here).items() if ".new" not in name} == wanted


def test_a_killed_sync_is_completed_by_the_next(there: Project, here: Project) -> None:
    for number in range(200):
        write_run(there, f"{number:03}{KEY[3:]}-feed-0", epochs=1)
    kill_syncs(there, here, [0.02])


@pytest.mark.slow
def test_syncs_killed_at_any_time_are_completed_by_the_next(there: Project, here: Project) -> None:
    for number in range(200):
        write_run(there, f"{number:03}{KEY[3:]}-feed-0", epochs=1)
    kill_syncs(there, here, [0.005 * number for number in range(30)])


def test_an_imported_open_run_is_not_changed_by_a_local_run_of_its_recipe(here: Project) -> None:
    from ablate.runs.runner import RunOptions, make_run
    from tests.runs.test_runner import job

    made, _ = make_run(job(), Journals(here.journals), RunOptions(here.root))
    path = here.journals / f"{made.name}.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()][:2]
    lines[0]["process"] = ELSEWHERE
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    imported = path.read_bytes()
    again, is_new = make_run(job(), Journals(here.journals), RunOptions(here.root))
    assert is_new
    assert again.name != made.name
    assert path.read_bytes() == imported
    assert again.metrics["taste"] == made.metrics["taste"]


def test_a_study_whose_plan_the_store_refused_is_delivered_again(tmp_path: Path) -> None:
    project = mlflow_project(tmp_path)
    studies = StudyJournals(project.studies)
    studies.open(StudyRecord("widths", "How wide?", {}, []))
    tracker = open_tracker(project)
    assert deliver_study(tracker, studies, "widths")
    (plan,) = project.artifacts.rglob("plan.json")
    plan.unlink()
    with pytest.raises(UserError, match="`ablate sync` delivers it again"):
        tracker.study("widths")
    studies.close("widths", "finished")
    assert deliver_study(tracker, studies, "widths")
    assert tracker.study("widths").status == "finished"

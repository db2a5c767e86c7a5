"""The contract of trackers: MLflow, journals only, and memory."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import mlflow
import pytest

from ablate.errors import UserError
from ablate.journal.process_identity import this_process
from ablate.journal.run_journal import Journal, Run, load
from ablate.tracking import (
    JournalTracker,
    MlflowTracker,
    PlanEntry,
    Project,
    StudyJournals,
    StudyRecord,
    Tracker,
    open_tracker,
)
from ablate.tracking.mlflow_backend.records import milliseconds
from tests.samples.memory_tracker import MemoryTracker
from tests.samples.tracking import (
    DEAD,
    ELSEWHERE,
    KEY,
    add_files,
    end,
    epoch,
    mlflow_project,
    new_project,
    start,
    write_run,
)


@pytest.fixture(params=["mlflow", "memory", "journals"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def project(kind: str, tmp_path: Path) -> Project:
    return mlflow_project(tmp_path / "project") if kind == "mlflow" else new_project(tmp_path / "project")


@pytest.fixture
def tracker(kind: str, project: Project, monkeypatch: pytest.MonkeyPatch) -> Tracker:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    if kind == "journals":
        return JournalTracker(project)
    return open_tracker(project) if kind == "mlflow" else MemoryTracker()


def as_shown(run: Run) -> dict[str, object]:
    """Return a run as comparable values: times in milliseconds, NaN as text."""
    ended = run.ended and milliseconds(run.ended) / 1000  # round(..., 3) differs for one of 8,000 times
    facts = replace(run, started=milliseconds(run.started) / 1000, ended=ended)
    return {name: repr(value) if name != "history" else rows(value) for name, value in vars(facts).items()}


def rows(history: tuple[Mapping[str, float], ...]) -> list[list[str]]:
    return [sorted(f"{name} {value!r}" for name, value in row.items() if name != "step") for row in history]


def journalled(path: Path) -> Run:
    run = load(path)
    assert run
    return run


@pytest.mark.parametrize("status", ["finished", "unstable", "failed", "out_of_memory", "killed", "pruned"])
def test_a_delivered_run_equals_its_journal(tracker: Tracker, project: Project, status: str) -> None:
    path = write_run(project, status=status)
    assert tracker.deliver(path)
    assert as_shown(tracker.find(KEY)) == as_shown(journalled(path))
    assert as_shown(replace(tracker.runs()[0], history=tracker.history(tracker.runs()[0]))) == as_shown(
        journalled(path)
    )


def test_an_open_run_is_readable(tracker: Tracker, project: Project) -> None:
    path = write_run(project, epochs=2, status=None)
    tracker.deliver(path)
    tracker.heartbeat(path)
    run = tracker.find(KEY)
    assert (run.status, run.ended, len(run.history)) == ("running", None, 3)


def test_another_program_gets_the_environment_of_its_run(tracker: Tracker, project: Project, kind: str) -> None:
    identifier = tracker.deliver(write_run(project, epochs=1, status=None))
    assert identifier
    address = tracker.run_environment(identifier)
    assert address["MLFLOW_RUN_ID"] == identifier
    assert (kind == "mlflow") is ("MLFLOW_TRACKING_URI" in address) is ("MLFLOW_EXPERIMENT_ID" in address)


def test_a_journal_without_a_complete_line_has_no_run(tracker: Tracker, project: Project) -> None:
    project.journals.mkdir(parents=True)
    path = project.journals / f"{KEY}-feed-0.jsonl"
    path.write_bytes(b"")
    assert tracker.deliver(path) is None
    assert tracker.runs() == []


def test_an_incomplete_line_is_delivered_once_it_is_complete(tracker: Tracker, project: Project) -> None:
    path = write_run(project, epochs=2)
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    tracker.deliver(path)
    assert tracker.find(KEY).status == "running"
    path.write_bytes(whole)
    tracker.deliver(path)
    assert as_shown(tracker.find(KEY)) == as_shown(journalled(path))


def test_a_journal_that_changed_without_new_records_is_delivered(tracker: Tracker, project: Project) -> None:
    path = write_run(project)
    tracker.deliver(path)
    first, second, *others = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([first, second, second, *others]))
    for _ in range(2):
        tracker.deliver(path)
        assert tracker.undelivered([path]) == tracker.lost([path]) == []
        os.utime(path, (1e9, 1e9))
    assert as_shown(tracker.find(KEY)) == as_shown(journalled(path))


def test_a_resumed_run_stays_the_same_run(tracker: Tracker, project: Project) -> None:
    with Journal(project.journals / f"{KEY}-feed-0.jsonl") as journal:
        start(journal, process=DEAD)
        epoch(journal, 0)
        epoch(journal, 1)
        first = tracker.deliver(journal.path)
        assert tracker.find(KEY).status == "killed"
        journal.write("resume", process=this_process())
        epoch(journal, 2)
        assert tracker.deliver(journal.path) == first
        assert tracker.find(KEY).status == "running"
        end(journal)
    assert tracker.deliver(journal.path) == first
    assert as_shown(tracker.find(KEY)) == as_shown(journalled(journal.path))


def test_an_interrupted_and_continued_run_has_its_final_status(tracker: Tracker, project: Project) -> None:
    path = write_run(project, epochs=1, status="killed")
    first = tracker.deliver(path)
    time.sleep(0.002)  # the store counts in milliseconds
    with Journal(path) as journal:
        journal.write("resume", process=this_process())
        assert tracker.deliver(path) == first
        assert tracker.find(KEY).status == "running"
        epoch(journal, 2)
        end(journal, metrics={"test/accuracy": 0.95, "time/total_s": 20.0})
    tracker.deliver(path)
    run = tracker.find(KEY)
    assert (run.status, len(run.history)) == ("finished", 3)
    assert run.metrics == {"test/accuracy": 0.95, "time/total_s": 20.0}


def test_runs_are_listed_by_experiment_oldest_first(tracker: Tracker, project: Project) -> None:
    for number, study in enumerate(["ablate", "widths", "ablate"]):
        tracker.deliver(write_run(project, f"{number}{KEY[1:]}-feed-0", study=study))
        time.sleep(0.002)
    assert [run.key[0] for run in tracker.runs()] == ["0", "1", "2"]
    assert [run.key[0] for run in tracker.runs("ablate")] == ["0", "2"]
    assert tracker.runs("nothing of that name") == []
    assert {run.study for run in tracker.runs()} <= set(tracker.experiments())


def test_a_run_is_found_by_each_of_its_names(tracker: Tracker, project: Project) -> None:
    path = write_run(project)
    identifier = tracker.deliver(path)
    assert identifier
    other = write_run(project, "ba9876543210-feed-0")
    tracker.deliver(other)
    for text in (identifier, identifier[:10], path.stem, KEY, KEY[:6]):
        assert tracker.find(text).name == path.stem
    assert tracker.find("no-augment/s3").name == other.stem, "the newest run of that title"
    assert tracker.identifier(tracker.find(KEY)) == identifier


@pytest.mark.parametrize("text", ["nothing", "baseline/s0", "it's", "%", "'; --", "", "_"])
def test_an_unknown_run_is_an_error_with_the_newest_runs(tracker: Tracker, project: Project, text: str) -> None:
    write = write_run(project)
    tracker.deliver(write)
    tracker.deliver(write_run(project, "ba9876543210-feed-0"))
    with pytest.raises(UserError, match=r"no-augment/s3"):
        tracker.find(text)


def test_an_ambiguous_name_is_an_error_with_the_candidates(tracker: Tracker, project: Project) -> None:
    for attempt in range(2):
        tracker.deliver(write_run(project, f"{KEY}-feed-{attempt}"))
    with pytest.raises(UserError, match="matches 2 runs"):
        tracker.find(KEY)
    assert tracker.find(f"{KEY}-feed-1").name == f"{KEY}-feed-1"


def test_an_artifact_is_readable(tracker: Tracker, project: Project) -> None:
    tracker.deliver(write_run(project))
    run = tracker.find(KEY)
    assert tracker.artifact(run, "recipe.json").read_text() == "{}\n"
    assert tracker.artifact_uri(run).startswith("file://")
    for name in ("weights.pth", "recipe.json/../../secret"):
        with pytest.raises(UserError, match=r"Known: recipe\.json"):
            tracker.artifact(run, name)


def test_artifacts_of_many_runs_skip_runs_without_them(tracker: Tracker, project: Project) -> None:
    for number, status in enumerate(("finished", "finished", None)):
        tracker.deliver(write_run(project, f"{KEY}-feed-{number}", status=status))
    found = tracker.artifacts(tracker.runs(), "recipe.json")
    assert {name: path.read_text() for name, path in found.items()} == {f"{KEY}-feed-{n}": "{}\n" for n in (0, 1)}
    assert tracker.artifacts(tracker.runs(), "weights.pth") == {}


def test_a_deleted_run_is_unknown(tracker: Tracker, project: Project) -> None:
    tracker.deliver(write_run(project))
    run = tracker.find(KEY)
    tracker.delete(run)
    assert tracker.runs() == []
    with pytest.raises(UserError, match="ablate sync"):
        tracker.identifier(run)


def test_only_runs_whose_process_is_gone_are_closed_as_killed(tracker: Tracker, project: Project) -> None:
    dead = write_run(project, f"d{KEY[1:]}-feed-0", status=None, process=DEAD)
    alive = write_run(project, f"a{KEY[1:]}-feed-0", status=None)
    foreign = write_run(project, f"f{KEY[1:]}-feed-0", status=None, process=ELSEWHERE)
    tracker.deliver(alive)
    tracker.deliver(foreign)
    assert tracker.close_orphans([dead, alive]) == [dead.stem]
    assert {run.key[0]: run.status for run in tracker.runs()} == {"d": "killed", "a": "running", "f": "running"}
    assert tracker.close_orphans([dead, alive]) == []


def test_silent_runs_of_other_hosts_are_orphans(tracker: Tracker, project: Project) -> None:
    tracker.deliver(write_run(project, status=None))
    tracker.deliver(write_run(project, f"f{KEY[1:]}-feed-0", status=None, process=ELSEWHERE))
    time.sleep(1.1)  # heartbeats have a resolution of one second
    assert tracker.orphans(900) == []
    (silent,) = tracker.orphans(0)
    assert silent.key[0] == "f"
    tracker.close_as_killed(silent)
    assert tracker.find(silent.key).status == "killed"
    assert tracker.orphans(0) == []


STUDY = StudyRecord(
    name="widths",
    question="Does width matter?",
    declared={"metric": "test_accuracy", "margin": 0.5, "seeds": [0, 1]},
    planned_runs=(PlanEntry(KEY, "feed", "baseline", 0), PlanEntry("ba9876543210", "feed", "no-augment", 3)),
)


def test_a_study_equals_its_record(tracker: Tracker) -> None:
    first = tracker.open_study(STUDY)
    assert tracker.study("widths") == STUDY
    tracker.close_study("widths", "killed")
    assert tracker.study("widths").status == "killed"
    answered = replace(STUDY, planned_runs=(replace(STUDY.planned_runs[0], run=f"{KEY}-feed-0"), STUDY.planned_runs[1]))
    assert tracker.open_study(answered) == first
    assert tracker.study("widths") == answered
    assert tracker.runs() == tracker.runs("widths") == []


def test_a_study_keeps_earlier_declarations(tracker: Tracker) -> None:
    tracker.open_study(STUDY)
    changed = replace(STUDY, declared={**STUDY.declared, "margin": 2.0})
    tracker.open_study(changed)
    tracker.open_study(changed)
    found = tracker.study("widths")
    assert (found.declared["margin"], [declared["margin"] for declared in found.earlier]) == (2.0, [0.5])


def test_a_study_keeps_the_time_of_its_first_record(tracker: Tracker) -> None:
    for since, margin in ((50.0, 0.5), (90.0, 0.5), (70.0, 2.0), (0.0, 3.0)):
        tracker.open_study(replace(STUDY, since=since, declared={**STUDY.declared, "margin": margin}))
        assert tracker.study("widths").since == 50.0


def test_the_studies_are_listed(tracker: Tracker) -> None:
    assert list(tracker.studies()) == []
    tracker.open_study(STUDY)
    tracker.open_study(replace(STUDY, name="second"))
    assert sorted(tracker.studies()) == sorted([STUDY.name, "second"])


def test_an_unknown_study_is_an_error_with_the_known_ones(tracker: Tracker, tmp_path: Path) -> None:
    tracker.open_study(STUDY)
    with pytest.raises(UserError, match=r"Unknown study 'depths'.*widths"):
        tracker.study("depths")
    with pytest.raises(UserError, match=r"Unknown study 'depths'.*widths"):
        tracker.attach_report("depths", tmp_path, "", {})


def kept_report(tracker: Tracker, project: Project) -> tuple[str, str, Mapping[str, float]]:
    """Return the text, the note and the metrics of the report that a tracker keeps with the study `widths`."""
    if isinstance(tracker, MlflowTracker):
        client = mlflow.MlflowClient(tracker.uri)
        (run,) = client.search_runs(
            [client.get_experiment_by_name("widths").experiment_id], "tags.`ablate.kind` = 'study'"
        )
        text = Path(client.download_artifacts(run.info.run_id, "report/report.md")).read_text()
        return text, run.data.tags["mlflow.note.content"], run.data.metrics
    found = tracker.reports["widths"] if isinstance(tracker, MemoryTracker) else None
    recorded = StudyJournals(project.studies).reports("widths")
    folder, note, metrics, *_ = found or (recorded[-1] if recorded else (project.root, "", {}))
    assert folder
    return (folder / "report.md").read_text(), note, metrics


def test_the_newest_report_is_kept_with_its_study(tracker: Tracker, project: Project, tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    tracker.open_study(STUDY)
    for text, note, delta in (("# Widths\n", "It does.", -1.5), ("# Widths, once more\n", "It does not.", -1.6)):
        (tmp_path / "report" / "report.md").write_text(text)
        tracker.attach_report("widths", tmp_path / "report", note, {"delta": delta})
        assert kept_report(tracker, project) == (text, note, {"delta": delta})


def test_files_of_an_open_run_stay(tracker: Tracker, project: Project) -> None:
    with Journal(project.journals / f"{KEY}-feed-0.jsonl") as journal:
        start(journal, process=DEAD)
        add_files(journal)
        tracker.deliver(journal.path)
    assert tracker.artifact(tracker.find(KEY), "recipe.json").read_text() == "{}\n"
    assert journal.files.is_dir(), "the run may be continued, and then needs them"

"""Offline work: MLflow is neither imported nor needed."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ablate.errors import UserError
from ablate.journal.run_journal import Journals, load
from ablate.journal.study_journal import replay
from ablate.journal.study_lines import study_lines
from ablate.tracking import (
    JournalTracker,
    StudyJournals,
    StudyRecord,
    catch_up,
    deliver_study,
    open_tracker,
    sync_journals,
)
from tests.cli.test_commands import TINY, ablate
from tests.samples.processes import start_program
from tests.samples.report import record_of, small_study
from tests.samples.tracking import DEAD, KEY, mlflow_project, new_project, write_run

BLOCKED = """
import sys

MISSING = ("mlflow", "optuna", "ray")

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in MISSING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
for name in [name for name in sys.modules if name.partition(".")[0] in MISSING]:
    del sys.modules[name]
from ablate.__main__ import main
main()
"""
"""The command in an environment without MLflow, Optuna and Ray."""

SWEEP = ("sweep", *TINY, "--factors", "dropout", "--seeds", "1", "--name", "alone", "--executor", "serial")


def without_mlflow(*arguments: str, folder: Path, code: int = 0) -> tuple[str, str]:
    """Return what a command writes to standard output and standard error."""
    program = start_program(*arguments, code=BLOCKED, folder=folder)
    output, errors = program.communicate()
    assert program.returncode == code, errors
    return output, errors


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a run that kept its weights and a small study, all offline."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "mlruns").mkdir()
    ablate("run", *TINY, "--offline", folder=folder)
    ablate(*SWEEP, "--offline", folder=folder)
    return folder


@pytest.mark.slow
def test_a_sweep_and_its_report_need_no_mlflow(alone: Path, project: Path) -> None:
    shutil.rmtree(project / "mlruns")
    shutil.copytree(alone / "mlruns", project / "mlruns")
    _, refused = without_mlflow(*SWEEP, folder=project, code=1)
    assert refused.endswith("error: MLflow is not installed. Run `pip install mlflow`, or use --offline\n")
    swept, _ = without_mlflow(*SWEEP, "--seeds", "2", "--offline", folder=project)
    assert "4 runs planned, 2 reused, 2 new, 0 failed" in swept
    assert (project / "reports" / "alone" / "report.md").is_file()
    assert not (project / "mlruns" / "mlflow.db").exists()


def test_the_identifier_of_a_run_is_the_name_of_its_journal(alone: Path) -> None:
    facts = json.loads(ablate("run", *TINY, "--offline", "--json", folder=alone).stdout)
    assert facts["run_id"] in {path.stem for path in Journals(alone / "mlruns" / "journal").paths()}
    assert (facts["tracking_uri"], facts["artifact_uri"][:7]) == ((alone / "mlruns/journal").as_uri(), "file://")


def test_reading_commands_read_the_journals(alone: Path) -> None:
    assert len(json.loads(ablate("list", "--offline", "--json", folder=alone).stdout)) == 2
    assert "weight_decay.strength" in ablate("show", "baseline/s0", "--offline", folder=alone).stdout
    assert "test/accuracy" in ablate("compare", "baseline", "no-dropout", "--offline", folder=alone).stdout
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(alone / "black.png")
    assert "%" in ablate("predict", "black.png", "--offline", folder=alone).stdout
    assert "No new runs since" in ablate(*SWEEP, "--offline", folder=alone).stderr
    assert "alone" in ablate("report", "other", "--offline", folder=alone, code=1).stderr


def test_offline_and_a_tracking_uri_are_exclusive(alone: Path) -> None:
    answer = ablate("list", "--offline", "--tracking-uri", "http://127.0.0.1:9", folder=alone, code=2)
    assert "Give one of them" in answer.stderr


def test_artifacts_of_delivered_runs_are_found_offline(tmp_path: Path) -> None:
    project = mlflow_project(tmp_path / "project")
    open_tracker(project).deliver(write_run(project))
    assert not (project.journals / f"{KEY}-feed-0.files").exists()
    tracker = JournalTracker(project)
    assert tracker.artifact(tracker.find(KEY), "recipe.json").read_text() == "{}\n"


def test_a_dead_run_is_shown_as_killed_and_closed_on_request(tmp_path: Path) -> None:
    project = new_project(tmp_path / "project")
    path = write_run(project, status=None, process=DEAD)
    before = path.read_bytes()
    tracker = JournalTracker(project)
    assert tracker.find(KEY).status == "killed"
    assert path.read_bytes() == before, "reading changes nothing"
    with Journals(project.journals).lock(KEY, "feed"):
        assert tracker.close_orphans([path]) == [], "another process continues it"
    assert tracker.close_orphans([path]) == [path.stem]
    run = load(path)
    assert run
    assert run.status == "killed"


def test_a_damaged_journal_does_not_hide_the_others(tmp_path: Path) -> None:
    project = new_project(tmp_path / "project")
    write_run(project)
    (project.journals / "ba9876543210-feed-0.jsonl").write_text("hello\n")
    assert [run.key for run in JournalTracker(project).runs()] == [KEY]


def test_deleting_a_run_deletes_its_files(tmp_path: Path) -> None:
    project = new_project(tmp_path / "project")
    write_run(project)
    tracker = JournalTracker(project)
    tracker.delete(tracker.find(KEY))
    assert not list(project.journals.glob(f"{KEY}*.*[!k]"))


STUDY = StudyRecord("widths", "?", {"margin": 0.5}, (), details={"factors": []})


def test_an_unchanged_study_is_recorded_once(tmp_path: Path) -> None:
    studies = StudyJournals(tmp_path / "studies")
    for _ in range(3):
        studies.open(STUDY)
    assert len(study_lines(studies.path("widths"))[0]) == 1
    studies.close("widths", "finished")
    assert studies.is_current(STUDY)
    assert not studies.is_current(replace(STUDY, declared={"margin": 1.0}))
    studies.open(STUDY)
    assert studies.read("widths") == replace(STUDY, status="running")


def test_an_incomplete_line_is_skipped_and_harms_no_other(tmp_path: Path) -> None:
    studies = StudyJournals(tmp_path / "studies")
    studies.open(STUDY)
    studies.close("widths", "failed")
    whole = studies.path("widths").read_bytes()
    studies.path("widths").write_bytes(whole[:-20])
    assert studies.read("widths") == STUDY
    studies.close("widths", "finished")
    found = studies.read("widths")
    assert found
    assert found.status == "finished"
    with studies.path("widths").open("ab") as journal:
        journal.write(b'{"time": 1.0}\n[]\n{"record": "status"}\n')
    assert studies.read("widths") == found, "lines that are not records are skipped"


@given(st.data())
def test_merged_records_do_not_depend_on_the_order(data: st.DataObject) -> None:
    kinds = st.sampled_from([{"record": "status", "status": "killed"}, {"record": "report", "folder": "x"}])
    margins = st.builds(lambda m: {"record": "study", **_plain(m)}, st.sampled_from([0.5, 1.0, 2.0]))
    lines = [
        {**line, "time": float(time)} for time, line in enumerate(data.draw(st.lists(kinds | margins, max_size=8)))
    ]
    shuffled = data.draw(st.permutations(lines + data.draw(st.lists(st.sampled_from(lines or [{}]), max_size=3))))
    texts = dict.fromkeys(json.dumps(line) for line in shuffled if line)
    again = sorted((json.loads(text) for text in texts), key=lambda line: float(line["time"]))
    assert replay(again) == replay(lines)


def _plain(margin: float) -> dict[str, object]:
    return {"name": "w", "question": "", "declared": {"margin": margin}, "earlier": [], "layout": {}, "plan": []}


def test_a_study_is_delivered_once_and_an_older_record_does_not_replace_a_newer_one(tmp_path: Path) -> None:
    project = mlflow_project(tmp_path / "project")
    old, new = StudyJournals(project.studies), StudyJournals(tmp_path / "elsewhere")
    study = record_of(small_study(seeds=2), status="running")
    old.open(study)
    new.open(replace(study, declared={**study.declared, "margin": 2.0}))
    new.close("small", "finished")
    tracker = open_tracker(project)
    assert deliver_study(tracker, new, "small")
    assert not deliver_study(tracker, new, "small")
    assert not deliver_study(tracker, old, "small")
    found = tracker.study("small")
    assert (found.status, found.declared["margin"]) == ("finished", 2.0)
    old.close("small", "killed")
    assert deliver_study(tracker, old, "small"), "the later record wins"
    found = tracker.study("small")
    assert (found.status, [declared["margin"] for declared in found.earlier]) == ("killed", [2.0])


def test_a_report_written_offline_is_attached_later(tmp_path: Path) -> None:
    project = mlflow_project(tmp_path / "project")
    offline, folder = JournalTracker(project), project.reports / "widths"
    folder.mkdir(parents=True)
    (folder / "report.md").write_text("# Widths\n")
    offline.open_study(STUDY)
    offline.attach_report("widths", folder, "It does.", {"delta": -1.5})
    assert deliver_study(open_tracker(project), StudyJournals(project.studies), "widths")
    assert list(project.artifacts.rglob("report/report.md"))


def test_the_next_command_delivers_only_what_no_store_has(tmp_path: Path) -> None:
    """Private runs are not sent to a team's server just because its URI was set once."""
    own, team = mlflow_project(tmp_path / "own"), mlflow_project(tmp_path / "team")
    studies = StudyJournals(own.studies)
    private, public = write_run(own), write_run(own, "ba9876543210-feed-0")
    studies.open(STUDY)
    tracker = open_tracker(own)
    tracker.deliver(private)
    deliver_study(tracker, studies, "widths")
    studies.open(replace(STUDY, name="depths"))
    theirs = open_tracker(own, f"sqlite:///{team.database}")
    for _ in range(2):
        assert catch_up(theirs, own) == []
        assert [run.name for run in theirs.runs()] == [public.stem]
        with pytest.raises(UserError, match="Known: depths"):
            theirs.study("widths")
    assert sync_journals(None, own, theirs).new == [private.stem]
    assert theirs.study("widths") == STUDY

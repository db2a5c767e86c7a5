"""The page of a study in the MLflow UI: its runs, wherever they were made, and no others."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from ablate.errors import UserError
from ablate.tracking import MlflowTracker, PlanEntry, Project, StudyRecord, open_tracker
from ablate.tracking.mlflow_backend.runs_view import TRAINING_PAGES
from ablate.workflows.runs_page import runs_page
from tests.samples.tracking import mlflow_project, write_run

METRIC = {"metric": {"name": "test accuracy", "tracked": "test/accuracy", "goal": "max"}}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return mlflow_project(tmp_path / "project")


@pytest.fixture
def tracker(project: Project) -> MlflowTracker:
    return open_tracker(project)


def make(project: Project, key: str, study: str, **changes: Any) -> PlanEntry:
    """Deliver a run of a study, and return its entry in a plan."""
    name = f"{key}-feed-0"
    open_tracker(project).deliver(write_run(project, name, epochs=0, study=study, **changes))
    return PlanEntry(key, "feed", "no-augment", 3, name)


def saved(tracker: MlflowTracker, page: str) -> dict[str, Any]:
    """Return the state that the UI restores from the address: the tag that it names, of each experiment."""
    path, _, query = page.partition("?")
    key = parse_qs(query)["viewStateShareKey"][0]
    compared = json.loads(parse_qs(query).get("experiments", ["[]"])[0])
    numbers = compared or [path.split("/")[2]]
    client = tracker._store._client
    found = [client.get_experiment(number).tags[f"mlflow.sharedViewState.{key}"] for number in numbers]
    assert len(set(found)) == 1, "MLflow reads the tag of any of them"
    state: dict[str, Any] = json.loads(found[0])
    return state


def listed(tracker: MlflowTracker, page: str) -> list[str]:
    """Return the names of the runs that the page lists."""
    store = tracker._store
    query = parse_qs(page.partition("?")[2])
    compared = json.loads(query.get("experiments", ["[]"])[0]) or [page.split("/")[2]]
    chosen = {number: name for number, name in store.experiments().items() if number in compared}
    return sorted(run.tags["ablate.run"] for run in store.search(chosen, saved(tracker, page)["searchFilter"]))


def test_an_empty_store_opens_the_pages_for_model_training(tracker: MlflowTracker) -> None:
    assert runs_page(tracker) == TRAINING_PAGES


def test_a_study_shows_metric_variant_and_seed_by_variant(project: Project, tracker: MlflowTracker) -> None:
    run = make(project, "a" * 12, "first")
    tracker.open_study(StudyRecord("first", "Which?", {}, [run], details=METRIC))
    page = runs_page(tracker)
    state = saved(tracker, page)
    assert page == "#/experiments/1/runs?workflowType=machine_learning&viewStateShareKey=ablate-1"
    assert state["selectedColumns"] == state["columnOrder"]
    assert state["columnOrder"] == ["metrics.`test/accuracy`", "tags.`ablate.variant`", "tags.`ablate.seed`"]
    assert state["groupBy"]["groupByKeys"] == [{"mode": "tag", "groupByData": "ablate.variant"}]
    assert state["searchFilter"] == "tags.`ablate.kind` = 'run'", "without the parent run"
    charts = [(chart["type"], chart["metricKey"]) for chart in state["compareRunCharts"]]
    assert charts == [("BAR", "test/accuracy"), ("LINE", "train/loss")]
    sections = [(section["name"], section["display"]) for section in state["compareRunSections"]]
    assert sections == [("Score", True), ("Curves", True), ("Model metrics", False), ("time", False)]


def test_reused_runs_are_shown_and_others_of_their_experiment_are_not(
    project: Project, tracker: MlflowTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    reused, other = (make(project, letter * 12, "first") for letter in "ab")
    own, earlier = make(project, "d" * 12, "second"), make(project, "e" * 12, "second")
    failed = make(project, "f" * 12, "second", status="failed")
    missing = PlanEntry(failed.key, "feed", "no-augment", 3)
    tracker.open_study(StudyRecord("first", "", {}, [reused, other], details=METRIC))
    tracker.open_study(StudyRecord("second", "", {}, [reused, own, missing], details=METRIC))
    page = runs_page(tracker, "second")
    assert page.startswith("#/compare-experiments/s?experiments=")
    assert listed(tracker, page) == [reused.run, own.run, failed.run]
    assert earlier.run not in listed(tracker, page), "of an earlier version of the study"
    assert listed(tracker, runs_page(tracker, "first")) == [reused.run, other.run]
    assert runs_page(tracker) == page, "the study that was active last"
    monkeypatch.setattr("ablate.tracking.mlflow_backend.runs_view._MOST_LISTED", 1)
    assert other.run in listed(tracker, runs_page(tracker)), "too many runs for a condition"


def test_a_search_is_grouped_by_trial_and_shows_its_objective(project: Project, tracker: MlflowTracker) -> None:
    run = make(project, "a" * 12, "search", tags={"ablate.trial": "0"})
    search = {
        **dict.fromkeys(("name", "pruner", "pruning", "sampler", "storage"), ""),
        **dict.fromkeys(("sampler_seed", "budget"), 0),
        **{name: [] for name in ("seeds", "space", "trials")},
        "objectives": [{"name": "val/accuracy", "tracked": "val/accuracy", "goal": "max"}],
        "importances": {},
    }
    details = {"kind": "tuning", "tuning": {"searches": {"baseline": search}}}
    tracker.open_study(StudyRecord("search", "", {}, [run], details=details))
    state = saved(tracker, runs_page(tracker))
    assert state["selectedColumns"][:2] == ["metrics.`val/accuracy`", "tags.`ablate.trial`"]
    assert state["groupBy"]["groupByKeys"] == [{"mode": "tag", "groupByData": "ablate.trial"}]


def test_single_runs_are_not_grouped(project: Project, tracker: MlflowTracker) -> None:
    single = make(project, "a" * 12, "ablate")
    page = runs_page(tracker)
    assert saved(tracker, page)["groupBy"] is None
    study = StudyRecord("first", "", {}, [single], details=METRIC, recorded=time.time())
    tracker.open_study(study)
    assert runs_page(tracker) != page, "the study that was active last"
    make(project, "b" * 12, "ablate")
    assert runs_page(tracker) == runs_page(tracker, "ablate") == page, "a single run since"


def test_an_unknown_study_is_named(project: Project, tracker: MlflowTracker) -> None:
    tracker.open_study(StudyRecord("first", "", {}, [], details=METRIC))
    with pytest.raises(UserError, match=r"Unknown study 'frist'. Did you mean 'first'"):
        runs_page(tracker, "frist")

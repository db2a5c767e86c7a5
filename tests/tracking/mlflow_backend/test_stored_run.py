"""Runs of other programs as the store returns them: names stay whole, infinite metrics are infinite."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from ablate.tracking import open_tracker, run_title
from ablate.tracking.mlflow_backend.records import true_value
from ablate.tracking.mlflow_backend.stored_run import StoredRun, to_run
from tests.samples.tracking import mlflow_project


def stored(name: str, **tags: str) -> StoredRun:
    return StoredRun("id", name, "theirs", "FINISHED", 0, 1, "", False, {}, tags, {})


@pytest.mark.parametrize("name", ["model/small", "vit/s16", "vit-s16", "a/s", "/s3", "model"])
def test_the_name_of_a_run_of_another_program_is_its_title(name: str) -> None:
    run = to_run(stored(name))
    assert (run.variant, run_title(run)) == (name, name)


def test_the_title_of_ours_has_the_seed() -> None:
    run = to_run(stored("no-x/s3", **{"ablate.variant": "no-x", "ablate.seed": "3", "ablate.key": "k"}))
    assert run_title(run) == "no-x/s3"


def test_of_the_tags_of_mlflow_only_the_description_is_kept() -> None:
    tags = {"mlflow.note.content": "diverged", "mlflow.user": "me", "ablate.kind": "run", "team": "vision"}
    assert to_run(stored("a", **tags)).tags == {"mlflow.note.content": "diverged", "team": "vision"}


@pytest.mark.parametrize("value", [1.7976931348623157e308, math.inf])
def test_the_largest_number_is_infinity(value: float) -> None:
    assert (true_value(value), true_value(-value)) == (math.inf, -math.inf)
    assert math.isnan(true_value(math.nan))
    assert true_value(1.7e308) == 1.7e308


def test_an_infinite_metric_comes_back_from_the_database(tmp_path: Path) -> None:
    project = mlflow_project(tmp_path)
    tracker = open_tracker(project)
    assert tracker.runs() == []
    from mlflow import MlflowClient

    client = MlflowClient(project.tracking_uri())
    experiment = client.create_experiment("theirs", artifact_location=(tmp_path / "artifacts").as_uri())
    run = client.create_run(experiment, run_name="a").info.run_id
    for name, value in {"up": math.inf, "down": -math.inf, "nan": math.nan, "loss": 2.5}.items():
        client.log_metric(run, name, value)
    (found,) = tracker.runs("theirs")
    assert (found.metrics["up"], found.metrics["down"], found.metrics["loss"]) == (math.inf, -math.inf, 2.5)
    assert math.isnan(found.metrics["nan"])
    history = tracker.history(found)
    assert history[0]["up"] == math.inf


JSON_TAGS = ("conditions", "environment", "params", "final", "series", "floor", "heartbeat", "seed", "status", "pid")
WRONG = ("", "{", "null", "3", "NaN", "true", '"x"', "[1, [2]]", '{"versions": 3}', '{"a": {"b": 1}}', "[" * 5000, "٣")


@pytest.mark.parametrize("wrong", WRONG)
def test_tags_of_ours_with_a_wrong_content_are_left_out(wrong: str) -> None:
    for kind in (*JSON_TAGS, "run", "key", "data", "variant"):
        tags = {f"ablate.{name}": "1" for name in ("host", "boot", "pid", "process_started")}
        found = stored("theirs/s4", **{**tags, "ablate.run": "k-d-0", f"ablate.{kind}": wrong})
        run = to_run(found)
        assert (found.last_heartbeat, found.metrics_by_epoch) == (0, [])
        assert run.status == "finished"
        assert isinstance(run.seed, int)
        assert isinstance(run.floor, int | float | None)
        assert run.variant


def test_a_name_that_leaves_the_folder_of_journals_is_not_taken_from_a_tag() -> None:
    run = to_run(stored("theirs", **{"ablate.run": "../../x", "ablate.key": "a/b", "ablate.data": "a\nb"}))
    assert (run.name, run.key, run.data) == ("id", "", "")

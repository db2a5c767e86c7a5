"""Several MLflow experiments in a real store: filters, deleted runs and experiments, and a store that is only read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ablate.errors import UserError
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.external_study import study_of
from ablate.report.sources.mlflow_experiment import read_experiments
from ablate.report.study_data import StudyData
from ablate.tracking import Tracker, open_tracker
from tests.samples.tracking import mlflow_project


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Tracker:
    """Two experiments with one deleted run, and a deleted experiment."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    project = mlflow_project(tmp_path_factory.mktemp("store"))
    open_tracker(project).experiments()  # creates the store quickly
    client = MlflowClient(tracking_uri=project.tracking_uri())
    for name, lrs in (("first", ("0.1", "0.01")), ("second", ("0.1", "1.0")), ("gone", ("0.1",))):
        experiment = client.create_experiment(name, artifact_location="/nowhere")
        for lr in lrs:
            for seed in range(2):
                run = client.create_run(experiment, run_name=f"calm-cat-{name}-{lr}-{seed}0")
                params = [Param("lr", lr), Param("random_state", str(seed + 10 * (name == "second")))]
                client.log_batch(run.info.run_id, [Metric("val_acc", 0.5 + seed / 10, 1, 0)], params)
                client.set_terminated(run.info.run_id)
        run = client.create_run(experiment)
        client.log_batch(run.info.run_id, [Metric("val_acc", 0.9, 1, 0)], [Param("lr", lr), Param("random_state", "0")])
        client.delete_run(run.info.run_id)
    client.delete_experiment(client.get_experiment_by_name("gone").experiment_id)
    return open_tracker(project)


def read(store: Tracker, *names: str, condition: str = "", **options: Any) -> StudyData:
    asked = TableOptions(**{"metric": "val_acc", "baseline": "0.1", **options})
    return study_of("theirs", read_experiments(names, store, asked, condition), asked)


def test_several_experiments_are_one_table(store: Tracker) -> None:
    found = read(store, "first", "second")
    assert found.runs.groupby("variant").size().to_dict() == {"baseline": 4, "lr=0.01": 2, "lr=1.0": 2}
    assert set(found.runs["experiment"]) == {"first", "second"}
    assert found.scale.endswith("the MLflow experiments first, second")


def test_a_filter_is_applied_by_the_store(store: Tracker) -> None:
    found = read(store, "first", condition="params.random_state != '1'")
    assert found.runs.groupby("variant").size().to_dict() == {"baseline": 1, "lr=0.01": 1}
    assert "filter: params.random_state != '1'" in found.statement


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("params.lr == 0.1", r"MLflow cannot read the filter \"?'?params.lr == 0.1"),
        ("lr", "MLflow cannot read the filter 'lr'"),
        ("params.lr = '7'", "No runs in the experiment 'first' of sqlite.* match the filter"),
    ],
)
def test_wrong_filters(store: Tracker, condition: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        read(store, "first", condition=condition)


def test_deleted_experiments_are_unknown(store: Tracker) -> None:
    with pytest.raises(UserError, match="Unknown experiment 'gone'"):
        read(store, "first", "gone")


def test_reading_changes_nothing(store: Tracker) -> None:
    file = Path(store.uri.removeprefix("sqlite:///"))
    before = file.read_bytes()
    read(store, "first", "second")
    assert file.read_bytes() == before
    assert not Path("/nowhere").exists()

"""The names of runs: what `ablate list` prints, `ablate show` finds."""

from __future__ import annotations

from pathlib import Path

import mlflow
import pytest

from ablate.errors import UserError
from ablate.tracking import open_tracker, run_title
from tests.samples.tracking import mlflow_project


@pytest.mark.parametrize("name", ["vit", "vit/s3", "vit-s16", "lr=0.1, bs 32", "it's", "模型", "100%", "a_b"])
def test_a_listed_run_of_another_program_is_found(tmp_path: Path, name: str) -> None:
    project = mlflow_project(tmp_path)
    tracker = open_tracker(project)
    client = mlflow.MlflowClient(project.tracking_uri())
    experiment = client.create_experiment("theirs")
    for other in (name, "another"):
        client.log_param(client.create_run(experiment, run_name=other).info.run_id, "seed", 5)
    listed = [run_title(run) for run in tracker.runs("theirs")]
    assert sorted(listed) == sorted([name, "another"])
    assert tracker.find(name).variant == name


def test_runs_of_another_program_that_share_a_name_are_told_apart_by_identifier(tmp_path: Path) -> None:
    project = mlflow_project(tmp_path)
    client = mlflow.MlflowClient(project.tracking_uri())
    experiment = client.create_experiment("theirs")
    first, _ = (client.create_run(experiment, run_name="vit").info.run_id for _ in range(2))
    with pytest.raises(UserError, match=f"matches 2 runs: .*{first[:12]}"):
        open_tracker(project).find("vit")
    assert open_tracker(project).find(first).variant == "vit"

"""The studies that `ablate init` writes, and those that are shipped: each runs as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablate.cli.init import Kind
from ablate.workloads.custom.study_file import load_study
from tests import ROOT
from tests.cli.test_commands import ablate
from tests.samples.custom import runs_of

EXPERIMENTS = ROOT / "experiments"


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.slow if kind == "torch" else ()) for kind in Kind]
)
def test_a_study_that_is_written_runs_as_it_is(tmp_path: Path, kind: Kind) -> None:
    said = ablate("init", "studies/mine.py", "--kind", kind, folder=tmp_path)
    assert "Wrote studies/mine.py" in said.stdout
    assert "ablate sweep studies/mine.py" in said.stderr
    study = load_study(tmp_path / "studies" / "mine.py")
    assert study.question.splitlines()[0].endswith("?")
    made = runs_of(study, tmp_path, most=len(study.resolved_design.arms))
    assert {run.status for run in made} == {"finished"}
    assert len({run.metrics[study.workload.metric.tracked] for run in made}) > 1, "its factors do something"
    assert all(run.history for run in made)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    ablate("init", folder=tmp_path)
    path = tmp_path / "experiments" / "own.py"
    path.write_text("mine")
    assert "already exists" in ablate("init", folder=tmp_path, code=1).stderr
    (tmp_path / "other.sh").write_text("mine")
    assert "other.sh already exists" in ablate("init", "other.py", "--kind", "command", folder=tmp_path, code=1).stderr
    assert not (tmp_path / "other.py").exists()
    assert path.read_text() == "mine"
    assert "ablate init other.py" in ablate("init", "other", folder=tmp_path, code=2).stderr
    (tmp_path / "file").write_text("")
    assert "Cannot write" in ablate("init", "file/x.py", folder=tmp_path, code=1).stderr


@pytest.mark.parametrize(
    "name",
    [*(pytest.param(name, marks=pytest.mark.slow) for name in ("sklearn_digits", "torch_digits")), "shell_program"],
)
def test_a_shipped_study_of_another_training_runs(tmp_path: Path, name: str) -> None:
    study = load_study(EXPERIMENTS / f"{name}.py")
    arms = len(study.resolved_design.arms)
    made = runs_of(study.change(values={"epochs": 2}) if name == "torch_digits" else study, tmp_path, most=arms)
    assert [run.status for run in made] == ["finished"] * arms
    assert len({run.metrics[study.workload.metric.tracked] for run in made}) > 1


def test_the_pipeline_of_scikit_learn_takes_25_lines() -> None:
    assert len((EXPERIMENTS / "sklearn_digits.py").read_text().splitlines()) <= 25

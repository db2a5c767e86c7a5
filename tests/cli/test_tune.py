"""`ablate tune` as a user types it: the digits, a real MLflow store, the commands of its guide."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ablate.cli.app import app
from ablate.journal.run_journal import Journals, load
from ablate.tracking import Project, open_tracker
from tests import ROOT
from tests.cli.test_commands import ablate

GUIDE = (ROOT / "docs" / "tuning.md").read_text()


COMMANDS = [command.strip() for command in re.findall(r"^\$ (ablate [^#\n]*)", GUIDE, re.MULTILINE)]


QUICK = ("--epochs", "1", "--width", "2", "--threads", "1", "--executor", "serial")


TUNE = ("tune", "--preset", "demo", *QUICK, "--space", "lr,dropout.p")


def stored(project: Path, condition: str) -> list[Any]:
    """The runs of the demo's tuning as MLflow itself gives them."""
    import mlflow

    client = mlflow.MlflowClient(Project.find(project).tracking_uri())
    experiment = client.get_experiment_by_name("demo-tuning")
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id], condition))


def test_a_search_is_in_the_store_reported_and_goes_on(project: Path) -> None:
    first = json.loads(ablate(*TUNE, "--trials", "2", "--json", folder=project).stdout)
    assert (first["trials"], first["made"], first["failed"]) == (2, 2, 0)
    assert first["baseline"]["params"] == {"lr": 0.01, "dropout.p": 0.2}
    second = ablate(*TUNE, "--trials", "3", "--save", "experiments/tuned.py", folder=project)
    assert "3 trials, 1 new" in second.stdout
    assert second.stdout.endswith("/report.md\n")
    assert "lr: 0.0001 to 0.1, log scale (baseline: 0.01)" in second.stderr, "the space is printed"
    tracker = open_tracker(Project.find(project))
    runs = stored(project, "tags.`ablate.kind` = 'run'")
    assert sorted(run.data.tags["ablate.trial"] for run in runs) == ["0", "1", "2"]
    (parent,) = stored(project, "tags.`ablate.kind` = 'study'")
    assert {run.data.tags["mlflow.parentRunId"] for run in runs} == {parent.info.run_id}
    assert {"lr", "dropout.p", "epochs", "augment"} <= set(runs[0].data.params), "the schema of any other run"
    assert len(tracker.study("demo-tuning").planned_runs) == 3
    report = project / "reports" / "demo-tuning"
    assert "## Answer" in (report / "report.md").read_text()
    assert {path.stem for path in (report / "figures").iterdir()} >= {"history", "slices", "parallel", "budget"}
    assert "val accuracy" in ablate("report", "demo-tuning", folder=project).stdout
    swept = ablate(
        "sweep", "experiments/tuned.py", "--factors", "augment", "--dry-run", "--json", *QUICK, folder=project
    )
    assert json.loads(swept.stdout)["planned"] == 10
    seeds = ("--seeds", "1000,1001")
    swept = ablate("sweep", "experiments/tuned.py", "--factors", "augment", *seeds, *QUICK, folder=project)
    assert "4 runs planned, 0 reused, 4 new" in swept.stdout


def test_a_run_of_before_is_a_trial(project: Path) -> None:
    ablate("run", "--preset", "demo", *QUICK[:-2], folder=project)
    facts = json.loads(ablate(*TUNE, "--trials", "1", "--json", folder=project).stdout)
    assert facts["reused_runs"] == 1
    assert len(Journals(project / "mlruns" / "journal").paths()) == 1


@pytest.mark.slow
def test_a_stopped_trial_is_killed_in_the_store(project: Path) -> None:
    arguments = ("tune", "--preset", "demo", *QUICK, "--epochs", "3", "--space", "lr=0.00001:0.1")
    facts = json.loads(ablate(*arguments, "--trials", "12", "--json", folder=project).stdout)
    assert facts["pruned"] > 0
    found = stored(project, "tags.`ablate.status` = 'pruned'")
    assert len(found) == facts["pruned"]
    assert {run.info.status for run in found} == {"KILLED"}
    journals = Journals(project / "mlruns" / "journal")
    assert sum(run.status == "pruned" for path in journals.paths() if (run := load(path))) == facts["pruned"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--validate-on", "test"), "tuning would select by test images"),
        (("--space", "nothing"), "Unknown setting or hyperparameter 'nothing'"),
        (("--multi", "test_accuracy,time"), "does not use test scores"),
        (("--storage", "tuning.db"), "the URL of a database"),
        (("--seeds", "2", "--pruner", "median"), "one seed"),
        (("--per-variant", "--design", "factorial"), "--per-variant needs a design that compares"),
        (("--per-variant", "--multi", "accuracy,time"), "one objective"),
        (("--seeds", "none"), "--seeds takes"),
    ],
)
def test_a_mistake_is_one_line(project: Path, arguments: tuple[str, ...], words: str) -> None:
    told = ablate("tune", "--preset", "demo", "--trials", "1", *arguments, folder=project, code=2).stderr
    assert words in told.splitlines()[-1]
    assert "Traceback" not in told
    assert not list((project / "mlruns").rglob("*.jsonl"))


def test_save_is_checked_before_the_search(project: Path) -> None:
    told = ablate(*TUNE, "--save", "tuned.txt", folder=project, code=1).stderr
    assert "ends in .py" in told
    assert not list((project / "mlruns").rglob("*.jsonl"))


@pytest.mark.slow
def test_the_commands_of_the_guide(project: Path) -> None:
    (project / "experiments").mkdir()
    (project / "experiments" / "demo.py").symlink_to(ROOT / "experiments" / "demo.py")
    assert len(COMMANDS) >= 7
    for command in COMMANDS:
        words = shlex.split(command)[1:]
        quick = QUICK if words[0] == "tune" else ()
        result = CliRunner().invoke(app, [*words, *quick])
        assert result.exit_code == 0, f"{command}: {result.output}"
    for name in ("demo-tuning", "demo-retuned", "small-or-good"):
        assert (project / "reports" / name / "report.md").exists()


def test_the_guide_names_what_is_there() -> None:
    for link in re.findall(r"\]\((?!https)([^)]+)\)", GUIDE):
        assert (ROOT / "docs" / link).exists(), link
    assert {shlex.split(command)[1] for command in COMMANDS} == {"tune", "report", "sweep"}

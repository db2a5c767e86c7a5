"""Sweeps of trainings that are not ours, as a user types them: no torch, any metric, a program that logs to MLflow."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ablate.tracking import JournalTracker, Project, open_tracker
from tests.cli.test_commands import ablate
from tests.samples.custom import LATENCY, written
from tests.samples.processes import start_program
from tests.samples.tracking import mlflow_project

NO_TORCH = """
import sys
from ablate.__main__ import main
sys.argv = ["ablate", "sweep", "own.py", "--jobs", "2", "--offline", "--json"]
try: main()
except SystemExit as end: assert not end.code, end.code
print(sorted({"torch", "torchvision"} & set(sys.modules)), file=sys.stderr)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    mlflow_project(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_a_sweep_of_another_training_never_imports_torch(project: Path) -> None:
    checked = LATENCY.replace('"memory": 3', '"memory": float("torch" in __import__("sys").modules)')
    written(project, checked)
    command = start_program(code=NO_TORCH, folder=project, without=("torch", "torchvision"))
    output, messages = command.communicate()
    assert command.returncode == 0, messages
    assert messages.strip().endswith("[]"), messages[-3000:]
    summary = json.loads(output)
    assert (summary["planned"], summary["ran"], summary["failed"]) == (15, 15, 0)
    assert {run["variant"]: round(run["latency"]) for run in summary["runs"] if run["seed"] == 2} == {
        "baseline": 102, "no-cache": 132, "no-pool": 104,
    }  # fmt: skip
    runs = JournalTracker(Project.find(project)).runs("own")
    assert {run.metrics["final/memory"] for run in runs} == {0.0}, "the workers"
    assert "latency 99.99 ms" in messages
    report = (project / "reports" / "own" / "report.md").read_text()
    assert "Removing cache changed latency by +30.0 ms [" in report
    assert "a clear and important loss" in report
    assert "a difference beyond 5 ms is ruled out" in report
    assert "latency (lower is better; ms)" in report
    assert "pool (shared connections; off: one each)" in report
    assert "ablate sweep own.py --name own" in report
    assert "points" not in report.split("<b>Glossary</b>")[0]
    _after_an_edit(project)


def _after_an_edit(project: Path) -> None:
    """What the same project says once the code has changed."""
    written(project, LATENCY.replace("30 *", "40 *"))
    dry = ablate("sweep", "own.py", "--dry-run", folder=project)
    assert "The training code differs from that of 15 runs of own" in dry.stderr
    assert "margin 5 ms" in dry.stderr
    assert "points" not in dry.stdout
    listed = ablate("list", folder=project).stdout
    assert "latency" in listed
    assert "steps 3" in listed
    assert "33.33" in ablate("show", "no-pool/s0", folder=project).stdout


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--dataset", "digits"], "the built-in images"),
        (["--data-dir", "."], "the built-in images"),
        (
            ["--no-augment"],
            "--no-augment applies to resnet9, but this study trains own. Choose factors with --factors (cache",
        ),
        (["--width", "3"], "--width applies to resnet9"),
        (["--dropout-p", "0.3"], "--dropout-p applies to resnet9"),
        (["--preset", "laptop"], "Unknown preset 'laptop'"),
        (["--factors", "cahce"], "Did you mean 'cache'"),
    ],
)
def test_flags_of_the_built_in_training_are_refused(project: Path, flags: list[str], message: str) -> None:
    written(project, LATENCY)
    assert message in " ".join(ablate("sweep", "own.py", *flags, folder=project, code=2).stderr.split())
    assert not list((project / "mlruns").rglob("*.jsonl"))


def test_a_flag_that_both_know_applies(project: Path) -> None:
    written(project, LATENCY.replace("steps", "epochs"))
    dry = ablate("sweep", "own.py", "--epochs", "2", "--seeds", "2", "--dry-run", "--json", folder=project)
    assert json.loads(dry.stdout)["planned"] == 6
    assert "epochs 2" in dry.stderr


LOGS_ITSELF = '''
    """Logs to whatever run the environment names, as any program that uses MLflow does."""
    import sys
    import mlflow
    with mlflow.start_run():
        mlflow.log_params({"fast": "--fast" in sys.argv, "seed": 7, "layers": 3})
        for step in range(3):
            mlflow.log_metric("score", step / 4, step=step)
        mlflow.set_tag("who", "the program")
    print('{"score": 0.5, "size": 3}')
'''
ITS_STUDY = """
    from ablate import Metric, Study, from_command
    study = Study(
        workload=from_command("{python} {here}/program.py {fast:--fast|}", metric=Metric("score"), mlflow=True), seeds=1
    )
"""


NAMES_ITS_RUN = """
    import os
    print(os.environ["MLFLOW_TRACKING_URI"], os.environ["MLFLOW_RUN_ID"])
    print('{"score": 0.5}')
"""


@pytest.mark.slow
def test_a_program_receives_the_address_of_its_run(project: Path) -> None:
    written(project, NAMES_ITS_RUN, "program.py")
    written(project, ITS_STUDY)
    ablate("sweep", "own.py", "--executor", "serial", folder=project)
    tracker = open_tracker(Project.find(project))
    runs = {run.variant: run for run in tracker.runs()}
    for variant in ("baseline", "no-fast"):
        address = tracker.artifact(runs[variant], "stdout.txt").read_text().split()[:2]
        assert address == [tracker.uri, tracker.identifier(runs[variant])]
        assert runs[variant].metrics["final/score"] == 0.5


@pytest.mark.slow
def test_a_program_that_logs_to_mlflow_finds_its_run_and_nothing_is_doubled(project: Path) -> None:
    written(project, LOGS_ITSELF, "program.py")
    written(project, ITS_STUDY)
    ablate("sweep", "own.py", folder=project)
    from mlflow import MlflowClient

    tracker = open_tracker(Project.find(project))
    runs = {run.variant: run for run in tracker.runs()}
    assert set(runs) == {"baseline", "no-fast"}, "the program made no runs of its own"
    for variant, run in runs.items():
        assert run.status == "finished"
        assert run.tags["who"] == "the program"
        assert run.metrics["final/score"] == 0.5
        assert run.metrics["final/size"] == 3
        assert run.params["fast"] is (variant == "baseline")
        assert run.params["layers"] == 3
        points = MlflowClient(tracker.uri).get_metric_history(tracker.identifier(run), "score")
        assert [(point.step, point.value) for point in points] == [(0, 0), (1, 0.25), (2, 0.5)]
    assert not list((project / "mlruns").rglob("*.address"))
    assert "2 runs planned; 2 finished" in (project / "reports" / "own" / "report.md").read_text()

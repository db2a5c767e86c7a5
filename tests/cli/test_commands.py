"""The command line as a user types it: real processes on a project folder, the digits, a real MLflow store."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from ablate.cli.app import app
from ablate.journal.run_journal import Journals, load
from ablate.tracking import Project, open_tracker
from ablate.workloads.resnet9.factors import FACTORS
from ablate.workloads.resnet9.workload import SETTINGS
from tests.samples.layouts import sample_images, write_split
from tests.samples.processes import start_program, until
from tests.samples.tracking import mlflow_project

TINY = ("--preset", "demo", "--epochs", "2", "--width", "2", "--threads", "1")


@dataclass(frozen=True)
class Answer:
    stdout: str
    stderr: str


def ablate(*arguments: str, folder: Path, code: int = 0) -> Answer:
    """Run a command in this process, which has imported everything already."""
    with contextlib.chdir(folder):
        result = CliRunner().invoke(app, list(arguments))
    unexpected = result.exception if not isinstance(result.exception, SystemExit) else None
    assert result.exit_code == code, f"exit code {result.exit_code}\n{result.output}\n{unexpected!r}"
    return Answer(result.stdout, result.stderr)


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two finished runs."""
    folder = tmp_path_factory.mktemp("project")
    mlflow_project(folder)
    ablate("run", *TINY, "--tag", "who=me", "--save-weights", "weights/baseline.pth", folder=folder)
    ablate("run", *TINY, "--no-augment", "--no-residual", "--seed", "1", folder=folder)
    return folder


def test_a_run_is_in_the_store_with_everything(kitchen: Path) -> None:
    tracker = open_tracker(Project.find(kitchen))
    run = tracker.find("no-augment+no-residual/s1")
    assert run.status == "finished"
    assert (run.params["augment"], run.params["batch_norm"]) in ((False, True), ("False", "True"), ("false", "true"))
    assert 0 <= run.metrics["test/accuracy"] <= 1
    assert [row["step"] for row in run.history] == [0, 1, 2]
    for name in ("train/loss", "train/accuracy", "val/loss", "val/accuracy", "lr", "grad_norm", "images_per_s"):
        assert name in run.history[-1]
    for name in ("curves.png", "confusion.png", "batch.png", "recipe.json", "history.csv", "environment.txt"):
        assert tracker.artifact(run, name).stat().st_size > 0
    bits = np.unpackbits(np.load(tracker.artifact(run, "correct.npy")))
    assert bits.sum() == round(run.metrics["test/accuracy"] * 359)
    assert tracker.find("baseline/s0").tags["who"] == "me"


def test_the_same_run_again_is_answered_at_once(kitchen: Path) -> None:
    answer = ablate("run", *TINY, "--json", folder=kitchen)
    facts = json.loads(answer.stdout)
    assert facts["reused"] is True
    wanted = [
        "run_id",
        "key",
        "variant",
        "status",
        "seed",
        "device",
        "precision",
        "metrics",
        "seconds",
        "tracking_uri",
        "artifact_uri",
    ]
    assert set(wanted) <= set(facts)
    assert facts["variant"] == "baseline"
    assert len(Journals(kitchen / "mlruns" / "journal").paths()) == 2


def test_looking_at_runs(kitchen: Path) -> None:
    listed = ablate("list", folder=kitchen).stdout
    assert "baseline/s0" in listed
    assert "no-augment+no-residual/s1" in listed
    assert len(json.loads(ablate("list", "--json", folder=kitchen).stdout)) == 2
    shown = ablate("show", "baseline/s0", folder=kitchen).stdout
    assert "weight_decay.strength" in shown
    assert re.search(r"^train_size +all", shown, re.MULTILINE)
    assert "Did you mean 'ablate'?" in ablate("list", "--experiment", "ablat", folder=kitchen, code=1).stderr
    compared = ablate("compare", "baseline/s0", "no-augment+no-residual/s1", folder=kitchen).stdout
    differs = compared.split("metric")[0]
    assert re.search(r"^augment +on +off", differs, re.MULTILINE)
    assert "batch_norm" not in differs
    assert re.search(r"^test/accuracy( +0\.\d{4}){2} +[+-]0\.\d{4} *$", compared, re.MULTILINE)
    assert "±" not in compared


def test_predicting(kitchen: Path) -> None:
    Image.fromarray(np.zeros((40, 30, 3), np.uint8)).save(kitchen / "black.png")
    answer = json.loads(ablate("predict", "black.png", "--run", "baseline/s0", "--json", folder=kitchen).stdout)
    probabilities = answer["predictions"][0]["classes"]
    assert sorted(probabilities) == [str(digit) for digit in range(10)]
    assert sum(probabilities.values()) == pytest.approx(1, abs=1e-5)
    same = json.loads(
        ablate("predict", "black.png", "--weights", "weights/baseline.pth", "--json", folder=kitchen).stdout
    )
    assert same["predictions"] == answer["predictions"]
    assert answer["weights"] == "baseline/s0"
    newest = ablate("predict", "black.png", folder=kitchen)
    assert "%" in newest.stdout
    assert newest.stderr.startswith("Weights of no-augment+no-residual/s1 (width 2, 2 epochs, test accuracy 0.")


def test_weights_of_a_run_of_a_sweep_are_those_of_the_command_in_the_message(tmp_path: Path) -> None:
    mlflow_project(tmp_path)
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "black.png")
    changes = ("--factors", "mixup", "--dropout-p", "0.3", "--train-size", "300")
    ablate("sweep", *TINY, *changes, "--seeds", "1,", "--executor", "serial", "--name", "few", folder=tmp_path)
    predict = ("predict", "black.png", "--run", "with-mixup/s1")
    message = ablate(*predict, folder=tmp_path, code=1).stderr
    assert message.startswith("error: with-mixup/s1 has no weights: the runs of a sweep keep none. Train it again")
    command = re.search(r"`ablate (.*?)`", message)
    assert command
    assert shlex.split(command[1])[:4] == ["run", "--preset", "demo", "--mixup"]
    ablate(*shlex.split(command[1]), "--threads", "1", folder=tmp_path)
    assert "%" in ablate(*predict, folder=tmp_path).stdout
    keys = [run["key"] for run in json.loads(ablate("list", "--json", folder=tmp_path).stdout)]
    assert len(keys) == 3
    assert len(set(keys)) == 2, "it is the same recipe"


@pytest.mark.usefixtures("pictures")
def test_looking_at_data(kitchen: Path) -> None:
    facts = json.loads(ablate("data", "info", "--dataset", "digits", "--json", folder=kitchen).stdout)
    assert (facts["train_images"], facts["test_images"]) == (1438, 359)
    shown = ablate("data", "show", "--dataset", "digits", "--rotation", "--to", "grid.png", folder=kitchen)
    assert "digits: 1,438 training and 359 test images of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9" in shown.stderr
    assert shown.stdout == "grid.png\n"
    with Image.open(kitchen / "grid.png") as grid:
        assert grid.width > 300


def test_folders_of_images_are_read_as_stated(kitchen: Path) -> None:
    images = sample_images({"train": 10}, ("cat", "dog"))
    write_split(kitchen / "pets", images["train"])
    write_split(kitchen / "halves/one", images["train"])
    write_split(kitchen / "halves/two", images["train"])
    note = "a stratified 20% (4 images) is held out as test images by the random stream 'test split' of seed 0"
    facts = ablate("data", "info", "--data-dir", "pets", folder=kitchen).stdout
    assert note in " ".join(facts.split())
    data = ("--data-dir", "halves", "--splits", "train=one,test=two")
    study = ("--factors", "dropout", "--seeds", "2", "--name", "pets", "--preset", "demo", "--train-size", "10")
    sweep = ablate("sweep", *data, *study, "--dry-run", folder=kitchen)
    read = "data: training images from one, test images from two"
    assert read in sweep.stderr
    assert read in ablate("data", "show", *data, folder=kitchen).stderr


MISTAKES: list[tuple[Sequence[str], int, str]] = [
    (["run", "--no-agument"], 2, "--no-augment"),
    (["run", "--preset", "labtop"], 2, "Did you mean 'laptop'?"),
    (["run", "--no-dropout", "--dropout-p", "0.3"], 2, "dropout.p has no effect while dropout is off"),
    (["run", "--mixup-alpha", "0.3"], 2, "add --mixup"),
    (["run", "--width", "0"], 2, "width must be between 1 and 1024"),
    (["run", "--width", "wide"], 2, "not an integer"),
    (["run", "--device", "tpu"], 2, "Device 'tpu' is not available. Available: "),
    (["run", "--precision", "fp8"], 2, "Unknown precision 'fp8'. Known: auto, bf16, fp32"),
    (["run", "--preset", "demo", "--tag", "nonsense"], 2, "--tag takes KEY=VALUE"),
    (["run", "--preset", "demo", "--train-size", "100000"], 1, "100000"),
    (["run", "--preset", "demo", "--image-size", "20"], 2, "multiple of 8 such as 16 or 24, not 20"),
    (["run", "--preset", "demo", "--save-weights", "."], 1, "is a folder"),
    (["run", "--preset", "demo", "--tracking-uri", "./mlruns"], 2, "file store"),
    (["run", "--data-dir", "nowhere"], 1, "nowhere"),
    (["run", "--splits", "train=a,test=b"], 2, "--splits needs --data-dir PATH"),
    (["run", "--data-dir", ".", "--splits", "train"], 2, "--splits takes train=FOLDER,test=FOLDER"),
    (["run", "--dataset", "digit"], 2, "digits"),
    (["sweep", "nowhere.py"], 2, "Unknown study file 'nowhere.py'"),
    (["sweep", "--factors", "augmnet"], 2, "Did you mean 'augment'?"),
    (["sweep", "--seeds", "many"], 2, "--seeds takes"),
    (["sweep", "--seeds", "9-3"], 2, "9-3 is not a range"),
    (["sweep", "--seeds", "0-99999999"], 2, "not a range of 1 to 10,000 seeds"),
    (["sweep", "--preset", "demo", "--design", "latin"], 2, "Unknown design"),
    (["sweep", "--preset", "demo", "--design", "factorial", "--until-clear"], 2, "--until-clear supports"),
    (["show", "nothing"], 1, "Unknown run"),
    (["predict", "missing.png", "--weights", "missing.pth"], 1, "missing.pth"),
    (["rnu"], 2, "run"),
]


@pytest.mark.parametrize(
    ("arguments", "code", "message"), MISTAKES, ids=lambda value: " ".join(value) if isinstance(value, list) else None
)
def test_a_mistake_is_one_clear_line(project: Path, arguments: Sequence[str], code: int, message: str) -> None:
    answer = ablate(*arguments, folder=project, code=code)
    assert message in " ".join(re.sub(r"[│╭╮╰╯─\n]", " ", answer.stderr).split())
    assert answer.stdout == ""


def test_the_name_of_a_study_is_answered_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "thing.py").touch()
    message = ablate("sweep", "thing", folder=tmp_path, code=2).stderr
    assert message == "error: Unknown study file 'thing'. Did you mean 'experiments/thing.py'?\n"


def test_every_factor_knob_and_setting_has_its_flag() -> None:
    text = ablate("run", "--help-all", folder=Path.cwd()).stdout
    hyperparameters = [setting.name for setting in FACTORS.hyperparameters]
    for name in (*hyperparameters, *(setting.name for setting in SETTINGS)):
        assert "--" + name.replace(".", "-").replace("_", "-") in text
    for factor in FACTORS.values():
        assert f"--[no-]{factor.flag}" in text
        assert factor.help.split()[0] in text


def _wait_for_epoch(folder: Path) -> Path:
    """Wait until a run has recorded two epochs, and return its journal."""

    def running() -> list[Path]:
        runs = [(path, load(path)) for path in Journals(folder / "mlruns" / "journal").paths()]
        return [path for path, run in runs if run and len(run.history) > 2]

    until(lambda: bool(running()), pause=0.1)
    return running()[0]


def _is_stored(folder: Path, path: Path) -> bool:
    """Return whether the run of a journal is in the store, with values of an epoch."""
    with closing(sqlite3.connect(Project(folder).database)) as store:
        query = (
            "select count(*) from metrics join tags using (run_uuid) where tags.key = 'ablate.run' and tags.value = ?"
        )
        return bool(store.execute(query, [path.stem]).fetchone()[0])


LONG = ("--preset", "demo", "--epochs", "400", "--width", "2", "--threads", "1")


@pytest.mark.parametrize(
    ("command", "number"),
    [(["run"], signal.SIGTERM), (["sweep", "--factors", "augment", "--seeds", "1", "--jobs", "1"], signal.SIGINT)],
    ids=["run", "sweep"],
)
def test_what_is_interrupted_is_killed_in_the_store(project: Path, command: list[str], number: signal.Signals) -> None:
    process = start_program(*command, *LONG, folder=project)
    path = _wait_for_epoch(project)
    process.send_signal(number)
    _, messages = process.communicate()
    assert process.returncode == 130
    assert "Interrupted. The same command resumes" in messages
    assert "Traceback" not in messages
    runs = [load(other) for other in Journals(path.parent).paths()]
    assert {run.status for run in runs if run} == {"killed"}
    assert open_tracker(Project.find(project)).find(path.stem).status == "killed"


def test_a_run_that_was_shot_is_closed_by_the_next_command(project: Path) -> None:
    process = start_program("run", *LONG, folder=project)
    path = _wait_for_epoch(project)
    until(lambda: _is_stored(project, path), pause=0.1)
    process.kill_all()
    ablate("run", *TINY, folder=project)
    assert open_tracker(Project.find(project)).find(path.stem).status == "killed"


@pytest.mark.slow
def test_runs_at_once_on_a_fresh_project(project: Path) -> None:
    (project / "mlruns" / "mlflow.db").unlink()
    processes = [
        start_program("run", *TINY, "--epochs", "1", "--seed", str(seed % 2), folder=project) for seed in range(3)
    ]
    for process in processes:
        output, messages = process.communicate()
        assert process.returncode == 0, messages
        assert "test accuracy" in output
    runs = open_tracker(Project.find(project)).runs()
    assert sorted(run.seed for run in runs) == [0, 1], "one seed was asked for twice, and ran once"
    assert all(run.is_result for run in runs)


def test_one_of_a_thing_is_singular(project: Path) -> None:
    arguments = ("sweep", *TINY, "--factors", "dropout", "--seeds", "1", "--dry-run")
    answered = ablate(*arguments, folder=project)
    assert "leave-one-out over 1 factor, 2 variants x 1 seed = 2 runs" in answered.stderr
    assert "2 missing runs: about " in answered.stdout
    assert "a timed pilot of a few steps, without the start of its process and its figures)" in answered.stdout
    assert "1 seed: too few for a verdict, which needs at least 3. The margin of 0.5 points needs " in answered.stdout


SMALL = ("sweep", *TINY, "--factors", "augment,batch-norm", "--name", "small", "--executor", "serial", "--json")


@dataclass(frozen=True)
class Swept:
    """A project with a study, and the answers of the commands that made it."""

    folder: Path
    ahead: dict[str, Any]
    first: dict[str, Any]
    second: dict[str, Any]
    more: dict[str, Any]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Swept:
    folder = tmp_path_factory.mktemp("swept")
    mlflow_project(folder)
    lines = [("--seeds", "1", "--dry-run"), ("--seeds", "1"), ("--seeds", "1"), ("--seeds", "2")]
    return Swept(folder, *[json.loads(ablate(*SMALL, *line, folder=folder).stdout) for line in lines])


def test_a_sweep_from_flags(swept: Swept) -> None:
    assert (swept.ahead["planned"], swept.ahead["reused"]) == (3, 0)
    assert (swept.first["planned"], swept.first["ran"], swept.first["failed"]) == (3, 3, 0)
    assert (swept.second["reused"], swept.second["ran"]) == (3, 0)
    assert (swept.more["reused"], swept.more["ran"]) == (3, 3)
    tracker = open_tracker(Project.find(swept.folder))
    record = tracker.study("small")
    assert len(record.planned_runs) == 6
    assert all(entry.run for entry in record.planned_runs)
    assert record.declared["margin"] == 0.5
    assert {run.study for run in tracker.runs("small")} == {"small"}


def test_comparing_variants_shows_the_spread_over_seeds(swept: Swept) -> None:
    answer = ablate("compare", "baseline", "no-augment", folder=swept.folder)
    rows = [line.split()[0] for line in answer.stdout.partition("metric ")[2].splitlines()[1:] if line]
    assert rows == sorted(rows, key=lambda name: name.startswith("time/"))
    assert rows[-1].startswith("time/")
    accuracy = re.search(r"^test/accuracy +(\S+) ± (\S+) +(\S+) ± (\S+) +(\S+) *$", answer.stdout, re.MULTILINE)
    assert accuracy
    tracker = open_tracker(Project.find(swept.folder))
    for variant, shown_mean, shown_sd in (
        ("baseline", *accuracy.groups()[:2]),
        ("no-augment", *accuracy.groups()[2:4]),
    ):
        scores = [tracker.find(f"{variant}/s{seed}").metrics["test/accuracy"] for seed in (0, 1)]
        assert (shown_mean, shown_sd) == (f"{mean(scores):.4f}", f"{stdev(scores):.4f}")
    assert answer.stderr.endswith("± is the standard deviation over seeds. For intervals: ablate report small\n")


@pytest.mark.slow
def test_a_sweep_that_is_shot_again_and_again_ends_with_every_run_once(project: Path) -> None:
    arguments = ("sweep", *TINY, "--factors", "augment,batch-norm", "--seeds", "2", "--epochs", "30", "--name", "shot")
    for _ in range(3):
        process = start_program(*arguments, folder=project)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(3)
        process.kill_all()
    facts = json.loads(ablate(*arguments, "--json", folder=project).stdout)
    assert facts["failed"] == 0
    assert [run["status"] for run in facts["runs"]] == ["finished"] * 6
    runs = [load(path) for path in Journals(project / "mlruns" / "journal").paths()]
    answered = [run.key for run in runs if run and run.is_result]
    assert len(answered) == len(set(answered)) == 6
    stored = open_tracker(Project.find(project)).runs("shot")
    assert sorted(run.key for run in stored if run.is_result) == sorted(answered)
    assert "running" not in {run.status for run in stored}


def test_a_character_that_the_locale_lacks_is_printed_as_an_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("ablate.cli.app")
    for name in ("share_cores", "reduce_garbage_collection"):
        monkeypatch.setattr(module, name, lambda: None)
    monkeypatch.setattr(module, "app", lambda _: sys.stdout.write("5 \u2013 6"))
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii", write_through=True))
    module.main()
    assert written.getvalue() == b"5 \\u2013 6"

"""`ablate report`: CSV files, MLflow experiments, --json, errors, and no torch."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pandas as pd
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from typer.testing import CliRunner

from ablate.cli.app import app
from ablate.journal.receipt import Receipt, receipt_path
from ablate.report.sources.existing_runs import TableOptions
from ablate.tracking import open_tracker
from ablate.workflows import report_source
from ablate.workflows.report_source import ReportSource
from tests import ROOT
from tests.samples.effects import BASELINE, NO_BATCH_NORM, NO_CLIP, run_table
from tests.samples.external_store import from_experiment
from tests.samples.processes import start_program
from tests.samples.report import record_of, small_study, write_runs
from tests.samples.tracking import mlflow_project, write_run

EVENT_FILES = ROOT / "tests" / "samples" / "event_files"
ARMS = {"baseline": BASELINE, "no-batch-norm": NO_BATCH_NORM, "no-grad-clip": NO_CLIP}


@pytest.fixture
def csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    run_table(ARMS).to_csv("runs.csv", index=False)
    return tmp_path / "runs.csv"


def call(*arguments: str, code: int = 0) -> Any:
    result = CliRunner().invoke(app, ["report", *arguments])
    assert result.exit_code == code, result.output
    return result


def test_help_is_instant_and_names_every_flag() -> None:
    began = time.process_time()
    output = call("--help-all").output
    assert time.process_time() - began < 1
    flags = (
        "runs experiment margin baseline variant-param factor-params seed-param metric metric-goal html check fill json"
    )
    for flag in (*flags.split(), "tracking-uri", "output", "figures", "figure-width"):
        assert f"--{flag}" in output


def test_a_file_of_runs_becomes_a_report_and_an_answer_on_the_terminal(csv: Path) -> None:
    output = call("--runs", "runs.csv", "--html").output
    assert "Established:" in output
    assert "Removing batch norm changed accuracy by -3.02 points [-3." in output
    assert "no-grad-clip" in output
    folder = csv.parent / "reports" / "runs"
    text = (folder / "report.md").read_text()
    assert "ablate report --runs runs.csv" in text
    assert (folder / "report.html").is_file()
    assert output.splitlines()[-2:] == [str(folder / "report.md"), str(folder / "report.html")]
    assert ", 0 wrong" in call("--runs", "runs.csv", "--check", str(folder / "report.md")).output


def test_a_table_of_other_software_is_read_by_its_words(csv: Path) -> None:
    table = run_table(ARMS).rename(columns={"status": "State", "accuracy": "eer"})
    table["State"] = ["crashed" if row % 5 == 4 and row < 10 else "FINISHED" for row in range(len(table))]
    table.to_csv("theirs.csv", index=False)
    asked = call("--runs", "theirs.csv", "--metric", "eer", "--margin", "0.5", code=2).stderr
    assert "--unit fraction" in asked
    facts = json.loads(
        call("--runs", "theirs.csv", "--metric", "eer", "--margin", "0.5", "--unit", "%", "--json").stdout
    )
    assert facts["goal"] == "min"
    assert facts["accounting"]["left_out"] == {"failed": 2, "with a seed that another compared variant lacks": 1}
    assert any("column State (crashed = failed)" in note for note in facts["answer"]["notes"])


def rows_of(arms: dict[str, dict[int, float]]) -> pd.DataFrame:
    rows = [(name, seed, score) for name, scores in arms.items() for seed, score in scores.items()]
    return pd.DataFrame(rows, columns=["variant", "seed", "accuracy"])


def test_a_report_without_common_seeds_fails_in_one_line(csv: Path) -> None:
    rows_of({"baseline": {0: 0.9, 1: 0.91}, "x": {2: 0.8, 3: 0.81}, "y": {4: 0.7}}).to_csv(csv, index=False)
    result = call("--runs", "runs.csv", code=1)
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: The report compares nothing: no seed has a result in both arms of any comparison.")
    assert line.endswith("with --unpaired")
    assert json.loads(call("--runs", "runs.csv", "--json", code=1).stdout)["answer"]["established"] == []
    rows = rows_of({"baseline": {0: 0.9, 1: 0.91}, "x": {0: 0.8, 1: 0.81}}).assign(epoch=3)
    rows.assign(accuracy=["0.9", "0.91", "", ""]).to_csv(csv, index=False)
    (line,) = call("--runs", "runs.csv", code=1).stderr.splitlines()[-1:]
    assert (
        line == "error: The report compares nothing: no run of x has accuracy. Check --metric, its spelling, and --step"
    )
    rows.assign(status=["finished", "finished", "killed", "failed"]).to_csv(csv, index=False)
    (line,) = call("--runs", "runs.csv", code=1).stderr.splitlines()[-1:]
    assert line.startswith("error: The report compares nothing: no run of x has finished. Check the statuses")
    rows.to_csv(csv, index=False)
    (line,) = call("--runs", "runs.csv", "--step", "9", code=1).stderr.splitlines()[-1:]
    assert "no run of baseline, x has accuracy" in line
    rows_of({"baseline": {0: 0.9, 1: 0.91}, "x": {2: 0.8}, "y": {0: 0.7, 1: 0.71}}).to_csv(csv, index=False)
    assert "Variant x: no seed has a result for both x and baseline" in call("--runs", "runs.csv").output
    table = rows_of({"baseline": {0: 0.9, 1: 0.91}, "x": {0: 0.8, 1: 0.81}})
    table["error"] = ["", "", "KeyError", "KeyError"]
    table.to_csv(csv, index=False)
    assert "compares nothing" in call("--runs", "runs.csv", code=1).stderr


def test_one_common_seed_is_too_few_for_a_verdict(csv: Path) -> None:
    rows_of({"baseline": {0: 0.9, 1: 0.91}, "x": {1: 0.8, 3: 0.81}}).to_csv(csv, index=False)
    text = "No comparison has more than one seed with a result in both arms, so there are no verdicts"
    assert text in call("--runs", "runs.csv").output
    rows_of({"baseline": {0: 0.9, 1: 0.91, 2: 0.9}, "x": {0: 0.8, 1: 0.81, 2: 0.8}}).to_csv(csv, index=False)
    assert text not in call("--runs", "runs.csv").output


def test_a_run_with_an_error_is_left_out(csv: Path) -> None:
    run_table(ARMS).assign(exception=["", "CUDA out of memory", *[""] * 13]).to_csv(csv, index=False)
    output = call("--runs", "runs.csv").output
    assert "14 finished, 1 failed" in output
    assert "status: column status and exception (any text = failed)" in output


def test_several_files_are_one_table(csv: Path) -> None:
    table = pd.read_csv("runs.csv", dtype=str)
    table.iloc[:5].to_json("first.jsonl", orient="records", lines=True)
    table.iloc[5:].to_csv("rest.csv", index=False)
    whole = json.loads(call("--runs", "runs.csv", "--json").stdout)
    parts = json.loads(call("--runs", "first.jsonl", "--runs", "rest.csv", "--json").stdout)
    assert parts["effects"] == whole["effects"]
    assert parts["study"] == "first"
    report = (csv.parent / "reports" / "first" / "report.md").read_text()
    assert "ablate report --runs first.jsonl --runs rest.csv" in report
    assert "2 files (first.jsonl, rest.csv)" in report


def test_an_optuna_study(csv: Path) -> None:
    storage = JournalStorage(JournalFileBackend("tuning.log"))
    study = optuna.create_study(storage=storage, study_name="theirs", direction="maximize")
    study.sampler = optuna.samplers.GridSampler({"optimizer": ["sgd", "adam"], "seed": [0, 1, 2]}, seed=0)

    def objective(trial: optuna.Trial) -> float:
        score = 0.9 - 0.01 * trial.suggest_int("seed", 0, 2)
        return score - 0.1 * (trial.suggest_categorical("optimizer", ["sgd", "adam"]) == "adam")

    study.optimize(objective, n_trials=6)
    asked = ["--optuna", "tuning.log", "--variant-param", "optimizer", "--baseline", "sgd"]
    facts = json.loads(call(*asked, "--unit", "fraction", "--json").stdout)
    assert facts["study"] == "tuning"
    assert [(row["variant"], round(row["delta"], 6)) for row in facts["effects"]] == [("adam", -10.0)]
    assert json.loads(call(*asked, "--study", "theirs", "--unit", "fraction", "--json").stdout)["study"] == "theirs"
    report = (csv.parent / "reports" / "theirs" / "report.md").read_text()
    assert "ablate report --optuna tuning.log --study theirs" in report


def test_tensorboard_logs_need_a_step(csv: Path) -> None:
    for seed in range(3):
        for variant in ("base", "resumed"):  # at 0.25 until step 7, and continued at 0.5 from step 2 to 5
            folder = shutil.copytree(EVENT_FILES / "tensorboardx" / "resumed", f"logs/{variant}-seed{seed}")
            if variant == "base":
                max(Path(folder).iterdir()).unlink()
    asked = ["--tensorboard", "logs", "--metric", "val/acc", "--baseline", "base"]
    stderr = call(*asked, code=2).stderr
    assert "val/acc has up to 8 values per run (steps 0 to 7). Choose one with --step last" in stderr
    facts = json.loads(call(*asked, "--step", "last", "--json").stdout)
    assert [(row["variant"], row["delta"]) for row in facts["effects"]] == [("resumed", 25.0)]
    report = (csv.parent / "reports" / "logs" / "report.md").read_text()
    assert "variant and seed by the names of the runs; last recorded val/acc of each run" in report
    assert "3 runs end before step 7 of val/acc: resumed-seed0 (step 5)" in report
    assert "ablate report --tensorboard logs" in report


def test_figures_for_a_paper_are_next_to_the_png_and_go_with_the_next_report(csv: Path) -> None:
    arguments = ("--runs", str(csv), "--margin", "0.5")
    written = json.loads(call(*arguments, "--figures", "svg,pdf,png", "--figure-width", "column", "--json").output)
    figures = {name for name in written["files"] if name.startswith("figures/")}
    drawn = {f"figures/{name}.{kind}" for name in ("forest", "slopes", "noise") for kind in ("png", "pdf", "svg")}
    assert figures == drawn | {f"figures/{name}-narrow.png" for name in ("forest", "slopes", "noise")}
    report = csv.parent / "reports" / "runs" / "report.md"
    assert "as PDF and SVG next to the PNG (3.3 inches, one of two columns)" in report.read_text(encoding="utf-8")
    assert ".pdf)" not in report.read_text(encoding="utf-8")
    (report.parent / "figures" / "mine.pdf").write_bytes(b"")
    again = json.loads(call(*arguments, "--json").output)["files"]
    assert {name for name in again if not name.endswith(".png") and name.startswith("figures/")} == {"figures/mine.pdf"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--figures", "eps"], "Unknown format of figures 'eps'. Use pdf, svg or pdf,svg"),
        (["--figures", ""], "Unknown format of figures ''. Use pdf"),
        (["--figure-width", "column"], "--figure-width is for --figures pdf and --figures svg"),
        (["--figures", "pdf", "--figure-width", "3in"], "--figure-width must be page or column, not '3in'"),
        (["--fill", "README.md", "--figures", "pdf"], "write no report. Omit --html, --output and --figures"),
    ],
)
def test_wrong_figures_are_a_usage_error(csv: Path, arguments: list[str], words: str) -> None:
    assert words in " ".join(call("--runs", str(csv), *arguments, code=2).output.split())


def test_json_is_one_object_and_nothing_else(csv: Path) -> None:
    result = call("mine", "--runs", "runs.csv", "--json", "--output", "elsewhere", "--margin", "0.4")
    facts = json.loads(result.stdout)
    assert facts["study"] == "mine"
    assert facts["margin"] == 0.4
    assert {row["variant"] for row in facts["effects"]} == {"no-batch-norm", "no-grad-clip"}
    assert (csv.parent / "elsewhere" / "report.md").is_file()
    assert [row["mde_reason"] for row in facts["effects"]] == [None, None]


@pytest.mark.parametrize(
    ("variant", "reason"),
    [
        ([0.8, 0.9], "fewer than 3 seeds"),
        ([0.8, 0.81, 0.82], "the difference does not vary"),
        ([0.8, 0.9, 0.85], None),
    ],
)
def test_json_states_why_no_difference_is_detectable(csv: Path, variant: list[float], reason: str | None) -> None:
    rows_of({"baseline": {0: 0.7, 1: 0.71, 2: 0.72}, "x": dict(enumerate(variant))}).to_csv(csv, index=False)
    (row,) = json.loads(call("--runs", "runs.csv", "--json").stdout)["effects"]
    assert row["mde_reason"] == reason
    assert (row["mde"] is None) == (reason is not None)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "Name a study"),
        (["--runs", "a.csv", "--experiment", "b"], 2, "--runs and --experiment exclude each other. Give one of them"),
        (["--runs", "a.csv", "--tensorboard", "b"], 2, "--runs and --tensorboard exclude each other. Give one of them"),
        (["--folder", "none"], 1, "Folder not found: none"),
        (["--folder", "."], 1, "No files of metrics (metrics.csv, trainer_state.json, results.json, ...)"),
        (["--folder", "."], 1, "...) in /"),
        (["--tensorboard", "."], 1, "No TensorBoard event files (*tfevents*) in /"),
        (["--folder", "a", "--tensorboard", "b"], 2, "--folder and --tensorboard exclude each other"),
        (["--wandb", "none"], 1, "Folder not found: none"),
        (["--optuna", "none.db"], 1, "File not found: none.db"),
        (["--study", "a"], 2, "--study is for --optuna"),
        (["--optuna", "a.db", "--folder", "b"], 2, "--folder and --optuna exclude each other"),
        (["--tensorboard", "none"], 1, "Folder not found: none"),
        (["--runs", "runs.csv", "--step", "first"], 2, "Unknown step 'first'"),
        (["demo", "--step", "last"], 2, "--step is for runs of other programs"),
        (["--runs", "none.csv"], 1, "File not found: none.csv"),
        (["--runs", "runs.csv", "--metric-goal", "up"], 2, "max or min"),
        (["--runs", "runs.csv", "--margin", "0"], 2, "above 0"),
        (["--runs", "runs.csv", "--metric", "tset_accuracy"], 2, "Did you mean 'accuracy'"),
        (["--runs", "runs.csv", "--check", "none.md"], 2, "File not found: none.md"),
        (["--runs", "runs.csv", "--check", "runs.csv", "--fill", "runs.csv"], 2, "exclude each other"),
        (["--runs", "runs.csv", "--check", "runs.csv", "--html"], 2, "write no report. Omit --html"),
        (["--check", "runs.csv", "--margin", "0.1"], 2, "are for one study. Name it"),
        (
            ["--runs", "runs.csv", "--check", "runs.csv"],
            1,
            "Nothing of runs is marked in runs.csv. Mark numbers as <!--",
        ),
        (["--fill", "runs.csv"], 1, "Nothing is marked in runs.csv"),
        (["demo", "--metric-goal", "min"], 2, "--metric-goal is for runs of other programs"),
        (["demo", "--unit", "own"], 2, "--unit is for runs of other programs"),
        (["--runs", "runs.csv", "--unit", "fracton"], 2, "Did you mean 'fraction'"),
        (["--runs", "runs.csv", "--status-param", "stats"], 2, "Did you mean 'status'"),
    ],
)
def test_mistakes_are_one_line(csv: Path, arguments: list[str], code: int, words: str) -> None:
    result = call(*arguments, code=code)
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (csv.parent / "reports").exists()


def foreign_experiment(root: Path) -> Any:
    """What a script with plain MLflow calls leaves: params, a metric, a parent run, a failed and a running one."""
    project = mlflow_project(root)
    tracker = open_tracker(project)
    assert tracker.runs() == []
    from mlflow import MlflowClient

    client = MlflowClient(project.tracking_uri())
    experiment = client.create_experiment("theirs", artifact_location=(root / "artifacts").as_uri())
    client.create_run(experiment, run_name="sweep")
    for model, values in ARMS.items():
        for number, value in enumerate(values):
            run = client.create_run(experiment, run_name=f"{model}-{number}").info.run_id
            client.log_param(run, "model", model)
            client.log_param(run, "random_state", number)
            client.log_param(run, "amp", model != "no-grad-clip")
            client.log_metric(run, "val_acc", 0.5)
            client.log_metric(run, "val_acc", value / 100, step=2 if (model, number) == ("no-batch-norm", 1) else 9)
            client.set_terminated(run, "FAILED" if (model, number) == ("no-grad-clip", 4) else "FINISHED")
    return project


def test_an_experiment_of_other_code_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    tracker = open_tracker(foreign_experiment(tmp_path / "project"))
    options = TableOptions(variant="model", seed="random_state", metric="val_acc")
    found = from_experiment("theirs", tracker, options)
    assert found.counts.statuses == {"finished": 14, "failed": 1}
    assert any("excluded" in text and "sweep" in text for text in found.cautions)
    assert any(text.startswith("1 run ends before step 9 of val_acc: ") for text in found.cautions)
    from ablate.report.analysis import analyse

    batch_norm, clip = analyse(found).effects
    assert batch_norm.delta == pytest.approx(-3.022)
    assert clip.n == 4
    by_factor = from_experiment("theirs", tracker, TableOptions(factors=("amp",), seed="random_state", metric="val_acc",
                                                           variant="model"))  # fmt: skip
    assert {row.variant: row.factor for row in by_factor.comparisons} == {"no-batch-norm": "", "no-grad-clip": "amp"}


@pytest.mark.slow
def test_a_study_is_reported_without_torch(tmp_path: Path) -> None:
    project = mlflow_project(tmp_path / "project")
    study = small_study(seeds=3)
    tracker = open_tracker(project)
    tracker.open_study(record_of(study))
    for journal in write_runs(study, project.journals):
        tracker.deliver(journal)
    program = (
        "import sys\nfrom ablate.cli.app import main\nsys.argv = ['ablate', 'report', 'small', '--html']\n"
        "if __name__ == '__main__':\n"
        "    try:\n        main()\n    finally:\n        print('torch' in sys.modules, 'optuna' in sys.modules)\n"
    )
    started = start_program(code=program, folder=project.root, without=("torch", "optuna"))
    output, errors = started.communicate()
    assert started.returncode == 0, errors
    assert output.splitlines()[-1] == "False False"
    text = (project.root / "reports" / "small" / "report.md").read_text()
    assert re.search(r"15 runs planned; 15 finished", text)
    stored = tracker.runs("small")
    assert len(stored) == 15
    kept = list((project.root / "mlruns" / "artifacts").glob("*/artifacts/report/report.md"))
    assert [path.read_text() for path in kept] == [text]


def test_a_store_of_other_programs_names_its_experiments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    project = foreign_experiment(tmp_path / "project")
    monkeypatch.chdir(project.root)
    receipt = Receipt("another store", "0", 1, 0, 0, closed=True)
    receipt_path(write_run(project)).write_text(json.dumps(asdict(receipt)))  # a run in another store
    listed = CliRunner().invoke(app, ["list"])
    assert "Experiments of other programs (--experiment NAME): theirs" in listed.stderr
    mistyped = "error: Unknown experiment 'their'. Did you mean 'theirs'? Known: "
    assert CliRunner().invoke(app, ["list", "--experiment", "their"]).stderr.startswith(mistyped)
    assert call("--experiment", "their", "--metric", "val_acc", code=1).stderr.startswith(mistyped)


def test_the_report_of_an_experiment_spares_those_of_a_study_and_of_another_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    project = foreign_experiment(tmp_path / "project")
    study = project.reports / "theirs" / "report.md"
    study.parent.mkdir(parents=True)
    study.write_text("# The study of that name\n")
    options = TableOptions(variant="model", seed="random_state", metric="val_acc", margin=0.5)
    with closing(sqlite3.connect(project.database)) as one, closing(sqlite3.connect(tmp_path / "other.db")) as other:
        one.backup(other)

    def written(uri: str) -> str:
        source = ReportSource("theirs", project, options, experiments=["theirs"], tracking_uri=uri)
        monkeypatch.setattr(report_source, "write_report", lambda _, folder, **__: _empty_report(folder))
        return source.write(None, as_html=False).folder.name

    stores = [project.tracking_uri(), f"sqlite:///{tmp_path}/other.db"]
    found = [written(uri) for uri in (*stores, *stores)]
    assert found == ["experiment-theirs", "experiment-theirs-2", "experiment-theirs", "experiment-theirs-2"]
    assert study.read_text() == "# The study of that name\n"


def _empty_report(folder: Path) -> Any:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text("")
    return SimpleNamespace(folder=folder)

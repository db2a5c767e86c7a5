"""`ablate tune` of custom trainings: logged and returned metrics, an offline and an unreachable store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ablate import Metric, from_function
from ablate.errors import UsageError
from ablate.journal.run_journal import Journals, Run, load
from ablate.runs.runner import RunOptions
from ablate.studies.conditions import Conditions
from ablate.studies.job import Data
from ablate.studies.recipe import Recipe
from ablate.tracking import JournalTracker, Project, open_tracker
from ablate.tuning.space import space_of
from ablate.tuning.trials import TrialTask
from ablate.tuning.types import Objective, SearchSpec, SearchStorage, objectives_of
from ablate.workloads.custom.study_file import load_study
from tests.cli.test_commands import ablate
from tests.samples.custom import written
from tests.samples.servers import free_port

COOKED = '''
"""Does sugar matter?"""

from ablate import Metric, Range, Study, from_function

def train(recipe, log):
    found = 0.9 - 0.1 * (recipe["heat"] - 4) ** 2 / 16 - 0.05 * (not recipe["sugar"])
    log(1, val_taste=found / 2)
    log(2, val_taste=found)
    return {"taste": 0.0 if recipe["heat"] > 2 else 1.0, "parameters": 7}

study = Study(
    workload=from_function(
        train,
        factors=dict(sugar="sweeten it"),
        settings=dict(heat=1.0, stirs=3),
        ranges=dict(heat=Range(0, 8)),
        metric=Metric("taste"),
        validation=Metric("val_taste"),
    ),
    seeds=2,
)
'''
RETURNED = COOKED.replace("    log(2, val_taste=found)\n", "").replace(
    '"parameters"', '"val_taste": found, "parameters"'
)
TUNE = ("tune", "own.py", "--trials", "4", "--executor", "serial")


@pytest.fixture
def project(project: Path) -> Path:
    written(project, COOKED)
    return project


def test_settings_of_a_custom_training_are_tuned_and_saved_as_a_study(project: Path) -> None:
    answer = ablate(*TUNE, "--jobs", "1", "--save", "better/tuned.py", "--json", folder=project)
    facts = json.loads(answer.stdout)
    assert (facts["trials"], facts["failed"], facts["objectives"]) == (4, 0, ["val_taste"])
    assert facts["baseline"]["params"] == {"heat": 1.0}, "stirs has no range"
    assert facts["baseline"]["values"] == [pytest.approx(0.84375)], "the last that was logged, not the first"
    assert facts["best"]["values"][0] > 0.85, "by the validation metric: the results say the opposite"
    assert "heat 1.0, stirs 3" in answer.stderr
    text = (project / "reports" / "own-tuning" / "report.md").read_text()
    assert "# own-tuning (own, preset default: stirs 3, data not named)" in text
    assert "ablate tune own.py --trials 4" in text
    tuned = load_study(project / "better" / "tuned.py")
    assert tuned.baseline.settings == {"heat": facts["best"]["params"]["heat"], "stirs": 3}
    assert tuned.workload.study_file == load_study(project / "own.py").workload.study_file, (
        "the runs of both may stand in one table"
    )
    swept = ablate("sweep", "better/tuned.py", "--executor", "serial", "--json", folder=project)
    assert json.loads(swept.stdout)["failed"] == 0


def test_a_returned_metric_can_be_the_objective(project: Path) -> None:
    written(project, RETURNED)
    facts = json.loads(ablate(*TUNE, "--multi", "val_taste,parameters", "--json", folder=project).stdout)
    assert facts["baseline"]["values"] == [pytest.approx(0.84375), 7]
    assert facts["failed"] == 0


@pytest.mark.slow
def test_each_variant_of_a_custom_training_is_tuned(project: Path) -> None:
    arguments = ("tune", "own.py", "--per-variant", "--trials", "2", "--final-seeds", "3", "--executor", "serial")
    ablate(*arguments, folder=project)
    text = (project / "reports" / "own-retuned" / "report.md").read_text()
    assert "Removing sugar, both variants re-tuned" in text
    assert "<b>Drop-in and re-tuned</b>" in text


@pytest.mark.parametrize(
    ("change", "flags", "words"),
    [
        (("validation=Metric('val_taste'),", ""), (), "own has no validation metric to tune. Add validation="),
        (("'val_taste'),\n    ),", "'taste'),\n    ),"), (), "validation must not be taste, the metric of the results"),
        (("", ""), ("--space", "heet"), "Did you mean 'heat'"),
        (("", ""), ("--space", "stirs"), "--space stirs=1:10"),
        (("", ""), ("--lr", "1"), "--lr applies to resnet9, but this study trains own"),
        (("", ""), ("--dataset", "digits"), "the built-in images"),
        (("ranges=dict(heat=Range(0, 8)),", ""), (), "This recipe has nothing to tune. Give a setting a range"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(project: Path, change: tuple[str, str], flags: tuple[str, ...], words: str) -> None:
    written(project, COOKED.replace('"', "'").replace("'''", '"""').replace(*change))
    told = ablate(*TUNE, *flags, folder=project, code=2).stderr
    assert words in " ".join(told.split())
    assert "Traceback" not in told
    assert not list((project / "mlruns").rglob("*.jsonl"))


def test_a_training_without_its_validation_metric_is_an_error(project: Path) -> None:
    written(project, COOKED.replace("val_taste=found", "tasted=found"))
    told = ablate(*TUNE, "--max-failures", "1", folder=project, code=1).stderr
    assert "baseline/s0 neither logged nor returned val_taste" in told


def test_a_validation_metric_in_percent_ends_the_search(project: Path) -> None:
    written(project, COOKED.replace("found = ", "found = 90 + "))
    told = ablate(*TUNE, folder=project, code=2).stderr
    assert "val_taste is 90.8438, but val_taste is a fraction, from 0 to 1" in " ".join(told.split())
    assert "Traceback" not in told


def test_validation_must_be_another_metric() -> None:
    declared: dict[str, Any] = {"factors": {"sugar": "sweet"}, "metric": Metric("taste")}
    with pytest.raises(UsageError, match="validation must be a metric"):
        from_function(print, **declared, validation="val_taste")
    with pytest.raises(UsageError, match="val_taste is reserved"):
        from_function(print, **declared, settings={"val_taste": 1}, validation=Metric("val_taste"))


def test_the_floor_applies_to_metrics_of_the_same_kind(project: Path) -> None:
    """What guessing scores in accuracy would be a splendid loss."""
    for validation, floor in ((Metric("val_taste"), 0.1), (Metric("val_loss", goal="min"), None)):
        workload = from_function(
            print, factors={"sugar": "x"}, settings={"heat": 1.0}, metric=Metric("taste"), validation=validation
        )
        base = Recipe.of(workload)
        objectives = objectives_of(validation, "own")
        spec = SearchSpec("x", base, space_of(base, ["heat=1:2"]), (0,), objectives, "none", 0, 1)
        storage, data = SearchStorage("x.log", project), Data("x", "none", 0.1)
        task = TrialTask(spec, storage, data, Conditions("cpu", "own", 1), RunOptions(project), project)
        assert task.floor == floor


def finished(project: Path) -> list[Run]:
    runs = [load(path) for path in Journals(Project(project).journals).paths()]
    return [run for run in runs if run and run.status == "finished"]


def test_a_returned_value_takes_precedence_over_logged_ones(project: Path) -> None:
    ablate(*TUNE, "--trials", "1", "--offline", folder=project)
    (run,) = finished(project)
    objective = Objective("val_taste", "val_taste", "max", of_history=True)
    assert objective.value(run, None) == pytest.approx(0.84375)
    run.metrics["final/val_taste"] = 0.5  # type: ignore[index]  # a dictionary, in fact
    assert objective.value(run, None) == 0.5


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="one recipe"),
        pytest.param(("--per-variant", "--final-seeds", "2"), id="every variant"),
    ],
)
def test_a_search_without_a_reachable_store_is_delivered_later(
    project: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    address = f"http://127.0.0.1:{free_port()}"
    command = (*TUNE, "--trials", "2", "--name", "alone", *options)
    answer = ablate(*command, "--tracking-uri", address, folder=project)
    assert answer.stderr.count("does not answer") == 1, answer.stderr
    assert (project / "reports" / "alone" / "report.md").is_file()
    made = len(finished(project))
    ablate("list", folder=project)
    tracker = open_tracker(Project.find(project))
    assert len(tracker.runs("alone")) == made, "each command that reads the store delivers first"
    record = tracker.study("alone")
    assert record.status == "finished"
    assert len(record.planned_runs) == (8 if options else 2)
    assert "val taste" in (project / "reports" / "alone" / "report.md").read_text()
    again = ablate(*command, "--json", folder=project)
    assert len(finished(project)) == made, "no run is repeated"
    assert json.loads(again.stdout)["failed"] == 0


def test_an_offline_search(project: Path) -> None:
    store = project / "mlruns" / "mlflow.db"
    store.unlink()
    ablate(*TUNE, "--offline", "--name", "alone", folder=project)
    assert not store.exists()
    assert JournalTracker(Project(project)).study("alone").status == "finished"
    report = project / "reports" / "alone" / "report.md"
    text = report.read_text()
    report.unlink()
    answer = ablate("report", "alone", "--offline", folder=project)
    assert report.read_text() == text
    assert "val taste" in answer.stdout

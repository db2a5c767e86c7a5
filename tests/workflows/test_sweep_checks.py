"""What a sweep checks of a study's own training: fractions, names that are not read, floors, failed runs."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ablate.errors import UsageError, UserError
from ablate.journal.run_journal import Journals
from ablate.report.sources.study import from_study
from ablate.runs.executors import SerialExecutor
from ablate.runs.forecast import Sensitivity
from ablate.runs.runner import RunOptions
from ablate.runs.sweep import plan_runs
from ablate.stats.effects import SeedsRange
from ablate.studies.conditions import Conditions
from ablate.studies.study import Study
from ablate.tracking import JournalTracker, Project, StudyRecord
from ablate.workflows.dry_run import print_dry_run
from ablate.workflows.study_recorder import StudyRecorder
from ablate.workflows.sweep import SweepSession
from ablate.workflows.sweep_plan import describe_power
from ablate.workloads.custom.study_file import load_study
from ablate.workloads.dispatch import open_data
from tests.samples.custom import written

STUDY = """
    from ablate import Metric, Study, from_function

    def train(recipe, log):
        if recipe["broken"] and recipe.seed == 1:
            log(1, loss=float("nan"))
        return recipe["score"] + 0.01 * recipe.seed if recipe["work"] else 1 / 0

    factors, settings = {"work": "", "broken": ""}, {"score": 0.5}
    study = Study(workload=from_function(train, factors=factors, settings=settings, metric=Metric("acc")), seeds=2)
"""


@pytest.mark.parametrize("key", ["file", "declared_in"])
def test_another_file_cannot_take_the_name_of_a_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.chdir(tmp_path)
    journals = Journals(tmp_path / "mlruns" / "journal")
    recorder = StudyRecorder("s", JournalTracker(Project(tmp_path)), journals)
    records = [StudyRecord("s", "", {"code": name}, [], details={key: f"{name}/s.py"}) for name in "xyx"]
    for name in "xy":
        written(tmp_path, "", f"{name}/s.py")
    recorder.open(records[0])
    with pytest.raises(UserError, match=r"s is the study of x/s\.py in this project, and y/s\.py .*--name y-s"):
        recorder.open(records[1])
    recorder.open(records[2])
    (tmp_path / "x" / "s.py").rename(tmp_path / "x" / "old.py")
    recorder.open(records[1])
    recorder.open(StudyRecord("s", "", {}, []))


def test_a_study_of_the_built_in_training_records_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "from ablate import Study\nstudy = Study(seeds=2)\n", "a/demo.py")
    study = load_study("a/demo.py").change(seeds=3)
    assert study.design_as_dict()["declared_in"] == "a/demo.py"
    assert "declared_in" not in Study().design_as_dict()


def session(folder: Path, text: str, **values: Any) -> SweepSession:
    study = load_study(written(folder, text)).change(**values)
    journals = Journals(folder / "mlruns" / "journal")
    planned = plan_runs(study.recipes(), open_data(study.baseline, None), Conditions("cpu", "own", 1), journals)
    recorder = StudyRecorder(study.name, JournalTracker(Project(folder)), journals)
    return SweepSession(study, planned, journals, RunOptions(folder, study.name), SerialExecutor(), recorder)


def test_failed_runs_are_not_reused_ones(tmp_path: Path) -> None:
    first = session(tmp_path, STUDY, factors=["work"], off=["broken"])
    first.run()
    assert counts(first) == {"planned": 4, "reused": 0, "ran": 4, "failed": 2}
    again = session(tmp_path, STUDY, factors=["work"], off=["broken"])
    again.run()
    assert counts(again) == {"planned": 4, "reused": 2, "ran": 0, "failed": 2}


def counts(one: SweepSession) -> dict[str, int]:
    return {name: one.summary(1.0)[name] for name in ("planned", "reused", "ran", "failed")}


def test_a_fraction_that_is_a_percentage_ends_the_sweep_and_the_run_stays(tmp_path: Path) -> None:
    values = {"factors": ["broken"], "values": {"score": 93.0}}
    with pytest.raises(
        UsageError, match=r'acc of baseline/s0 is 93, .* declare Metric\("acc", unit="%"\) or divide it'
    ):
        session(tmp_path, STUDY, **values).run()
    with pytest.raises(UsageError, match="acc of baseline/s0 is 93"):
        session(tmp_path, STUDY, **values)
    with pytest.raises(UsageError, match="acc of baseline/s0 is 93"):
        from_study("own", JournalTracker(Project(tmp_path)))
    mended = session(tmp_path, STUDY.replace('Metric("acc")', 'Metric("acc", unit="%")'), **values)
    mended.run()
    assert counts(mended)["reused"] == 1
    study = from_study("own", JournalTracker(Project(tmp_path)))
    assert study.metric.with_unit("0.5") == "0.5 %"


def test_a_floor_that_is_declared_later_applies_to_earlier_runs(tmp_path: Path) -> None:
    session(tmp_path, STUDY, factors=["broken"]).run()
    assert statuses(tmp_path) == ["finished", "finished", "unstable", "finished"]
    later = session(tmp_path, STUDY.replace("settings=settings", "floor=0.455, settings=settings"), factors=["broken"])
    assert later.cautions == [], "an unstable run records its code, too"
    assert not later.is_recorded
    later.run()
    assert counts(later) == {"planned": 4, "reused": 4, "ran": 0, "failed": 0}
    assert [row["status"] for row in later.summary(1.0)["runs"]] == statuses(tmp_path)
    assert statuses(tmp_path) == ["unstable", "unstable", "unstable", "finished"]
    study = from_study("own", JournalTracker(Project(tmp_path)))
    assert study.metric.floor == 0.455
    assert study.runs["acc"].tolist() == pytest.approx([0.5, 0.5, 0.455, 0.51])


def statuses(folder: Path) -> list[str]:
    """Return the statuses in the report: seed 0 of baseline and no-broken, then seed 1."""
    return list(from_study("own", JournalTracker(Project(folder))).runs["status"])


IGNORES = (
    STUDY.replace('recipe["work"]', "True").replace(" + 0.01 * recipe.seed", "").replace(" and recipe.seed == 1", "")
)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, ["train never reads recipe['work']", "train never reads recipe.seed"]),
        ({"seeds": 1}, ["train never reads recipe['work']"]),
        ({"factors": ["broken"]}, ["train never reads recipe.seed"]),
    ],
)
def test_names_that_the_training_ignores_are_named_in_the_dry_run(
    tmp_path: Path, values: dict[str, Any], expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    one = session(tmp_path, IGNORES, **values)
    print_dry_run(one, as_json=True)
    found = json.loads(capsys.readouterr().out)["cautions"]
    assert [text.partition(":")[0].partition(". ")[0] for text in found] == expected
    assert one.summary(1.0)["cautions"] == found
    assert session(tmp_path, STUDY, **values).cautions == []


@pytest.mark.parametrize(
    ("power", "words"),
    [
        ((math.inf, 14.2, 2), "2 seeds: too few for a verdict, which needs at least 3. The margin"),
        ((math.inf, 14.2, 3), "3 seeds detect only differences above 14 points. The margin"),
        ((1.26, 14.2, 5), "5 seeds detect 1.3 points or more. The margin of 0.5 points needs 20 seeds"),
        ((math.inf, 1.0, 1), "1 seed: too few for a verdict, which needs at least 3. The margin"),
    ],
)
def test_the_power_of_a_dry_run_in_words(power: tuple[float, float, int], words: str, tmp_path: Path) -> None:
    detectable, undetectable, seeds = power
    one = replace(session(tmp_path, STUDY).study, seeds=seeds, margin=0.5)
    known = Sensitivity(detectable, undetectable, SeedsRange(20, 20), 1.0, "an assumption")
    assert describe_power(known, one).startswith(words)

"""Forecasts of duration and statistical power."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from ablate.journal.run_journal import Journals
from ablate.runs.forecast import forecast, sensitivity, similar
from ablate.runs.sweep import plan_runs
from ablate.stats.effects import seeds_range
from ablate.studies.job import Job
from ablate.studies.study import Study
from tests.samples import levels, toy
from tests.samples.sweeps import CONDITIONS, planned, study, sweep


def test_a_forecast_from_earlier_runs(tmp_path: Path) -> None:
    journals = Journals(tmp_path / "mlruns" / "journal")
    assert forecast(planned(study(), journals), journals, 2) is None, "no earlier runs, and the workload has no pilot"
    guess = sensitivity(study(seeds=5), planned(study(), journals), journals)
    assert guess is not None
    assert "an assumption" in guess.basis
    assert guess.seeds_needed is not None
    assert guess.seeds_needed.low == guess.seeds_needed.high
    sweep(study(seeds=4), tmp_path)
    entries = planned(study(seeds=6), journals)
    ahead = forecast(entries, journals, 2)
    assert ahead is not None
    assert ahead.missing == 8
    assert ahead.seconds == pytest.approx(4 * ahead.seconds_each)
    power = sensitivity(study(seeds=6), entries, journals)
    assert power is not None
    assert power.basis == "4 earlier runs of the baseline"
    assert power.seeds_needed is None, "from fewer than 5 seeds no number is given"
    assert len(similar(entries[0].job, journals)) == 16
    assert similar(Job(entries[0].job.recipe.change({"epochs": 3}), entries[0].job.data, CONDITIONS), journals) == []


def test_the_seeds_needed_are_a_range_for_the_sd_of_earlier_runs(tmp_path: Path) -> None:
    asked = study(seeds=6, margin=0.5)
    sweep(asked, tmp_path)
    journals = Journals(tmp_path / "mlruns" / "journal")
    power = sensitivity(asked, planned(asked, journals), journals)
    assert power is not None
    assert power.basis == "6 earlier runs of the baseline"
    comparisons = len(asked.comparisons())
    assert power.seeds_needed == seeds_range(0.5, math.sqrt(2) * power.sd, 6, comparisons)
    assert " to " in power.seeds_needed.words


def test_runs_by_another_version_of_the_code_do_not_count(tmp_path: Path) -> None:
    sweep(study(seeds=4), tmp_path)
    edited = study(seeds=6, workload=replace(toy.WORKLOAD, version="edited"))
    journals = Journals(tmp_path / "mlruns" / "journal")
    power = sensitivity(edited, planned(edited, journals), journals)
    assert power is not None
    assert power.basis == "an assumption, without earlier runs of the baseline"


def test_runs_of_different_scales_are_estimated_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ablate.runs.forecast.estimate", lambda job: 10.0 * job.recipe["portions"])
    journals = Journals(tmp_path / "mlruns" / "journal")
    asked = Study(workload=levels.WORKLOAD, vary={"portions": [2, 4], "heat": [1, 2]}, seeds=2)
    ahead = forecast(plan_runs(asked.recipes(), toy.open_data(None, None), CONDITIONS, journals), journals, 1)
    assert ahead is not None
    assert ahead.seconds == pytest.approx(2 * (20 + 40 + 20))


def test_each_journal_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ablate.runs.forecast.estimate", lambda job: 1.0)
    sweep(study(seeds=1), tmp_path)
    journals, reads = Journals(tmp_path / "mlruns" / "journal"), list[Path]()
    asked = Study(workload=levels.WORKLOAD, vary={"portions": [2, 4, 6, 8]}, seeds=1)
    missing = plan_runs(asked.recipes(), toy.open_data(None, None), CONDITIONS, journals)
    read = Journals.read
    monkeypatch.setattr(Journals, "read", lambda self, path: reads.append(path) or read(self, path))
    assert forecast(missing, journals, 1) is not None
    assert len(reads) == len(set(reads)) > 0

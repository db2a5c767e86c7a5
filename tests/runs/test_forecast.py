"""Forecasts of duration and statistical power."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablate.journal.run_journal import Journals
from ablate.runs.forecast import forecast, sensitivity, similar
from ablate.studies.job import Job
from tests.samples.sweeps import CONDITIONS, planned, study, sweep


def test_a_forecast_from_earlier_runs(tmp_path: Path) -> None:
    journals = Journals(tmp_path / "mlruns" / "journal")
    assert forecast(planned(study(), journals), journals, 2) is None, "no earlier runs, and the workload has no pilot"
    guess = sensitivity(study(seeds=5), planned(study(), journals), journals)
    assert guess is not None
    assert "an assumption" in guess.basis
    sweep(study(seeds=4), tmp_path)
    entries = planned(study(seeds=6), journals)
    ahead = forecast(entries, journals, 2)
    assert ahead is not None
    assert ahead.missing == 8
    assert ahead.seconds == pytest.approx(4 * ahead.seconds_each)
    power = sensitivity(study(seeds=6), entries, journals)
    assert power is not None
    assert power.basis == "4 earlier runs of the baseline"
    assert len(similar(entries[0].job, journals)) == 16
    assert similar(Job(entries[0].job.recipe.change({"epochs": 3}), entries[0].job.data, CONDITIONS), journals) == []

"""Tuning of one recipe: reports of several objectives and of pruned trials."""

from __future__ import annotations

from pathlib import Path

from ablate.report.sources.readers.csv_runs import read_csv
from ablate.workflows.tune_recipe import tune_recipe
from tests.samples.memory_tracker import MemoryTracker
from tests.samples.tune import TRIALS, fair_study, tune_context


def test_a_search_of_one_recipe_with_two_objectives(tmp_path: Path) -> None:
    tracker, study = MemoryTracker(), fair_study(name="both")
    asked = tune_context(tmp_path, study, tracker, space=("lr", "width=1:64"), objectives=("taste", "parameters"))
    tune_recipe(asked, 0.0)
    folder = tmp_path / "reports" / "both"
    text = (folder / "report.md").read_text()
    assert "## Pareto front" in text
    assert "figures/pareto.png" in text
    assert "with several objectives" in text
    assert len(read_csv(folder / "trials.csv")) == TRIALS
    assert len(tracker.study("both").planned_runs) == TRIALS
    assert tracker.reports["both"][1].startswith("**both ("), "MLflow truncates headings"


def test_the_report_has_pruned_trials_and_saved_epochs(tmp_path: Path) -> None:
    tracker, study = MemoryTracker(), fair_study(name="stopping", values={"epochs": 8, "lr": 0.1})
    tune_recipe(tune_context(tmp_path, study, tracker), 0.0)
    text = (tmp_path / "reports" / "stopping" / "report.md").read_text()
    assert "MedianPruner" in text
    assert "stopped early, which saved" in text

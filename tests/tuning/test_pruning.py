"""Pruners: choice and effect."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablate.errors import UsageError
from ablate.journal.run_journal import Journals, load
from ablate.tuning.pruning import choose_pruner
from ablate.tuning.types import best
from tests.samples.searches import run_search, search_spec


@pytest.mark.parametrize(
    ("asked", "seeds", "objectives", "chosen"),
    [
        (None, 1, 1, "median"),
        ("hyperband", 1, 1, "hyperband"),
        (None, 2, 1, "none"),
        (None, 4, 1, "none"),
        (None, 5, 1, "wilcoxon"),
        (None, 1, 2, "none"),
        ("none", 9, 1, "none"),
        ("median", 2, 1, None),
        ("wilcoxon", 4, 1, None),
        ("wilcoxon", 5, 2, None),
        ("guess", 1, 1, None),
    ],
)
def test_pruners_are_chosen_by_seeds_and_objectives(
    asked: str | None, seeds: int, objectives: int, chosen: str | None
) -> None:
    if chosen is None:
        with pytest.raises(UsageError):
            choose_pruner(asked, seeds, objectives, epochs=8, is_fixed=True)
    else:
        assert choose_pruner(asked, seeds, objectives, epochs=8, is_fixed=True) == chosen
    assert choose_pruner(None, 1, 1, epochs=8, is_fixed=False) == "none"


def test_the_median_pruner_stops_bad_trials(tmp_path: Path) -> None:
    trials = run_search(tmp_path, search_spec({"epochs": 8}, budget=20, pruner="median"))
    stopped = [trial for trial in trials if trial.state == "pruned"]
    assert stopped
    assert all(trial.number >= 5 and 4 <= trial.epochs < 8 and trial.saved == 8 - trial.epochs for trial in stopped)
    assert trials[0].state == "complete"
    journals = Journals(tmp_path / "mlruns" / "journal")
    runs = [load(journals.path(trial.runs[0])) for trial in stopped]
    assert {run.status for run in runs if run} == {"pruned"}
    whole = run_search(tmp_path, search_spec({"epochs": 8}, name="whole", budget=20))
    assert len({trial.runs[0] for trial in whole} & {trial.runs[0] for trial in stopped}) == 0, (
        "pruned runs are not reused as results"
    )


def test_the_wilcoxon_pruner_stops_trials_that_are_worse_on_each_seed(tmp_path: Path) -> None:
    trials = run_search(tmp_path, search_spec(seeds=tuple(range(8)), budget=12, pruner="wilcoxon"))
    stopped = [trial for trial in trials if trial.state == "pruned"]
    assert stopped
    assert all(4 <= len(trial.scores) < 8 and trial.saved == 4 * (8 - len(trial.scores)) for trial in stopped)
    winner = best(trials, "max")
    assert winner is not None
    assert len(winner.scores) == 8


@pytest.mark.slow
def test_the_hyperband_pruner_stops_trials(tmp_path: Path) -> None:
    trials = run_search(tmp_path, search_spec({"epochs": 9}, budget=20, pruner="hyperband"))
    assert "pruned" in {trial.state for trial in trials}

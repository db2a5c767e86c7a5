"""Trials: scores over seeds, diverged runs, several objectives."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from ablate.studies.recipe import Recipe
from ablate.tuning.space import space_of
from ablate.tuning.types import objectives_of, pareto
from tests.samples import tuning_toy as toy
from tests.samples.searches import run_search, search_spec


def test_a_score_is_the_mean_over_seeds(tmp_path: Path) -> None:
    for trial in run_search(tmp_path, search_spec(seeds=(3, 4, 5), budget=3)):
        assert set(trial.scores) == {3, 4, 5}
        assert trial.values[0] == pytest.approx(math.fsum(trial.scores.values()) / 3)


def test_a_diverged_run_scores_the_floor(tmp_path: Path) -> None:
    trials = run_search(tmp_path, search_spec({"breaks_above": 0.05}, budget=8))
    diverged = [trial for trial in trials if float(trial.params["lr"]) > 0.05]  # type: ignore[arg-type]
    assert diverged[0].is_baseline
    assert all(trial.state == "complete" and trial.values == (0.1,) for trial in diverged)


def test_several_objectives_have_a_pareto_front(tmp_path: Path) -> None:
    base = Recipe.of(toy.WORKLOAD)
    asked = search_spec(
        base=base, space=space_of(base, ["lr", "width=1:64"]), budget=15,
        objectives=objectives_of(toy.WORKLOAD.validation, "toy", ["taste", "parameters"]),
    )  # fmt: skip
    trials = run_search(tmp_path, asked)
    front = pareto(trials, ["max", "min"])
    assert front
    for trial in trials:
        mine = trial.values
        beaten = any(one.values[0] >= mine[0] and one.values[1] <= mine[1] and one.values != mine
                     for one in trials)  # fmt: skip
        assert beaten == (trial not in front)

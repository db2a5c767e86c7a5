"""Results of searches in reports: budget curve and optima at the edge."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ablate.report.search_data import SearchResult
from ablate.report.sections.tuning_text import edge_lines
from ablate.stats.effects import expected_best
from ablate.tuning.space import Dimension, Space
from ablate.tuning.types import Objective, Trial


def result(trials: list[Trial]) -> SearchResult:
    objective = Objective("val_taste", "val/taste", "max", 100, of_history=True)
    space = Space((Dimension("lr", 1e-4, 1e-1, log=True),))
    return SearchResult("baseline", "x", [0], [objective], space, "none", "nothing", "TPE", 0, 5, "x.log", trials, {})


def test_the_budget_curve_of_a_search() -> None:
    trials = [Trial(place, "complete", {"lr": 0.01}, (value,)) for place, value in enumerate((0.9, 0.91, 0.925, 0.93))]
    search = result([*trials, Trial(4, "failed", {"lr": 0.01})])
    assert search.curve == pytest.approx([91.625, 92.5, 92.875, 93])
    assert expected_best([90, 91, 92.5, 93]) == pytest.approx([91.625, 92.5, 92.875, 93])


def test_an_optimum_at_the_edge_is_reported() -> None:
    inside = [Trial(0, "complete", {"lr": 0.01}, (0.9,), is_baseline=True)]
    assert edge_lines([result(inside)]) == []
    at_edge = [*inside, replace(inside[0], number=1, params={"lr": 0.1}, values=(0.95,), is_baseline=False)]
    (line,) = edge_lines([result(at_edge)])
    assert "lr 0.1 is at the high end of 0.0001 to 0.1" in line

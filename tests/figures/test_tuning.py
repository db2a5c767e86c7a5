"""Figures of a search: every kind gives a PNG file, with equal bytes for equal input."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from ablate import figures

pytestmark = pytest.mark.usefixtures("all_pictures")

DIMENSIONS = [
    {"name": "lr", "low": 1e-4, "high": 1e-1, "log": True, "words": []},
    {"name": "dropout.p", "low": 0.0, "high": 0.6, "log": False, "words": []},
    {"name": "optimizer", "low": 0.0, "high": 0.0, "log": False, "words": ["adam", "sgd"]},
]
TRIALS: list[dict[str, Any]] = [
    {"trial": number, "score": score, "is_baseline": number == 0,
     "values": {"lr": 10 ** (-4 + number), "dropout.p": 0.1 * number, "optimizer": ["adam", "sgd"][number % 2]}}
    for number, score in enumerate((70.0, 75.0, 60.0, 75.0))
]  # fmt: skip
DRAWN: dict[str, dict[str, Any]] = {
    "search_history": {"trials": TRIALS, "goal": "max", "metric": "val accuracy (%)", "stopped": [2]},
    "importance_bars": {"shares": {"PED-ANOVA": {"lr": 0.7, "dropout.p": 0.3}, "fANOVA": {"lr": 1.0}}},
    "search_slices": {"trials": TRIALS, "dimensions": DIMENSIONS, "metric": "loss", "goal": "min"},
    "parallel_coordinates": {"trials": TRIALS, "dimensions": DIMENSIONS, "metric": "score", "goal": "max"},
    "pareto_front": {
        "points": [[70, 3], [80, 5], [60, 4]], "names": ["a", "b"], "front": [0, 1], "labels": ["0", "1", "2"],
        "goals": ["max", "min"], "baseline": 2,
    },
    "estimands": {
        "pairs": [{"name": "no-x", "drop-in": [-3, -4, -2], "re-tuned": [0.1, math.nan, None]}], "margin": 0.5,
        "metric": "test accuracy", "unit": "points",
    },
    "budget_curves": {"curves": {"baseline": [70, 72, 73], "no-x": [60, 70]}, "metric": "val accuracy (%)"},
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_of_a_search(name: str, tmp_path: Path) -> None:
    draw = getattr(figures, name)
    drawn = draw(**DRAWN[name], path=tmp_path / "figures" / f"{name}.png")
    assert drawn.startswith(b"\x89PNG")
    assert (tmp_path / "figures" / f"{name}.png").read_bytes() == drawn == draw(**DRAWN[name])


def test_equal_scores_and_one_value_can_be_drawn() -> None:
    same = [{**row, "score": 70.0} for row in TRIALS]
    flat = [{**DIMENSIONS[0], "low": 0.01, "high": 0.01}]
    values = [{**row, "values": {"lr": 0.01}} for row in same]
    assert figures.parallel_coordinates(values, dimensions=flat, metric="score", goal="max")
    assert figures.search_slices(values, dimensions=flat, metric="score", goal="max")

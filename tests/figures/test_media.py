"""Figures for a phone and for a paper: their width, their text, and files that are equal for equal figures."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from ablate import figures
from ablate.figures.media import WIDTHS, Medium
from tests import ROOT
from tests.samples.figures import FACTORS, Drawn, arm_names, cell_means, effect_rows, history

pytestmark = pytest.mark.usefixtures("all_pictures")

ROWS, SEEDS = effect_rows(4)
NAMES = arm_names(4)
SPACE = [
    {"name": name, "low": 1e-4, "high": 1e-1, "log": name == "lr", "words": []}
    for name in ("lr", "weight-decay-amount", "label-smoothing-amount", "batch-size")
]
TRIALS = [
    {"trial": number, "score": 70.25 + number, "is_baseline": number == 0,
     "values": {one["name"]: 0.01 * (1 + number) for one in SPACE}}
    for number in range(4)
]  # fmt: skip
CURVES = {name: [history(0.9 - 0.02 * place), history(0.88 - 0.03 * place)] for place, name in enumerate(NAMES)}
PAIRS = [("augment", "batch norm"), ("augment", "residual"), ("residual", "batch norm")]

FIGURES: dict[str, Callable[..., Any]] = {
    "forest": lambda **more: figures.forest(ROWS, margin=0.5, seeds=SEEDS, **more),
    "dose response": lambda **more: figures.dose_response(
        [{**row, "factor": "weight decay", "value": 0.01 * (1 + place), "reference_value": 0.02}
         for place, row in enumerate(ROWS)], margin=0.5, seeds=SEEDS, **more
    ),
    "slopes": lambda **more: figures.slopes({name: [(90.0, 91.0), (92.0, 91.5)] for name in NAMES}, **more),
    "curves": lambda **more: figures.training_curves(CURVES, metric="val/accuracy", **more),
    "main effects": lambda **more: figures.main_effects(
        [{**row, "effect": row["delta"], "kind": "main effects"} for row in ROWS], margin=0.5, **more
    ),
    "interactions": lambda **more: figures.interaction_grid(cell_means(PAIRS), **more),
    "level interactions": lambda **more: figures.level_interactions(
        [{"first": "spice", "second": "heat", "lines": ["salt", "curry"], "places": ["0.5", "1"],
          "means": [[1.0, 2.0], [2.0, 1.5]]}],
        **more,
    ),
    "half-normal": lambda **more: figures.half_normal([0.1, 0.3, -0.4, 3.0], [*"abcd"], 1.0, 2.0, **more),
    "noise": lambda **more: figures.noise_budget(dict(zip(NAMES, (0.3, 0.6, 1, 2), strict=True)), margin=0.5, **more),
    "shapley": lambda **more: figures.shapley_bars(
        [{"factor": name, "loo": 1, "shapley": 2, "aoi": 3} for name in NAMES], **more
    ),
    "estimands": lambda **more: figures.estimands(
        [{"name": name, "drop-in": [1, 0, 2], "re-tuned": [2, 1, 3]} for name in NAMES],
        margin=0.5, metric="test accuracy", unit="points", **more,
    ),
    "budget": lambda **more: figures.budget_curves({name: [1.0, 2.0, 3.0] for name in NAMES}, metric="x", **more),
    "ranks": lambda **more: figures.critical_difference(
        {name: 1.0 + place for place, name in enumerate(NAMES)}, 1.2, data_sets=12, **more
    ),
    "recorded curves": lambda **more: figures.run_curves(
        [{"name": name, "steps": np.arange(3.0), "values": np.arange(6.0).reshape(2, 3), "singles": [],
          "diverged": [], "stopped": [], "scored": []} for name in NAMES], label="reward (points)", **more
    ),
    "search": lambda **more: figures.search_history(
        TRIALS, goal="max", metric="validation accuracy (%)", stopped=[2], **more
    ),
    "importances": lambda **more: figures.importance_bars(
        {method: dict.fromkeys([one["name"] for one in SPACE], 0.5) for method in ("PED-ANOVA", "fANOVA")}, **more
    ),
    "slices": lambda **more: figures.search_slices(
        TRIALS, dimensions=SPACE, metric="validation accuracy (%)", goal="max", **more
    ),
    "parallel coordinates": lambda **more: figures.parallel_coordinates(
        TRIALS, dimensions=SPACE, metric="validation accuracy (%)", goal="max", **more
    ),
    "front": lambda **more: figures.pareto_front(
        [[70, 3], [80, 5]], names=["validation accuracy (%)", "seconds"], front=[0, 1], labels=["0", "1"],
        goals=["max", "min"], **more,
    ),
}  # fmt: skip


def test_every_figure_of_a_report_is_among_these() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "ablate" / "report" / "plots").glob("*.py"))
    used = {name for name in figures.__all__ if f'"{name}"' in code} - {"existing"}
    tried = {name for draw in FIGURES.values() for name in draw.__code__.co_names}
    assert used <= tried
    assert len(used) > 10


MEDIA = ["phone", pytest.param("column", marks=pytest.mark.slow), pytest.param("page", marks=pytest.mark.slow)]


@pytest.mark.parametrize("medium", MEDIA)
@pytest.mark.parametrize("name", FIGURES)
def test_narrow_figures_have_their_width_and_legible_text_that_does_not_collide(
    drawn: Drawn, name: str, medium: Medium
) -> None:
    with figures.drawn_for(medium):
        FIGURES[name]()
    assert drawn.figure.get_size_inches()[0] == WIDTHS[medium]
    drawn.check()


@pytest.mark.parametrize("kind", ["pdf", "svg"])
def test_files_for_a_paper_are_equal_for_equal_figures_without_a_date(tmp_path: Path, kind: str) -> None:
    first, second = (FIGURES["forest"](path=tmp_path / f"{place}.{kind}") for place in range(2))
    assert first == second == (tmp_path / f"1.{kind}").read_bytes()
    assert not re.search(rb"20\d\d-\d\d|/CreationDate|<dc:date>", first)


def test_a_pdf_embeds_truetype_fonts(tmp_path: Path) -> None:
    content = FIGURES["curves"](path=tmp_path / "figure.pdf")
    assert b"/FontFile2" in content  # TrueType
    assert b"/Type3" not in content


def test_text_in_an_svg_is_text_and_names_cannot_break_it(tmp_path: Path) -> None:
    rows, _ = effect_rows(2)
    rows[0]["variant"], rows[1]["variant"] = "<b>&_$x^2\x07\u202e$%", "数据增强"
    figures.forest(rows, tmp_path / "figure.svg", margin=0.5)
    words = {"".join(one.itertext()) for one in ET.parse(tmp_path / "figure.svg").iter()}
    assert {"<b>&_$x^2 $%", "数据增强"} <= words


def test_names_and_verdicts_that_share_no_line_are_below_each_other(drawn: Drawn) -> None:
    rows, seeds = effect_rows(3, long=True)
    with figures.drawn_for("column"):
        figures.forest(rows, margin=0.5, seeds=seeds)
    drawn.check()
    assert "no practically meaningful effect" in drawn.words


@pytest.mark.parametrize("count", [1, 3, 8])
def test_a_phone_has_two_panels_per_row_and_names_in_full(drawn: Drawn, count: int) -> None:
    names = [f"no-{name}" for name in FACTORS[:count]] + ["no-augment+no-residual+no-lr-schedule"] * (count == 8)
    with figures.drawn_for("phone"):
        figures.slopes({name: [(90.0, 91.0), (92.0, 91.5), (91.0, 90.0)] for name in names})
        slopes = dict.fromkeys(drawn.words)
        assert len({round(axes.get_position().x0, 2) for axes in drawn.figure.axes}) == min(2, count)
        drawn.check()
        figures.training_curves({name: [history()] for name in ("baseline", *names)}, metric="val/accuracy")
        drawn.check()
    assert "baseline" in slopes
    assert not any("…" in words for words in [*slopes, *drawn.words])

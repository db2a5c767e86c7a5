"""Figures for one or two columns of a paper: their width, their text, and files that are equal for equal figures."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from ablate import figures
from ablate.figures.media import WIDTHS, Medium
from tests.samples.figures import Drawn, arm_names, cell_means, effect_rows, history

pytestmark = pytest.mark.usefixtures("all_pictures")

ROWS, SEEDS = effect_rows(4)
NAMES = arm_names(4)
CURVES = {name: [history(0.9 - 0.02 * place), history(0.88 - 0.03 * place)] for place, name in enumerate(NAMES)}
PAIRS = [("augment", "batch norm"), ("augment", "residual"), ("residual", "batch norm")]

FIGURES: dict[str, Callable[..., Any]] = {
    "forest": lambda **more: figures.forest(ROWS, margin=0.5, seeds=SEEDS, **more),
    "slopes": lambda **more: figures.slopes({name: [(90.0, 91.0), (92.0, 91.5)] for name in NAMES}, **more),
    "curves": lambda **more: figures.training_curves(CURVES, metric="val/accuracy", **more),
    "main effects": lambda **more: figures.main_effects(
        [{**row, "effect": row["delta"], "kind": "main effects"} for row in ROWS], margin=0.5, **more
    ),
    "interactions": lambda **more: figures.interaction_grid(cell_means(PAIRS), **more),
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
}  # fmt: skip


@pytest.mark.parametrize("medium", ["column", pytest.param("page", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", FIGURES)
def test_figures_for_a_paper_have_its_width_and_legible_text_that_does_not_collide(
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

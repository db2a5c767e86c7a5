"""The style of all figures: equal input gives equal bytes, and other settings do not matter."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

from ablate import figures
from ablate.figures import images, style
from ablate.figures.media import WIDTHS
from tests.samples.figures import Drawn, effect_rows

pytestmark = pytest.mark.usefixtures("all_pictures")


def test_the_collision_check_can_fail(drawn: Drawn) -> None:
    figure = style.new_figure(4, 2)
    for words in ("one label", "another label"):
        figure.text(0.5, 0.5, words)
    style.save(figure, None)
    assert drawn.collisions() == ["'one label' and 'another label'"]


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    return effect_rows(3)[0]


def test_equal_input_gives_equal_bytes_without_metadata(rows: list[dict[str, Any]]) -> None:
    first, second = (figures.forest(rows, margin=0.5) for _ in range(2))
    assert first == second
    image = Image.open(io.BytesIO(first))
    assert set(image.info) <= {"dpi"}
    assert image.width == round(WIDTHS["screen"] * style.DPI)


def test_a_figure_is_drawn_once_with_one_layout(rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    draw, execute = Figure.draw, ConstrainedLayoutEngine.execute
    monkeypatch.setattr(Figure, "draw", lambda self, renderer: (calls.append("draw"), draw(self, renderer)))
    monkeypatch.setattr(ConstrainedLayoutEngine, "execute", lambda *args: (calls.append("layout"), execute(*args)))
    figures.forest(rows, margin=0.5)
    assert calls == ["layout", "draw"]


def test_charts_have_few_colours_on_white_and_pictures_keep_all(
    rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(style, "DPI", images.DPI)  # pictures are drawn for this resolution
    chart = Image.open(io.BytesIO(figures.forest(rows, margin=0.5)))
    assert chart.mode == "P"
    assert chart.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert chart.info["dpi"] == pytest.approx((style.DPI, style.DPI), abs=0.1)
    colours = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    picture = Image.open(io.BytesIO(figures.image_grid(colours))).convert("RGB")
    assert {*map(tuple, colours.reshape(-1, 3).tolist())} <= {colour for _, colour in picture.getcolors(10**6) or ()}


def test_the_users_matplotlib_settings_have_no_effect_and_stay(rows: list[dict[str, Any]]) -> None:
    plain = figures.forest(rows, margin=0.5)
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black"}):
        before = dict(mpl.rcParams)
        assert figures.forest(rows, margin=0.5) == plain
        assert dict(mpl.rcParams) == before


def test_dollars_and_foreign_letters_in_names_are_drawn() -> None:
    rows, _ = effect_rows(3)
    rows[0]["variant"], rows[1]["variant"] = "cost_$5_$x^", "数据增强"
    assert figures.forest(rows, margin=0.5)


def test_pyplot_and_torch_are_not_imported() -> None:
    code = "import sys, ablate.figures; sys.exit('matplotlib.pyplot' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "backend", ["module://matplotlib_inline.backend_inline", "module://no.such", "nonsense", "qtagg"]
)
def test_figures_are_drawn_whatever_the_backend_of_the_environment_is(backend: str) -> None:
    code = (
        "import os, ablate.figures as f, numpy as np\n"
        "assert f.confusion(np.eye(2, dtype=int), ['a', 'b'], None, title='t')[:4] == b'\\x89PNG'\n"
        f"assert os.environ['MPLBACKEND'] == {backend!r}"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "MPLBACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr

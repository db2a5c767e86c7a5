"""The style of all figures: equal input gives equal bytes, and other settings do not matter."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from typing import Any

import matplotlib as mpl
import pytest
from PIL import Image

from ablate import figures
from ablate.figures import style
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

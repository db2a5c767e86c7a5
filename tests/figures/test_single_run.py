"""Learning curves, confusion matrix and image grids of a single run."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ablate import figures
from ablate.errors import UserError
from ablate.figures import style
from tests.samples.figures import Drawn, history, named_lines, points

pytestmark = pytest.mark.usefixtures("all_pictures")


@pytest.mark.parametrize("classes", [2, 10, 26, 100])
def test_labels_of_a_confusion_matrix_do_not_collide(drawn: Drawn, classes: int) -> None:
    counts = np.full((classes, classes), 1234)
    figures.confusion(counts, [f"a class with quite a long name {place}" for place in range(classes)], title="Test set")
    drawn.check()
    assert drawn.words.count("1234") == (classes**2 if classes <= 20 else 0)


def test_image_titles_do_not_collide(drawn: Drawn) -> None:
    images = np.zeros((20, 32, 32, 3), dtype=np.uint8)
    titles = [f"true: aeroplane {place}\npredicted: a rather long class name 0.93" for place in range(20)]
    figures.image_grid(images, titles=titles, heading="A batch")
    drawn.check()
    figures.before_after(images, images, titles=titles, names=("as they are", "augmented"))
    drawn.check()


def test_labels_of_learning_curves_do_not_collide(drawn: Drawn) -> None:
    figures.learning_curves(history(), title="no-augment+" * 30, lr_steps=[0.001] * 100_000)
    drawn.check()


def test_learning_curves_show_the_history(drawn: Drawn, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "curves.png"
    data = figures.learning_curves(history(), path, title="baseline/s0")
    assert path.read_bytes() == data
    accuracy, loss = named_lines(drawn.axes(0)), named_lines(drawn.axes(1))
    assert accuracy["validation"][0] == pytest.approx((0, 10))
    assert len(loss["validation"]) == 9
    assert len(loss["training"]) == 8  # there is none before training
    assert {"accuracy (%)", "loss", "learning rate", "epoch"} <= set(drawn.words)


def test_learning_curves_accept_tables_missing_values_and_rates_of_every_step(drawn: Drawn) -> None:
    figures.learning_curves(pd.DataFrame(history()), title="x", lr_steps=[0.1, 0.2, 0.3])  # type: ignore[arg-type]  # duck-typed
    assert points(drawn.axes(2).lines[0]) == [(1, 0.1), (2, 0.2), (3, 0.3)]
    assert "optimizer step" in drawn.words
    figures.learning_curves(
        [{"step": 0, "val/loss": 2.3}, {"step": 1, "val/loss": math.inf, "lr": None}], title="diverged"
    )
    assert len(drawn.figure.axes) == 1
    assert named_lines(drawn.axes())["validation"] == [(0, 2.3)]


def test_a_run_without_metrics_is_an_error() -> None:
    with pytest.raises(UserError, match="recorded no accuracy, loss or learning rate"):
        figures.learning_curves([{"step": 0, "val/loss": math.nan}], title="x")


def test_a_matrix_of_the_wrong_shape_is_an_error() -> None:
    with pytest.raises(ValueError, match="of 3 classes cannot have shape"):
        figures.confusion(np.eye(2), ["a", "b", "c"], title="x")


def test_images_are_enlarged_by_whole_factors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style, "DPI", 160)  # as outside of tests: their figures are coarser
    image = np.random.default_rng(0).integers(0, 250, (8, 8, 3)).astype(np.uint8)
    page = np.asarray(Image.open(io.BytesIO(figures.image_grid(image[None].repeat(3, axis=0), titles=["a", "b", "c"]))))
    rows, columns = np.nonzero((page[..., :3] == image[0, 0]).all(axis=-1))
    top, left = rows.min(), columns.min()
    factor = int((rows == top).sum() / 3)
    assert factor > 10
    shown = page[top : top + 8 * factor, left : left + 8 * factor, :3]
    assert (shown == image.repeat(factor, axis=0).repeat(factor, axis=1)).all()


@pytest.mark.parametrize(
    ("shape", "kind"), [((2, 4, 4, 3), "f4"), ((4, 4), "u1"), ((0, 4, 4, 3), "u1"), ((1, 4, 4, 4), "u1")]
)
def test_invalid_images_are_an_error(shape: tuple[int, ...], kind: str) -> None:
    with pytest.raises(ValueError, match="Images must be uint8"):
        figures.image_grid(np.zeros(shape, kind))


def test_large_and_grey_images_can_be_drawn() -> None:
    assert figures.image_grid(np.zeros((2, 500, 300), np.uint8))
    with pytest.raises(ValueError, match="as many images after as before, not 2 and 3"):
        figures.before_after(np.zeros((3, 4, 4), np.uint8), np.zeros((2, 4, 4), np.uint8))

"""The figures: what they show, that their words never collide, and that equal input gives equal bytes."""

from __future__ import annotations

import io
import itertools
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from PIL import Image
from scipy import stats

from ablate import figures
from ablate.errors import UserError
from ablate.figures import labels, style

pytestmark = pytest.mark.usefixtures("all_pictures")

FACTORS = ("augment", "batch-norm", "residual", "dropout", "weight-decay", "grad-clip", "lr-schedule")
VERDICTS = (
    "clear and important loss",
    "no practically meaningful effect",
    "optimistic: unstable in 2 of 5 seeds: real, importance unresolved",
    "inconclusive",
    "clear and important gain",
)


@dataclass
class Drawn:
    """What the last figure really drew: every text with its box, found by the renderer while it draws."""

    saved: Figure | None = None
    texts: dict[int, tuple[str, Bbox, float]] = field(default_factory=dict)

    @property
    def figure(self) -> Figure:
        assert self.saved is not None
        return self.saved

    def axes(self, panel: int = 0) -> Axes:
        return self.figure.axes[panel]

    @property
    def words(self) -> list[str]:
        return [words for words, _, _ in self.texts.values()]

    def collisions(self) -> list[str]:
        boxes = [(words, box) for words, box, _ in self.texts.values()]
        return [
            f"{first!r} and {second!r}"
            for (first, one), (second, other) in itertools.combinations(boxes, 2)
            if (both := Bbox.intersection(one, other)) is not None and both.width > 1 and both.height > 1
        ]

    def check(self) -> None:
        assert not self.collisions()
        page = self.figure.get_size_inches() * style.DPI
        for words, box, size in self.texts.values():
            assert size >= 8, words
            assert min(box.x0, box.y0) >= -1, words
            assert box.x1 <= page[0] + 1, words
            assert box.y1 <= page[1] + 1, words


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    record = Drawn()
    draw, savefig = Text.draw, Figure.savefig

    def recording_draw(self: Text, renderer: Any) -> None:
        if self.get_visible() and self.get_text().strip():
            box = Text.get_window_extent(self, renderer)  # of the words alone, where an annotation adds its line
            record.texts[id(self)] = (self.get_text(), box, float(self.get_fontsize()))
        draw(self, renderer)

    def recording_save(self: Figure, *args: Any, **kwargs: Any) -> None:
        record.saved, record.texts = self, {}
        savefig(self, *args, **kwargs)

    monkeypatch.setattr(Text, "draw", recording_draw)
    monkeypatch.setattr(Figure, "savefig", recording_save)
    return record


def arm_names(count: int, long: bool = False) -> list[str]:
    short = [f"no-{name}" for name in FACTORS]
    tail = "+".join(short[:4])
    return [
        short[place] if place < len(short) and not long else f"{tail}+with-stochastic-weight-averaging-{place}"
        for place in range(count)
    ]


def effect_rows(count: int, long: bool = False, seeds: int = 5) -> tuple[list[dict[str, Any]], dict[str, list[float]]]:
    random = np.random.default_rng(0)
    rows, differences = [], {}
    for place, name in enumerate(arm_names(count, long)):
        values = random.normal((-12, -3, 0.1, 0.3, 0)[place % 5], 0.3, seeds)
        delta = float(values.mean())
        near, far = (0.4, 0.9) if seeds > 1 else (math.nan, math.nan)
        rows.append(
            {
                "factor": name, "variant": name, "reference": "baseline", "delta": delta, "level": 0.95,
                "ci_low": delta - near, "ci_high": delta + near, "fw_low": delta - far, "fw_high": delta + far,
                "n": seeds, "n_unstable": 0, "verdict": VERDICTS[place % 5],
            }
        )  # fmt: skip
        differences[name] = values.tolist()
    return rows, differences


def history(top: float = 0.9, epochs: int = 8) -> list[dict[str, float]]:
    return [
        {
            "step": epoch,
            "train/loss": 2.3 * math.exp(-epoch / 3) if epoch else math.nan,
            "val/loss": 2.3 * math.exp(-epoch / 4),
            "val/accuracy": 0.1 + (top - 0.1) * (1 - math.exp(-epoch / 3)),
            "lr": 0.01,
        }
        for epoch in range(epochs + 1)
    ]


# --- words ---


@settings(max_examples=50)
@given(st.text(min_size=0, max_size=120), st.floats(0.4, 4), st.integers(1, 3))
def test_a_fitted_name_fits(name: str, inches: float, lines: int) -> None:
    fitted = labels.fit(name, inches, lines=lines).split("\n")
    assert len(fitted) <= lines
    assert all(labels.text_width(line) <= inches for line in fitted)


def test_a_short_name_stays_and_a_long_one_keeps_its_ends() -> None:
    assert labels.fit("no-batch-norm", 2) == "no-batch-norm"
    shortened = labels.fit("no-batch-norm+" + "x" * 300 + "+seed-7", 2, lines=1)
    assert shortened.startswith("no-batch")
    assert shortened.endswith("seed-7")
    assert "…" in shortened


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_spread_positions_keep_their_gap_order_and_range(positions: list[float]) -> None:
    gap = 1 / 25
    moved = labels.spread(positions, gap, 0, 1)
    assert min(moved) >= -1e-9
    assert max(moved) <= 1 + 1e-9
    ordered = [moved[place] for place in sorted(range(len(positions)), key=lambda place: positions[place])]
    assert all(after - before >= gap - 1e-9 for before, after in itertools.pairwise(ordered))


def test_positions_with_room_do_not_move() -> None:
    assert labels.spread([0.9, 0.1, 0.5], 0.2, 0, 1) == pytest.approx([0.9, 0.1, 0.5])


def test_the_collision_check_can_fail(drawn: Drawn) -> None:
    figure = style.new_figure(4, 2)
    for words in ("one label", "another label"):
        figure.text(0.5, 0.5, words)
    style.save(figure, None)
    assert drawn.collisions() == ["'one label' and 'another label'"]


# --- no collisions, for few and for many arms ---

MANY = pytest.mark.parametrize(("count", "long", "seeds"), [(3, False, 1), (8, True, 20), (25, True, 5)])


@MANY
def test_forest_words_do_not_collide(drawn: Drawn, count: int, long: bool, seeds: int) -> None:
    rows, differences = effect_rows(count, long, seeds)
    figures.forest(rows, margin=0.5, seeds=differences, title="What each component is worth")
    drawn.check()


@MANY
def test_slope_words_do_not_collide(drawn: Drawn, count: int, long: bool, seeds: int) -> None:
    random = np.random.default_rng(1)
    figures.slopes({name: random.normal(90, 1, (seeds, 2)).tolist() for name in arm_names(count, long)})
    drawn.check()


@MANY
def test_training_curve_words_do_not_collide(drawn: Drawn, count: int, long: bool, seeds: int) -> None:
    names = ["baseline", *arm_names(count, long)]
    arms = {name: [history(0.9 - 0.002 * place)] * min(seeds, 3) for place, name in enumerate(names)}
    figures.training_curves(arms, None, "val/accuracy", title="Validation accuracy")
    drawn.check()


@MANY
def test_attribution_words_do_not_collide(drawn: Drawn, count: int, long: bool, seeds: int) -> None:
    names = arm_names(count, long)
    shares = [{"factor": name, "loo": -1.0, "shapley": place, "aoi": 1} for place, name in enumerate(names)]
    figures.shapley_bars(shares)
    drawn.check()
    rows, differences = effect_rows(count, long, seeds)
    figures.main_effects([row | {"effect": row["delta"]} for row in rows], seeds=differences)
    drawn.check()
    figures.half_normal([8 + 0.01 * place for place in range(count)], names, 2.0, 3.0)
    drawn.check()
    figures.noise_budget({name: 0.3 + 0.001 * place for place, name in enumerate(names)}, image_se=0.1, margin=0.5)
    drawn.check()


@pytest.mark.parametrize(("count", "long"), [(3, False), (7, True)])
def test_interaction_words_do_not_collide(drawn: Drawn, count: int, long: bool) -> None:
    pairs = list(itertools.combinations(arm_names(count, long), 2))
    figures.interaction_grid(cell_means(pairs), notes={pairs[0]: "synergy -2.0 [-2.6, -1.4]"})
    drawn.check()


@pytest.mark.parametrize("classes", [2, 10, 26, 100])
def test_confusion_words_do_not_collide(drawn: Drawn, classes: int) -> None:
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


def test_curve_words_do_not_collide(drawn: Drawn) -> None:
    figures.learning_curves(history(), title="no-augment+" * 30, lr_steps=[0.001] * 100_000)
    drawn.check()


# --- a single run ---


def points(line: Line2D) -> list[tuple[float, float]]:
    both = np.column_stack([np.asarray(line.get_xdata()), np.asarray(line.get_ydata())])
    return [(float(x), float(y)) for x, y in both]


def named_lines(axes: Axes) -> dict[str, list[tuple[float, float]]]:
    return {str(line.get_label()): points(line) for line in axes.lines}


def edges(axes: Axes, band: int = 0) -> np.ndarray[Any, Any]:
    """The heights of the corners of a shaded band."""
    return np.asarray(axes.collections[band].get_paths()[0].vertices)[:, 1]


def test_curves_show_the_history(drawn: Drawn, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "curves.png"
    data = figures.learning_curves(history(), path, title="baseline/s0")
    assert path.read_bytes() == data
    accuracy, loss = named_lines(drawn.axes(0)), named_lines(drawn.axes(1))
    assert accuracy["validation"][0] == pytest.approx((0, 10))
    assert len(loss["validation"]) == 9
    assert len(loss["training"]) == 8  # there is none before training
    assert {"accuracy (%)", "loss", "learning rate", "epoch"} <= set(drawn.words)


def test_curves_take_tables_the_rate_of_every_step_and_gaps(drawn: Drawn) -> None:
    figures.learning_curves(pd.DataFrame(history()), title="x", lr_steps=[0.1, 0.2, 0.3])  # type: ignore[arg-type]  # duck-typed
    assert points(drawn.axes(2).lines[0]) == [(1, 0.1), (2, 0.2), (3, 0.3)]
    assert "optimizer step" in drawn.words
    figures.learning_curves(
        [{"step": 0, "val/loss": 2.3}, {"step": 1, "val/loss": math.inf, "lr": None}], title="diverged"
    )
    assert len(drawn.figure.axes) == 1
    assert named_lines(drawn.axes())["validation"] == [(0, 2.3)]


def test_a_run_without_curves_is_a_clear_error() -> None:
    with pytest.raises(UserError, match="recorded no accuracy, loss or learning rate"):
        figures.learning_curves([{"step": 0, "val/loss": math.nan}], title="x")


def test_a_matrix_that_does_not_fit_its_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="of 3 classes cannot have shape"):
        figures.confusion(np.eye(2), ["a", "b", "c"], title="x")


def test_images_grow_by_whole_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_what_is_no_batch_of_images_is_refused(shape: tuple[int, ...], kind: str) -> None:
    with pytest.raises(ValueError, match="Images must be uint8"):
        figures.image_grid(np.zeros(shape, kind))


def test_large_and_grey_images_are_shown_too() -> None:
    assert figures.image_grid(np.zeros((2, 500, 300), np.uint8))
    with pytest.raises(ValueError, match="as many images after as before, not 2 and 3"):
        figures.before_after(np.zeros((3, 4, 4), np.uint8), np.zeros((2, 4, 4), np.uint8))


# --- a study ---


def test_forest_shows_every_seed_and_interval_sorted(drawn: Drawn) -> None:
    rows, seeds = effect_rows(3)
    figures.forest(pd.DataFrame(rows), margin=0.5, seeds=seeds)
    axes = drawn.axes()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["no-augment", "no-batch-norm", "no-residual"]
    dots = [x for line in axes.lines if line.get_marker() == "." for x, _ in points(line)]
    assert sorted(dots) == pytest.approx(sorted(value for values in seeds.values() for value in values))
    spans = [tuple(x for x, _ in points(line)) for line in axes.lines]
    for row in rows:
        assert (row["ci_low"], row["ci_high"]) in spans
        assert (row["fw_low"], row["fw_high"]) in spans
    assert any("clear and important" in words for words in drawn.words)


def test_forest_enlarges_small_effects_beside_large_ones(drawn: Drawn) -> None:
    rows, seeds = effect_rows(7)
    figures.forest(rows, margin=0.5, seeds=seeds)
    whole, near = drawn.figure.axes
    assert whole.get_xlim()[0] < -12
    assert -3 < near.get_xlim()[0] < -0.5
    figures.forest(rows[2:5], margin=0.5, seeds=seeds)
    assert len(drawn.figure.axes) == 1


def zoomed(near: float, half: float) -> tuple[list[dict[str, Any]], dict[str, list[float]]]:
    """Four small effects beside a large one and one at `near` whose 95 % interval reaches `half` to each side."""
    rows, seeds = [], {}
    for name, delta, reach in (
        *((f"small{n}", 0.1 * n, 0.5) for n in range(4)),
        ("large", -20, 1),
        ("near", near, half),
    ):
        ends = {"ci_low": delta - reach, "ci_high": delta + reach, "fw_low": delta - 1.5 * reach}
        rows.append({"variant": name, "delta": delta, "verdict": "x", "fw_high": delta + 1.5 * reach} | ends)
        seeds[name] = [delta - 0.6 * reach, delta, delta + 0.6 * reach]
    return rows, seeds


def marks(axes: Axes, marker: str) -> list[float]:
    return [x for line in axes.lines if line.get_marker() == marker for x, _ in points(line)]


@pytest.mark.parametrize(("near", "half"), [(1.1, 0.3), (1.3, 0.3), (1.3, 0.6)])
def test_a_row_near_the_edge_of_the_enlarged_panel_is_whole_in_it(drawn: Drawn, near: float, half: float) -> None:
    rows, seeds = zoomed(near, half)
    figures.forest(rows, margin=0.5, seeds=seeds)
    _, axes = drawn.figure.axes
    high = axes.get_xlim()[1]
    assert max(near + half, *seeds["near"]) < high < 3
    assert {value for name, values in seeds.items() if name != "large" for value in values} == set(marks(axes, "."))
    assert len(marks(axes, "o")) == 5
    assert len(marks(axes, "<")) == 1
    assert not marks(axes, ">")


@pytest.mark.parametrize(("near", "half"), [(1.1, 4.0), (2.5, 0.3)])
def test_of_a_row_that_has_no_room_in_the_enlarged_panel_only_an_arrow_is_drawn(
    drawn: Drawn, near: float, half: float
) -> None:
    rows, seeds = zoomed(near, half)
    figures.forest(rows, margin=0.5, seeds=seeds)
    whole, axes = drawn.figure.axes
    assert len(marks(whole, "o")) == 6
    assert len(marks(axes, "o")) == 4
    assert len(marks(axes, ".")) == 12
    assert len(marks(axes, "<")) == len(marks(axes, ">")) == 1


def test_forest_has_no_second_panel_that_would_hardly_enlarge(drawn: Drawn) -> None:
    rows, _ = effect_rows(7)
    for row in rows:
        row |= {f"{kind}_{end}": row["delta"] + way for kind in ("ci", "fw") for end, way in (("low", -3), ("high", 3))}
    wide = {row["variant"]: [row["delta"] - 3, row["delta"], row["delta"] + 3] for row in rows}
    figures.forest(rows, margin=0.5, seeds=wide)  # a range of 19 points, and of 10
    assert len(drawn.figure.axes) == 1


def test_forest_survives_gaps_and_an_arm_that_diverges(drawn: Drawn) -> None:
    rows, seeds = effect_rows(5)
    rows = rows[2:]
    rows[0] |= {"delta": -75.0, "ci_low": -95, "fw_low": -99, "n_unstable": 3, "verdict": "trains unreliably: 3 of 5"}
    rows[1] |= dict.fromkeys(("delta", "ci_low", "ci_high", "fw_low", "fw_high"), math.nan) | {"verdict": "no seeds"}
    seeds[rows[0]["variant"]] = [-80.0, -79.0, 0.1]
    del seeds[rows[1]["variant"]]
    figures.forest(rows, margin=0.5, seeds=seeds)
    drawn.check()
    assert drawn.figure.axes[0].get_xlim()[0] > -5
    assert "outside the axis" in drawn.words
    assert not any("75" in words for words in drawn.words)  # the verdict gives no difference


def test_estimates_are_as_fine_as_the_margin(drawn: Drawn) -> None:
    rows = [{"variant": "a", "delta": -0.01234, "verdict": "inconclusive"}]
    figures.forest(rows, margin=0.5)
    assert "\N{MINUS SIGN}0.01 · inconclusive" in drawn.words
    figures.forest(rows, margin=0.005, unit="nats")
    assert "\N{MINUS SIGN}0.0123 · inconclusive" in drawn.words


def test_forest_has_a_panel_for_each_reference(drawn: Drawn) -> None:
    rows, _ = effect_rows(3)
    figures.forest(rows + [row | {"reference": "none", "variant": "only"} for row in rows[:1]], margin=5)
    drawn.check()
    assert {"against baseline", "against none"} <= set(drawn.words)


def test_slopes_name_the_correlation(drawn: Drawn) -> None:
    reference = (93.10, 93.32, 92.95, 93.21, 93.08)
    variant = (90.12, 90.35, 89.75, 90.40, 89.93)
    pairs = {
        "no-batch-norm": [*zip(reference, variant, strict=True), (93.0, math.nan)],
        "no-dropout": [(93.0, 93.0)] * 3,
        "no-residual": [],
        "no-augment": [(93.0, 92.0), (93.1, 92.1)],
    }
    figures.slopes(pairs, rho={"no-augment": -0.5})
    assert "no-batch-norm\nrho = 0.92, n = 5" in drawn.words
    assert "no-dropout\nrho undefined, n = 3" in drawn.words
    assert "no-augment\nrho = -0.50, n = 2" in drawn.words
    assert "no shared seeds" in drawn.words


def test_training_curves_show_mean_band_and_stops(drawn: Drawn) -> None:
    arms = {"no-dropout": [history(0.7), history(0.8)], "baseline": [history(0.9), history(0.92, epochs=5)]}
    figures.training_curves(arms, None, "val/accuracy", band="range")
    first, cross, second = drawn.axes().lines
    last = [100 * seed[-1]["val/accuracy"] for seed in arms["no-dropout"]]
    assert points(second)[-1] == pytest.approx((8, np.mean(last)))
    assert points(first)[-1] == pytest.approx((8, 100 * arms["baseline"][0][-1]["val/accuracy"]))
    assert cross.get_marker() == "x"
    assert points(cross)[0][0] == 5
    assert np.isclose(edges(drawn.axes(), 1)[:, None], last).any(axis=0).all()
    assert {"a seed stopped here", "lowest to highest seed", "validation accuracy (%)"} <= set(drawn.words)


def test_the_band_is_one_sample_standard_deviation(drawn: Drawn) -> None:
    seeds = [[{"step": 1, "x": value}, {"step": 2, "x": value}] for value in (1, 2, 6)]
    figures.training_curves({"a": seeds}, None, "x")
    deviation = np.std([1, 2, 6], ddof=1)
    assert edges(drawn.axes()).min() == pytest.approx(3 - deviation)
    assert edges(drawn.axes()).max() == pytest.approx(3 + deviation)


def test_a_band_that_is_not_drawn_has_no_place_in_the_legend(drawn: Drawn) -> None:
    figures.training_curves({"a": [history(), history()], "b": [history(0.8)]}, None, "val/accuracy")
    assert "mean over seeds" in drawn.words
    assert not any("standard deviation" in words for words in drawn.words)


@pytest.mark.parametrize(("start", "cut"), [(10.0, True), (85.0, False), (92.0, False)])
def test_an_axis_is_cut_only_for_far_more_room_and_says_so(drawn: Drawn, start: float, cut: bool) -> None:
    values = (start, *(90 + epoch for epoch in range(9)))
    rows = [{"step": epoch, "val/accuracy": value / 100} for epoch, value in enumerate(values)]
    figures.training_curves({"a": [rows]}, None, "val/accuracy")
    assert ("early values below the axis are cut off" in drawn.words) == cut
    assert (drawn.axes().get_ylim()[0] > start) == cut
    drawn.check()


def test_equal_arms_are_drawn_once(drawn: Drawn) -> None:
    figures.training_curves({name: [history()] for name in ["baseline", *arm_names(25)]}, None, "lr")
    assert "baseline and 25 identical arms" in [words.replace("\n", " ") for words in drawn.words]
    drawn.check()


def test_many_arms_have_a_panel_each_before_the_reference(drawn: Drawn) -> None:
    arms = {name: [history(0.9 - 0.01 * place)] for place, name in enumerate([*arm_names(7), "baseline"])}
    figures.training_curves(arms, None, "val/accuracy")
    panels = [axes for axes in drawn.figure.axes if axes.get_visible()]
    assert len(panels) == 7
    assert all(len(axes.lines) == 2 for axes in panels)
    assert drawn.words.count("6") == 7  # every panel has its ticks, the lowest of each column the word
    assert drawn.words.count("epoch") == 4


def test_of_a_crowd_the_reference_and_the_extremes_are_named(drawn: Drawn) -> None:
    arms = {f"arm{place}": [history(0.9 - 0.005 * place)] for place in range(60)} | {"baseline": [history(0.95)]}
    figures.training_curves(arms, None, "val/accuracy")
    drawn.check()
    named = {words for words in drawn.words if words.startswith(("arm", "baseline"))}
    assert named == {"baseline", "arm0", "arm1", "arm58", "arm59"}
    assert "56 other arms" in drawn.words
    assert len(drawn.axes().lines) == 61


def test_a_metric_that_nobody_recorded_is_a_clear_error() -> None:
    with pytest.raises(UserError, match="val/f1"):
        figures.training_curves({"baseline": [history()]}, None, "val/f1")


def cell_means(pairs: list[tuple[str, str]]) -> list[dict[str, Any]]:
    return [
        {"first": one, "second": two, "first_on": first, "second_on": second, "mean": 80 + 6 * first + 3 * second}
        for one, two in pairs
        for first, second in itertools.product((False, True), repeat=2)
    ]


def test_interaction_lines_join_the_cell_means(drawn: Drawn) -> None:
    figures.interaction_grid(pd.DataFrame(cell_means([("a", "b")])))
    joined = [[y for _, y in points(line)] for line in drawn.axes().lines]
    assert [80, 83] in joined
    assert [86, 89] in joined


def test_credits_that_nobody_computed_are_left_out(drawn: Drawn) -> None:
    figures.shapley_bars([{"factor": "a", "loo": 3.0, "aoi": math.nan}, {"factor": "b", "loo": 5.0, "shapley": 1.0}])
    widths = [patch.get_width() for patch in drawn.axes().patches if isinstance(patch, Rectangle)]
    assert [width for width in widths if math.isfinite(width)] == [5.0, 3.0, 1.0]
    assert "add-one-in" not in drawn.words
    assert {"leave-one-out", "Shapley value"} <= set(drawn.words)


def test_half_normal_names_what_stands_out(drawn: Drawn) -> None:
    contrasts = (21.625, 3.125, 0.125, 9.875, -18.125, 2.375, 1.875, 14.625, 16.625, -0.375, 4.125, -1.125)
    names = [f"c{place}" for place in range(12)]
    figures.half_normal(contrasts, names, 6.7477773, 13.6989596)
    assert {"c0", "c3", "c4", "c7", "c8"} == {words for words in drawn.words if words in names}
    drawn.check()
    assert points(drawn.axes().lines[0]) == [
        pytest.approx((quantile, size))
        for quantile, size in zip(
            stats.halfnorm.ppf((np.arange(12) + 0.5) / 12), sorted(map(abs, contrasts)), strict=True
        )
    ]
    figures.half_normal([1.0, math.nan, -2.0], ["a", "b", "c"], math.nan, math.nan)
    assert "c" in drawn.words
    assert "a" not in drawn.words


def test_noise_falls_with_the_root_of_the_seeds(drawn: Drawn) -> None:
    figures.noise_budget({"no-dropout": 1.0, "no-noise": 0.0, "unknown": math.nan}, margin=0.5)
    assert points(drawn.axes().lines[0]) == [pytest.approx((n, n**-0.5)) for n, _ in points(drawn.axes().lines[0])]
    assert points(drawn.axes().lines[1]) == [(0, 0.5), (1, 0.5)]
    assert "standard error equal to the margin (0.5)" in [words.replace("\n", " ") for words in drawn.words]
    figures.noise_budget({})
    drawn.check()


def test_of_many_noise_lines_the_legend_says_which_are_unnamed(drawn: Drawn) -> None:
    figures.noise_budget({f"arm{place}": 1.0 + place for place in range(5)})
    assert {"variants with the lowest, median and highest noise", "2 other variants"} <= set(drawn.words)
    figures.noise_budget({f"arm{place}": 1.0 + place for place in range(4)})
    assert not any("variant" in words for words in drawn.words)


@pytest.mark.parametrize(
    "empty",
    [
        lambda: figures.forest([], margin=0.5),
        lambda: figures.slopes({}),
        lambda: figures.main_effects([]),
        lambda: figures.interaction_grid([]),
        lambda: figures.half_normal([], [], 1, 2),
        lambda: figures.shapley_bars([]),
    ],
)
def test_nothing_to_draw_is_refused(empty: Callable[[], bytes]) -> None:
    with pytest.raises(ValueError, match=r"no |at least one"):
        empty()


# --- files ---


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    return effect_rows(3)[0]


def test_equal_input_gives_equal_bytes_without_traces(rows: list[dict[str, Any]]) -> None:
    first, second = (figures.forest(rows, margin=0.5) for _ in range(2))
    assert first == second
    image = Image.open(io.BytesIO(first))
    assert set(image.info) <= {"dpi"}
    assert image.width == round(style.WIDTH * style.DPI)


def test_settings_of_others_neither_matter_nor_change(rows: list[dict[str, Any]]) -> None:
    plain = figures.forest(rows, margin=0.5)
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black"}):
        before = dict(mpl.rcParams)
        assert figures.forest(rows, margin=0.5) == plain
        assert dict(mpl.rcParams) == before


def test_dollars_and_foreign_letters_in_names_are_drawn() -> None:
    rows, _ = effect_rows(3)
    rows[0]["variant"], rows[1]["variant"] = "cost_$5_$x^", "数据增强"
    assert figures.forest(rows, margin=0.5)


def test_no_window_system_is_touched() -> None:
    code = "import sys, ablate.figures; sys.exit('matplotlib.pyplot' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("margin", "unit", "digits"),
    [(0.5, "points", 2), (20, "points", 2), (100, "bytes", 0), (0.005, "nats", 4), (0, "", 2)],
)
def test_decimals_follow_the_margin(margin: float, unit: str, digits: int) -> None:
    from ablate.figures.labels import decimals

    assert decimals(margin, unit) == digits

"""Samples for the tests of figures: effects, histories, cell means, and a record of what was drawn."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox

from ablate.figures import style

FACTORS = ("augment", "batch-norm", "residual", "dropout", "weight-decay", "grad-clip", "lr-schedule")


VERDICTS = (
    "clear and important loss",
    "no practically meaningful effect",
    "optimistic: unstable in 2 of 5 seeds: real, importance unresolved",
    "inconclusive",
    "clear and important gain",
)


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


def cell_means(pairs: list[tuple[str, str]]) -> list[dict[str, Any]]:
    return [
        {"first": one, "second": two, "first_on": first, "second_on": second, "mean": 80 + 6 * first + 3 * second}
        for one, two in pairs
        for first, second in itertools.product((False, True), repeat=2)
    ]


MANY = pytest.mark.parametrize(
    ("count", "long", "seeds"), [(3, False, 1), (8, True, 20), pytest.param(25, True, 5, marks=pytest.mark.slow)]
)


def points(line: Line2D) -> list[tuple[float, float]]:
    both = np.column_stack([np.asarray(line.get_xdata()), np.asarray(line.get_ydata())])
    return [(float(x), float(y)) for x, y in both]


def named_lines(axes: Axes) -> dict[str, list[tuple[float, float]]]:
    return {str(line.get_label()): points(line) for line in axes.lines}


def edges(axes: Axes, band: int = 0) -> np.ndarray[Any, Any]:
    """The heights of the corners of a shaded band."""
    return np.asarray(axes.collections[band].get_paths()[0].vertices)[:, 1]


@dataclass
class Drawn:
    """The last saved figure, with every text that the renderer drew and its box."""

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

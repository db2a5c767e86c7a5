"""Two variants side by side: means over different seeds are said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ablate.journal.run_journal import Run
from ablate.workflows.compare_runs import Side, SideBySide

EMPTY = Run("", "k", "", "", 0, "s", "finished", 0.0, 1.0, {}, {}, (), {}, {}, {})


def side(name: str, seeds: list[int]) -> Side:
    return Side(name, [replace(EMPTY, variant=name, seed=seed) for seed in seeds])


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ([0, 1, 2], [0, 1, 2], ""),
        ([0], [1], ""),  # two runs, chosen by name
        ([0, 1, 2], [0], "A alone has 1, 2"),
        ([0, 1], [1, 2], "A alone has 0, B alone has 2"),
    ],
)
def test_means_over_different_seeds_are_said(one: list[int], other: list[int], words: str) -> None:
    caution = SideBySide(side("a", one), side("b", other)).caution
    assert caution == (f"The means are over different seeds: {words}" if words else "")

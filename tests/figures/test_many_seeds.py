"""Figures of tables with many pairs, many variants, and scores of any size."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import numpy as np
import pytest

from ablate.figures import forest, noise_budget, slopes
from ablate.figures.forest import MOST_DOTS, _at_even_ranks, _correlation

GENERATOR = np.random.default_rng(0)


def effect(name: str, delta: float, reference: str = "baseline") -> dict[str, object]:
    ends = {"ci_low": delta - abs(delta) / 2, "ci_high": delta + abs(delta) / 2}
    ends |= {"fw_low": delta - abs(delta), "fw_high": delta + abs(delta)}
    return {"variant": name, "reference": reference, "delta": delta, "n_unstable": 0, "verdict": "inconclusive", **ends}


def test_a_selection_at_even_ranks_has_both_ends() -> None:
    ordered = np.sort(GENERATOR.normal(size=50_000))
    chosen = _at_even_ranks(ordered)
    assert len(chosen) == MOST_DOTS
    assert (chosen[0], chosen[-1]) == (ordered[0], ordered[-1])
    assert np.median(chosen) == pytest.approx(np.median(ordered), abs=0.02)
    assert _at_even_ranks(ordered[:MOST_DOTS]) is not None
    assert len(_at_even_ranks(ordered[:MOST_DOTS])) == MOST_DOTS


def test_fifty_thousand_pairs_are_drawn_in_the_time_of_a_selection() -> None:
    pairs = GENERATOR.normal(90, 1, (50_000, 2))
    began = time.process_time()
    assert slopes({"v": pairs.tolist()}).startswith(b"\x89PNG")
    assert forest([effect("v", 0.3)], margin=0.5, seeds={"v": (pairs[:, 1] - pairs[:, 0]).tolist()})
    assert time.process_time() - began < 20  # all lines would take a minute


@pytest.mark.parametrize("size", [1e-300, 1e-30, 1.0, 1e30, 1e300])
@pytest.mark.parametrize(
    "draw",
    [
        lambda size: forest([effect("v", 0.3 * size), effect("w", -2 * size)], margin=0.5 * size, unit="u"),
        lambda size: forest([effect("v", 0.3), effect("w", -2 * size)], margin=0.5, unit="u"),
        lambda size: slopes({"v": [(size * (n + 1), size * (n**2 + 1)) for n in range(5)], "w": [(1.0, size)] * 3}),
        lambda size: noise_budget({"v": size, "w": 2 * size}, margin=0.5 * size, unit="u"),
        lambda size: noise_budget({"v": 1.0, "w": 2 * size}, margin=0.5, unit="u"),
    ],
)
def test_scores_of_any_size_are_drawn_without_a_warning(draw: Callable[[float], bytes], size: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert draw(size).startswith(b"\x89PNG")


def test_rho_does_not_depend_on_the_unit() -> None:
    points = GENERATOR.normal(0, 1, (40, 2)).cumsum(axis=1)
    found = [_correlation(points * scale) for scale in (1.0, 2.0**-900, 2.0**900)]
    assert found[0] == pytest.approx(np.corrcoef(points.T)[0, 1])
    assert found == [found[0]] * 3
    assert np.isnan(_correlation(np.zeros((5, 2))))
    assert np.isnan(_correlation(points[:2]))

"""Scores that are equal to the last digit more often than by chance."""

from __future__ import annotations

import numpy as np
import pytest

from ablate.stats.effects.equal_scores import equal_scores

Arms = dict[str, dict[int | str, float]]


def arms(*, seeds: int = 8, digits: int = 2, effect: float = 3.0) -> Arms:
    """Return two arms with a standard deviation of about 0.5, in points, printed with as many digits."""
    random = np.random.default_rng(1)
    common = 90 + random.normal(0, 0.4, seeds)
    scores = {"base": common, "x": common - effect + random.normal(0, 0.3, seeds)}
    return {name: dict(enumerate(np.round(found, digits).tolist())) for name, found in scores.items()}


def copied_seeds() -> Arms:
    return {name: {seed: scores[int(seed) % 4] for seed in scores} for name, scores in arms(digits=3).items()}


def seeds_by_threes() -> Arms:
    return {name: {seed: scores[int(seed) // 3] for seed in scores} for name, scores in arms(digits=15).items()}


def constant_at_six_seeds() -> Arms:
    found = arms()
    return found | {"x": found["x"] | dict.fromkeys(range(6), 86.93)}


def equal_at_three_seeds() -> Arms:
    found = arms()
    return found | {"x": found["x"] | {seed: found["base"][seed] for seed in range(3)}}


def shifted_seeds() -> Arms:
    found = arms(digits=3)
    return found | {"x": {seed: found["base"][(int(seed) + 1) % 8] for seed in found["base"]}}


def two_equal_variants() -> Arms:
    found = arms()
    return found | {"y": dict(found["x"])}


@pytest.mark.parametrize(
    ("found", "phrase"),
    [
        (copied_seeds(), "the seeds 0, 4; 1, 5; 2, 6; ... are equal in every variant"),
        (seeds_by_threes(), "the seeds 0 to 2; 3 to 5; 6 to 7 are equal in every variant"),
        (constant_at_six_seeds(), "x has 86.93 at seeds 0 to 5"),
        (equal_at_three_seeds(), "base and x are equal at seeds 0 to 2"),
        (shifted_seeds(), "base and x have 8 scores of different seeds in common"),
        (two_equal_variants(), "x and y are equal at every seed"),
    ],
)
def test_scores_that_do_not_repeat_by_chance_are_named(found: Arms, phrase: str) -> None:
    assert phrase in equal_scores(found)[0]


@pytest.mark.parametrize(
    "found",
    [
        arms(),
        arms(digits=0, seeds=30),
        arms(digits=15, effect=0),
        {name: {s: round(v / 3) * 3.0 for s, v in scores.items()} for name, scores in arms().items()},
        {"base": {s: float(np.float32(round(v, 2))) for s, v in arms(seeds=40)["base"].items()}},
        {"base": arms()["base"], "x": dict(arms()["base"])},  # named by the sentence of the comparison
        {"base": dict(enumerate([500.0, 500, 500, 411.23, 498.17])), "x": dict(enumerate([500.0, 500, 312.77, 288.5]))},
        {"base": dict.fromkeys(range(5), 90.31), "x": arms()["x"]},  # named by its verdict
        {},
    ],
)
def test_other_scores_are_not(found: Arms) -> None:
    assert equal_scores(found) == []

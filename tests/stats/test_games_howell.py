"""All pairs of unpaired variants by the test of Games and Howell: known answers and references."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ablate.stats.effects import Comparison, Effect, Protocol, estimate_effects
from ablate.stats.effects.games_howell import critical_values, games_howell
from tests.samples.effects import ACCURACY, BASELINE

ARMS = {
    "B": BASELINE,
    "L1": [93.25, 93.41, 93.02, 93.40, 93.15],
    "L3": [92.80, 93.10, 92.61, 92.95, 92.70],
    "L5": [91.9, 92.6, 91.5, 92.2, 92.3],
}
UNEQUAL = {
    "B": BASELINE,
    "few": [92.61, 92.40, 92.85],
    "L5": [*ARMS["L5"], 92.05, 91.7],
    "far": [60.1, 60.9, 61.3, 60.4],
}


def approx(value: object) -> object:
    return pytest.approx(value, rel=1e-6)


def effects_of(arms: dict[str, list[float]]) -> list[Effect]:
    """Return the effects of all pairs, unpaired."""
    runs = [
        {"variant": name, "seed": seed, "status": "finished", "accuracy": score / 100}
        for name, scores in arms.items()
        for seed, score in enumerate(scores)
    ]
    pairs = itertools.combinations(arms, 2)
    rows = [Comparison(later, first, change="changed", family="model: all pairs") for first, later in pairs]
    return estimate_effects(pd.DataFrame(runs), rows, ACCURACY, 0.5, Protocol(replicates="runs"))


@pytest.mark.parametrize("arms", [ARMS, UNEQUAL], ids=["known answer", "unequal numbers"])
def test_all_pairs_against_scipy(arms) -> None:
    reference, names = stats.tukey_hsd(*arms.values(), equal_var=False), list(arms)
    bounds = reference.confidence_interval(0.95)
    tests = games_howell(effects_of(arms))
    assert len(tests) == math.comb(len(arms), 2)
    for test in tests:
        place = names.index(test.effect.variant), names.index(test.effect.reference)
        assert test.p == approx(reference.pvalue[place])
        assert (test.low, test.high) == (approx(bounds.low[place]), approx(bounds.high[place]))


def test_the_known_answer() -> None:
    tests = {(test.effect.reference, test.effect.variant): test.p for test in games_howell(effects_of(ARMS))}
    known = {"L1": 0.6596860505, "L3": 0.0966413891, "L5": 0.0133215691}
    assert {name: tests["B", name] for name in known} == approx(known)


def test_two_variants_have_the_test_of_welch() -> None:
    (effect,) = effects_of({"B": BASELINE, "L3": ARMS["L3"]})
    (test,) = games_howell([effect])
    assert (test.p, test.low, test.high) == (approx(effect.p), approx(effect.ci_low), approx(effect.ci_high))


def test_pairs_without_variation_are_left_out() -> None:
    tests = games_howell(effects_of({"a": [90.0, 90.0], "b": [91.0, 91.0], "c": [95.0, 95.1], "d": [3.0]}))
    assert {(test.effect.reference, test.effect.variant) for test in tests} == {("a", "c"), ("b", "c")}
    assert all(test.p < 0.1 for test in tests)
    assert games_howell(effects_of({"a": [90.0], "b": [91.0]})) == []


def test_the_critical_values_of_many_pairs_are_interpolated() -> None:
    freedom = np.random.default_rng(0).uniform(2, 40, 30)
    alone = [critical_values(freedom[place : place + 1], 8)[0] for place in range(30)]
    assert critical_values(freedom, 8).tolist() == approx(alone)
    equal = critical_values(np.full(30, 6.0), 3)
    assert equal.tolist() == approx([stats.studentized_range.ppf(0.95, 3, 6) / math.sqrt(2)] * 30)

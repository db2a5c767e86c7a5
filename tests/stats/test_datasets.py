"""Effects over several data sets: known answers and references."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ablate.stats.effects import Comparison, Effect, Protocol, estimate_effects, sentence
from ablate.stats.effects.datasets import PooledEffect, average_ranks, pooled_effects, prediction_interval, wilcoxon_p
from ablate.stats.effects.multiple_comparisons import holm
from tests.samples.effects import ACCURACY

KNOWN = [-3.022, -0.9, -1.6, -0.2]


def approx(value: float) -> object:
    return pytest.approx(value, rel=1e-6)


def effects_on(deltas: Sequence[float], spread: float = 0.1, variant: str = "v", seeds: int = 5) -> list[Effect]:
    """Return effects with these differences, one per data set."""
    noise, shared = np.linspace(-1, 1, seeds) * spread, np.sqrt(np.arange(seeds))
    found = []
    for place, delta in enumerate(deltas):
        rows = [
            {"variant": name, "seed": seed, "status": "finished", "accuracy": (80 + place + shift) / 100}
            for name, shifts in (("baseline", shared), (variant, shared + delta + noise))
            for seed, shift in enumerate(shifts)
        ]
        found += estimate_effects(pd.DataFrame(rows), [Comparison(variant)], ACCURACY, 0.5)
    return found


def pooled(deltas: Sequence[float], **options: float) -> PooledEffect:
    rows = [(f"set-{place}", effect) for place, effect in enumerate(effects_on(deltas, **options))]
    return pooled_effects([(Comparison("v", n_planned=len(rows)), rows)], ACCURACY, 0.5, Protocol())[0]


def test_the_known_answer() -> None:
    found = pooled(KNOWN)
    effect = found.effect
    assert (effect.delta, effect.evidence.sd_difference) == (approx(-1.4305), approx(1.20515047))
    assert (effect.p, effect.ci_low, effect.ci_high) == (approx(0.0981503589), approx(-3.34816334), approx(0.487163338))
    assert found.prediction == (approx(-5.71852559), approx(2.85752558))
    assert effect.verdict == "preliminary: inconclusive"
    assert "4 data sets detect" in sentence(effect, ACCURACY)


def test_more_seeds_do_not_narrow_the_pooled_interval() -> None:
    few, many = pooled(KNOWN, seeds=3).effect, pooled(KNOWN, seeds=50).effect
    assert (few.ci_low, few.ci_high, few.p) == (approx(many.ci_low), approx(many.ci_high), approx(many.p))
    assert (few.n, few.evidence.freedom) == (4, 3)


def test_the_pooled_mean_is_a_paired_t_test_over_data_sets_with_holm_over_variants() -> None:
    generator = np.random.default_rng(5)
    shifts = {"a": generator.normal(-1, 0.5, 6), "b": generator.normal(0, 0.5, 6), "c": generator.normal(0.4, 0.5, 6)}
    rows = [
        (Comparison(name), [(str(place), effect) for place, effect in enumerate(effects_on(values, variant=name))])
        for name, values in shifts.items()
    ]
    found = pooled_effects(rows, ACCURACY, 0.5, Protocol())
    tests = [stats.ttest_1samp(values, 0) for values in shifts.values()]
    assert [row.effect.p for row in found] == approx([test.pvalue for test in tests])
    assert [row.effect.p_holm for row in found] == approx(holm([test.pvalue for test in tests]).tolist())
    for row, test in zip(found, tests, strict=True):
        interval = test.confidence_interval(1 - 0.05 / 3)
        assert (row.effect.fw_low, row.effect.fw_high) == (approx(interval.low), approx(interval.high))


def test_on_every_data_set_is_the_largest_p() -> None:
    found = pooled([-2.0, -1.0, -3.0])
    assert found.p_every == max(effect.p for effect in found.by_dataset)
    assert found.sign_on_every == -1
    assert pooled([2.0, 1.0, 3.0]).sign_on_every == 1
    assert pooled([-2.0, 1.0, -3.0]).sign_on_every == 0
    assert pooled([-2.0, -0.01, -3.0]).sign_on_every == 0
    assert pooled([-2.0, -1.0], seeds=2).sign_on_every == 0


def test_a_data_set_without_runs_is_named_and_nothing_holds_on_every_one() -> None:
    (one, two, three) = effects_on([-2.0, -1.5, -1.8])
    rows = [("a", one), ("b", None), ("c", two), ("d", three)]
    (found,) = pooled_effects([(Comparison("v", n_planned=4), rows)], ACCURACY, 0.5, Protocol())
    assert (found.datasets, found.missing, found.effect.n) == (("a", "c", "d"), ("b",), 3)
    assert math.isnan(found.p_every)
    assert found.sign_on_every == 0
    (none,) = pooled_effects([(Comparison("v"), [("a", None)])], ACCURACY, 0.5, Protocol())
    assert "no data set has a result for both v and baseline" in sentence(none.effect, ACCURACY)


def test_two_data_sets_are_too_few() -> None:
    effect = pooled([-2.0, -1.0]).effect
    assert effect.verdict == "too few seeds" or effect.evidence.rule.value == "too few seeds"
    assert "in 2 data sets; too few data sets for a verdict" in sentence(effect, ACCURACY)


def test_prediction_intervals_contain_a_new_data_set_as_often_as_stated() -> None:
    generator = np.random.default_rng(0)
    draws = generator.normal(1.0, 2.0, (4000, 6))
    inside = 0
    for row in draws:
        low, high = prediction_interval(row[:5])
        inside += low <= row[5] <= high
    assert inside / len(draws) == pytest.approx(0.95, abs=0.012)
    assert all(map(math.isnan, prediction_interval([1.0])))


def test_ranks_from_ten_data_sets() -> None:
    generator = np.random.default_rng(1)
    means = {name: (80 + shift + generator.normal(0, 1, 12)).tolist() for name, shift in (("a", 0), ("b", 2), ("c", 1))}
    found = average_ranks(means, 1)
    assert found is not None
    assert list(found.ranks) == ["b", "c", "a"]
    assert sum(found.ranks.values()) == approx(6)
    assert found.p_friedman == approx(stats.friedmanchisquare(*means.values()).pvalue)
    assert found.critical_difference == pytest.approx(2.343 * math.sqrt(3 * 4 / (6 * 12)), rel=1e-3)  # Demsar, table 5
    assert list(average_ranks(means, -1).ranks) == ["a", "c", "b"]
    assert average_ranks({name: values[:9] for name, values in means.items()}, 1) is None
    assert average_ranks({"a": means["a"], "b": means["b"]}, 1) is None
    differences = np.subtract(means["b"], means["a"]).tolist()
    assert wilcoxon_p(differences) == approx(stats.wilcoxon(differences).pvalue)
    assert math.isnan(wilcoxon_p(differences[:9]))
    assert math.isnan(wilcoxon_p([0.0] * 10))

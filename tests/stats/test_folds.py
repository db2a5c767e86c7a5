"""Folds of one data set: the corrected resampled t test."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ablate.stats.effects import Comparison, Protocol, estimate_effects, paired_t, sentence
from ablate.stats.effects.folds import corrected_t
from tests.samples.effects import ACCURACY

DIFFERENCES = [-0.8, -1.5, -0.2, -1.1, -0.6, -0.9, -1.3, -0.4, -1.0, -0.7]


def approx(value: float) -> object:
    return pytest.approx(value, rel=1e-6)


def test_the_known_answer() -> None:
    found = corrected_t(DIFFERENCES, 1 / 9, 0.5)
    assert float(found.sd) / math.sqrt(10) == approx(0.182827585)
    assert float(found.p) == approx(0.00120349632)
    assert (float(found.low), float(found.high)) == (approx(-1.26358473), approx(-0.436415268))


def test_it_is_the_t_test_with_a_larger_standard_error() -> None:
    generator = np.random.default_rng(3)
    values = generator.normal(0.4, 1, (4, 6))
    found = corrected_t(values, 0.25, 0.5, 0.05, 3)
    error = np.sqrt((1 / 6 + 0.25) * values.var(axis=1, ddof=1))
    assert found.p == approx(2 * stats.t.sf(np.abs(values.mean(axis=1)) / error, 5))
    assert found.p_tost == approx(stats.t.sf((0.5 - np.abs(values.mean(axis=1))) / error, 5))
    assert found.fw_low == approx(values.mean(axis=1) - stats.t.ppf(1 - 0.05 / 6, 5) * error)
    plain = paired_t(values, 0.5)
    assert corrected_t(values, 1e-12, 0.5).p == pytest.approx(plain.p, rel=1e-6)


def test_without_variance_or_repetition_there_is_no_test() -> None:
    assert math.isnan(float(corrected_t([0.5, 0.5, 0.5], 0.5, 0.5).p))
    assert math.isnan(float(corrected_t([0.5], 0.5, 0.5).p))
    assert corrected_t(np.zeros((2, 0)), 0.5, 0.5).delta.shape == (2,)


def test_an_effect_over_folds_names_them_and_asks_for_no_more() -> None:
    rows = [
        {"variant": name, "seed": fold, "status": "finished", "accuracy": (90 + 0.1 * fold + shift * change) / 100}
        for name, shift in (("baseline", 0), ("v", 1), ("w", 0.6))
        for fold, change in enumerate(DIFFERENCES)
    ]
    protocol = Protocol(replicates="folds", fold_ratio=1 / 9)
    found, weaker = estimate_effects(pd.DataFrame(rows), [Comparison("v"), Comparison("w")], ACCURACY, 0.5, protocol)
    assert (found.delta, found.p) == (approx(-0.85), approx(0.00120349632))
    assert "(10 folds, drop-in, p_Holm = .002)" in sentence(found, ACCURACY)
    assert found.evidence.seeds_needed is None
    assert (math.isnan(found.p_welch), math.isnan(found.p_signflip), math.isnan(found.improve_low)) == (True,) * 3
    assert weaker.delta == approx(-0.51)
    few = [row for row in rows if row["seed"] < 5]
    open_one = estimate_effects(pd.DataFrame(few), [Comparison("v")], ACCURACY, 0.5, Protocol(
        replicates="folds", fold_ratio=1 / 4))[0]  # fmt: skip
    text = sentence(open_one, ACCURACY)
    assert open_one.evidence.rule.value == "inconclusive"
    assert "5 folds detect" in text
    assert "the margin of 0.5 needs other data, since more folds of the same data add little" in text

"""Properties of effects that hold for any data."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.stats.effects import estimate_effects, holm, paired_t, sign_flip_p, wilson
from ablate.stats.effects.inference import CODES, PairedT, judge
from ablate.stats.effects.repeated_scores import repeats_alone
from ablate.stats.effects.types import Verdict
from ablate.stats.metric import Metric
from tests.samples.effects import RAW, planned, run_table

# hundredths, so that ties and constant differences occur, and sums stay exact enough to compare
value = st.integers(-500, 500).map(lambda hundredths: hundredths / 100)
arms = (
    st.integers(3, 9)
    .flatmap(lambda n: st.tuples(*[st.lists(value, min_size=n, max_size=n)] * 3))
    .filter(lambda rows: not any(repeats_alone(one, other) for one, other in permutations(rows, 2)))  # one observation
    .map(lambda rows: dict(zip(("baseline", "no-a", "no-b"), rows, strict=True)))
)
NUMBERS = ("delta", "ci_low", "ci_high", "fw_low", "fw_high", "p", "p_holm", "p_tost", "p_signflip", "p_improve", "rho")
fewer = settings(max_examples=40)


def effects(table, metric=RAW, margin=0.5):
    return estimate_effects(table, planned("no-a", "no-b"), metric, margin)


def numbers(effect, names=NUMBERS):
    return [getattr(effect, name) for name in names]


@fewer
@given(arms)
def test_swapping_arms_flips_the_sign(data):
    first = effects(run_table(data, RAW))[0]
    swapped = effects(run_table({**data, "baseline": data["no-a"], "no-a": data["baseline"]}, RAW))[0]
    assert swapped.delta == pytest.approx(-first.delta, abs=1e-12)
    ends = -first.ci_high, -first.ci_low
    assert (swapped.ci_low, swapped.ci_high) == pytest.approx(ends, abs=1e-9, nan_ok=True)
    assert (swapped.p, swapped.p_tost) == pytest.approx((first.p, first.p_tost), abs=1e-9, nan_ok=True)
    assert swapped.p_improve == pytest.approx(1 - first.p_improve)


@fewer
@given(arms, st.randoms(use_true_random=False))
def test_order_of_rows_and_names_of_seeds_do_not_matter(data, random):
    table = run_table(data, RAW)
    shuffled = table.sample(frac=1, random_state=random.randrange(1000))
    for before, after in zip(effects(table), effects(shuffled), strict=True):
        assert before.row() == pytest.approx(after.row(), nan_ok=True)
    seeds = list(range(len(data["baseline"])))
    random.shuffle(seeds)
    renamed = table.assign(seed=[seeds[seed] + 100 for seed in table["seed"]])
    for before, after in zip(effects(table), effects(renamed), strict=True):
        assert numbers(before) == pytest.approx(numbers(after), abs=1e-9, nan_ok=True)
        assert before.verdict == after.verdict


@fewer
@given(arms)
def test_order_of_comparisons_does_not_matter(data):
    table = run_table(data, RAW)
    turned = estimate_effects(table, planned("no-b", "no-a"), RAW, 0.5)
    assert [effect.row() for effect in reversed(turned)] == [
        pytest.approx(effect.row(), nan_ok=True) for effect in effects(table)
    ]


@fewer
@given(arms, st.sampled_from([0.5, 4.0, 100.0]))
def test_scaling_values_and_margin_scales_the_effect(data, factor):
    scaled = Metric("score", unit="", scale=factor)
    before = effects(run_table(data, RAW))
    after = effects(run_table(data, RAW), scaled, 0.5 * factor)
    for one, other in zip(before, after, strict=True):
        lengths = ("delta", "ci_low", "fw_high", "delta_survivors", "mde", "baseline_mean")
        expected = [factor * number for number in numbers(one, lengths)]
        assert numbers(other, lengths) == pytest.approx(expected, abs=1e-9, nan_ok=True)
        shares = ("p", "p_holm", "p_tost", "p_welch", "p_signflip", "p_improve", "rho")
        assert numbers(other, shares) == pytest.approx(numbers(one, shares), abs=1e-7, nan_ok=True)


@fewer
@given(arms)
def test_intervals_contain_their_estimate_and_nest(data):
    for effect in effects(run_table(data, RAW)):
        assert effect.improve_low <= effect.p_improve <= effect.improve_high
        varies = effect.n > 2 and effect.evidence.sd_difference > effect.evidence.paired.tolerance
        assert math.isnan(effect.p) == math.isnan(effect.p_tost) == math.isnan(effect.ci_low) == (not varies)
        if varies:
            assert effect.fw_low <= effect.ci_low <= effect.delta <= effect.ci_high <= effect.fw_high
            assert effect.p <= effect.p_holm <= 1
            assert effect.p_tost <= effect.p_tost_holm <= 1
        else:
            assert effect.verdict in ("identical differences", "single-run observation")
            assert effect.p_holm == effect.p_tost_holm == 1


@fewer
@given(arms, st.sampled_from([0.3, 0.5, 2.0]))
def test_tests_and_intervals_are_dual(data, margin):
    """p < .05 if and only if the 95 % interval excludes 0; p_tost < .05 if the 90 % interval is within the margin."""
    differences = np.subtract(data["no-a"], data["baseline"])
    ninety_five, ninety = paired_t(differences, margin), paired_t(differences, margin, alpha=0.10)
    if np.isnan(ninety_five.p) or min(abs(float(ninety_five.p) - 0.05), abs(float(ninety.p_tost) - 0.05)) < 1e-9:
        return
    assert (ninety_five.p < 0.05) == (ninety_five.low > 0 or ninety_five.high < 0)
    assert (ninety.p_tost < 0.05) == (-margin < ninety.low and ninety.high < margin)


def test_sign_flips_that_tie_are_ties_in_any_order():
    differences = [0.12, 0.71, -1.28, -1.98, 2.43, 0.0, 0.0]  # their sum is 0 up to rounding
    assert {sign_flip_p(np.roll(differences, shift).tolist()) for shift in range(7)} == {1.0}


@given(st.lists(st.tuples(*[st.floats(-2, 2)] * 2, *[st.floats(0, 1)] * 2, st.booleans()), min_size=1, max_size=8))
def test_every_comparison_gets_exactly_the_first_rule_that_matches(rows):
    low = np.array([min(row[0], row[1]) for row in rows])
    high = np.array([max(row[0], row[1]) for row in rows])
    p, p_tost, bad = (np.array([row[i] for row in rows]) for i in (2, 3, 4))
    statistics = PairedT(5, low, low, low, high, low, high, p, p_tost)
    for i, code in enumerate(judge(statistics, p, p_tost, bad, 0.5)):
        rules = [
            (Verdict.UNRELIABLE, bad[i]),
            (Verdict.LOSS, high[i] < -0.5),
            (Verdict.GAIN, low[i] > 0.5),
            (Verdict.NEGLIGIBLE, p[i] < 0.05 and p_tost[i] < 0.05),
            (Verdict.NO_EFFECT, p_tost[i] < 0.05),
            (Verdict.UNRESOLVED, p[i] < 0.05),
            (Verdict.INCONCLUSIVE, True),
        ]
        assert int(code) == CODES[next(rule for rule, holds in rules if holds)]


@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, 2 * n).map(lambda k: k / 2), st.just(n))))
def test_wilson_flips_with_the_outcome(outcome):
    wins, n = outcome
    low, high = wilson(wins, n)
    assert 0 <= low <= wins / n <= high <= 1
    assert wilson(n - wins, n) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@fewer
@given(arms)
def test_arrays_of_studies_agree_with_single_ones(data):
    """The simulation and real studies use the same code."""
    names = ("no-a", "no-b")
    stacked = np.stack([np.subtract(data[name], data["baseline"]) for name in names])
    many = paired_t(np.stack([stacked, stacked + 1]), 0.5, 0.05, 2)
    single = effects(run_table(data, RAW))
    if single[0].n < len(data["baseline"]):  # every arm repeats its score
        return
    assert many.p[0] == pytest.approx([effect.p for effect in single], nan_ok=True)
    assert holm(many.p)[0] == pytest.approx([effect.p_holm for effect in single])
    codes = judge(many, holm(many.p), holm(many.p_tost), False, 0.5)
    rules = [effect.evidence.rule for effect in single]
    coarse = [effect.evidence.coarse > 0 for effect in single]
    for code, rule, step in zip(codes[0], rules, coarse, strict=True):
        assert step or rule in (list(Verdict)[code], Verdict.IDENTICAL)


def test_integer_and_text_columns_are_read():
    table = run_table({"baseline": [1, 2, 3], "no-a": [2, 3, 5]}, RAW)
    as_text = table.assign(seed=table["seed"].astype(float), score=table["score"].astype(str))
    assert estimate_effects(as_text, planned("no-a"), RAW, 0.5)[0].row() == (
        estimate_effects(table, planned("no-a"), RAW, 0.5)[0].row()
    )
    holed = pd.concat([table, pd.DataFrame({"variant": ["no-a"], "seed": [7], "status": ["failed"], "score": [None]})])
    nullable = holed.convert_dtypes()
    assert estimate_effects(nullable, planned("no-a"), RAW, 0.5)[0].n == 3

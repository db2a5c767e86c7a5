"""Unpaired and partly paired runs: known answers, references and properties."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestIndPower
from statsmodels.stats.weightstats import ttost_ind

from ablate.stats.effects import Comparison, Effect, Protocol, estimate_effects, sentence
from ablate.stats.effects.unpaired import partly_paired_t, welch_t
from tests.samples.effects import ACCURACY, BASELINE

UNPAIRED = [92.61, 92.40, 92.85, 92.33]
MORE_BASELINE = [93.02, 93.27, 92.99, 93.16, 93.05]
ARM = [92.93, 93.05, 92.71, 93.02, 92.75]
WELCH = Protocol(replicates="runs")


def approx(value: float) -> object:
    return pytest.approx(value, rel=1e-6)


def effect_of(arms: dict[str, list[float]], margin: float = 0.5, protocol: Protocol = WELCH, **extra: object) -> Effect:
    """Return the effect of the first arm against the baseline; every run has a seed of its own."""
    rows = [
        {"variant": name, "seed": 100 * place + seed, "status": "finished", "accuracy": value / 100}
        for place, (name, values) in enumerate(arms.items())
        for seed, value in enumerate(values)
    ]
    table = pd.DataFrame(rows)
    for name, values in extra.items():
        table[name] = values
    comparisons = [Comparison(name, n_planned=5) for name in arms if name != "baseline"]
    return estimate_effects(table, comparisons, ACCURACY, margin, protocol)[0]


def test_the_known_answer_of_welch() -> None:
    found = welch_t(UNPAIRED, BASELINE, 0.5, 0.05, 7)
    assert float(found.delta) == approx(-0.5845)
    assert float(found.p) == approx(0.00819204210)
    assert (float(found.low), float(found.high)) == (approx(-0.933048711), approx(-0.235951289))
    assert (float(found.fw_low), float(found.fw_high)) == (approx(-1.18981340), approx(0.0208134028))
    assert float(found.p_tost) == approx(0.722865559)
    assert float(welch_t(UNPAIRED, BASELINE, 1.0).p_tost) == approx(0.0142280318)


def test_the_known_answer_as_an_effect() -> None:
    effect = effect_of({"U": UNPAIRED, "baseline": BASELINE})
    assert (effect.n, effect.evidence.paired.n_reference, effect.evidence.freedom) == (4, 5, approx(4.67226348))
    assert (effect.delta, effect.p, effect.p_tost) == (approx(-0.5845), approx(0.00819204210), approx(0.722865559))
    assert effect.verdict == "preliminary: unpaired: real, importance unresolved"
    assert "(4 and 5 unpaired runs, drop-in, p_Holm = .008)" in sentence(effect, ACCURACY)
    assert sentence(effect, ACCURACY).startswith("Preliminary, unpaired: Variant U changed accuracy by -0.58 points")
    assert effect.variant_sd == approx(float(np.std(UNPAIRED, ddof=1)))
    for column in ("rho", "p_signflip", "p_improve", "improve_low"):
        assert math.isnan(getattr(effect, column)), column


def test_the_known_answer_of_partly_paired_runs() -> None:
    reference = dict(enumerate([*BASELINE, *MORE_BASELINE]))
    found = partly_paired_t(dict(enumerate(ARM)), reference)
    assert found is not None
    assert (found.n, found.n_variant, found.n_reference) == (5, 0, 5)
    assert (found.delta, found.error) == (approx(-0.223), approx(0.0533600360))
    assert (found.freedom, found.p) == (approx(4.86503598), approx(0.00918903905))
    paired = stats.ttest_rel(ARM, BASELINE)
    assert paired.pvalue == approx(0.00110866590)


def test_partly_paired_runs_need_three_pairs_other_runs_and_variation() -> None:
    arm = dict(enumerate(ARM))
    assert partly_paired_t(arm, dict(enumerate(BASELINE))) is None
    assert partly_paired_t({0: 92.9, 1: 93.0, 7: 92.7}, dict(enumerate(BASELINE))) is None
    assert partly_paired_t(dict.fromkeys(range(5), 92.9), dict(enumerate([*BASELINE, *MORE_BASELINE]))) is None
    assert partly_paired_t(arm, dict(enumerate([*BASELINE, math.nan]))) is None


@pytest.mark.parametrize(("n", "other", "ratio"), [(3, 8, 1.0), (5, 5, 4.0), (12, 4, 0.2)])
def test_welch_agrees_with_scipy_and_statsmodels(n: int, other: int, ratio: float) -> None:
    generator = np.random.default_rng(n)
    variant, reference = 90 + ratio * generator.normal(size=n), 90.3 + generator.normal(size=other)
    found, test = welch_t(variant, reference, 0.7, 0.01), stats.ttest_ind(variant, reference, equal_var=False)
    interval = test.confidence_interval(0.99)
    assert (float(found.p), float(found.low), float(found.high)) == tuple(
        map(approx, (test.pvalue, interval.low, interval.high))
    )
    assert float(found.p_tost) == approx(ttost_ind(variant, reference, -0.7, 0.7, usevar="unequal")[0])
    effect = effect_of({"v": variant.tolist(), "baseline": reference.tolist()}, 0.7)
    assert effect.evidence.freedom == approx(test.df)


@given(st.floats(-3, 300), st.integers(-60, 60))
def test_welch_ignores_a_common_shift_and_scales_with_the_unit(shift: float, exponent: int) -> None:
    unit = 2.0**exponent
    plain = welch_t(UNPAIRED, BASELINE, 0.5)
    moved = welch_t((np.array(UNPAIRED) + shift) * unit, (np.array(BASELINE) + shift) * unit, 0.5 * unit)
    for name in ("p", "p_tost"):
        assert float(getattr(moved, name)) == pytest.approx(float(getattr(plain, name)), rel=1e-6)
    for name in ("delta", "low", "fw_high"):
        assert float(getattr(moved, name)) / unit == pytest.approx(float(getattr(plain, name)), rel=1e-6)


def test_the_detectable_effect_is_that_of_two_samples() -> None:
    effect = effect_of({"v": [90.0, 91, 92, 93, 94], "baseline": [90.5, 91.5, 92.5, 93.5, 94.5]})
    size = TTestIndPower().solve_power(nobs1=5, alpha=0.05, power=0.8)
    assert effect.mde == pytest.approx(size * math.sqrt(2.5), rel=1e-4)
    needed = effect.evidence.seeds_needed
    assert needed is not None
    assert needed.low is not None
    by_statsmodels = TTestIndPower().solve_power(effect_size=0.5 / math.sqrt(2.5), alpha=0.05, power=0.8)
    assert needed.low < by_statsmodels < (needed.high or math.inf)


def test_an_arm_without_runs_and_one_with_a_single_run() -> None:
    none = estimate_effects(
        pd.DataFrame([{"variant": "baseline", "seed": 0, "status": "finished", "accuracy": 0.9}]),
        [Comparison("v")], ACCURACY, 0.5, WELCH,
    )[0]  # fmt: skip
    assert (none.n, none.evidence.rule.value) == (0, "too few seeds")
    assert "no run of v or of baseline has a result; too few runs." in sentence(none, ACCURACY)
    single = effect_of({"v": [92.0], "baseline": BASELINE})
    assert (single.n, single.delta) == (1, approx(92 - np.mean(BASELINE)))
    assert math.isnan(single.p)
    assert "a single-run observation" in sentence(single, ACCURACY)
    two = effect_of({"v": [92.0, 92.1], "baseline": BASELINE})
    assert "in 2 and 5 runs; too few runs for a verdict" in sentence(two, ACCURACY)


def test_unstable_runs_of_unpaired_arms() -> None:
    statuses = ["unstable"] * 6 + ["finished"] * 9
    values = [10.0] * 6
    effect = effect_of({"v": values, "baseline": [*BASELINE, *UNPAIRED]}, status=statuses)
    assert effect.verdict == "unpaired: trains unreliably"
    assert effect.evidence.p_unreliable == approx(stats.boschloo_exact([[6, 0], [0, 9]]).pvalue)
    assert "unstable in 6 of 6 runs" in sentence(effect, ACCURACY)
    statuses = ["finished"] * 4 + ["unstable"] + ["finished"] * 5
    one = effect_of({"v": [*UNPAIRED, 10.0], "baseline": BASELINE}, status=statuses)
    assert one.verdict.startswith("unpaired: unstable in 1 of 5 runs: ")
    assert one.delta_survivors == approx(np.mean(UNPAIRED) - np.mean(BASELINE))
    assert "Among the stable runs the difference is -0.58 points." in sentence(one, ACCURACY)


def test_repeated_scores_are_one_run() -> None:
    effect = effect_of({"v": [92.0] * 4, "baseline": [93.0] * 5})
    assert (effect.n, effect.evidence.paired.repeated) == (1, 5)


def test_coarse_unpaired_scores_show_no_equivalence() -> None:
    arms = {"v": [99.0] * 9 + [98.0], "baseline": [99.0] * 9 + [100.0]}
    coarse = effect_of(arms, 0.9)
    assert (coarse.evidence.coarse, coarse.evidence.rule.value) == (approx(1.0), "inconclusive")
    assert coarse.p_tost_holm < 0.05
    assert "the usual step between scores, 1.00 points, is above the margin: at least 12 runs of each variant" in (
        sentence(coarse, ACCURACY)
    )
    fine = {name: [value + 0.03 * place for place, value in enumerate(values)] for name, values in arms.items()}
    assert effect_of(fine, 0.9).verdict == "unpaired: no practically meaningful effect"


def test_pairs_stay_the_default() -> None:
    protocol = replace(WELCH, replicates="seeds")
    assert effect_of({"U": UNPAIRED, "baseline": BASELINE}, protocol=protocol).n == 0

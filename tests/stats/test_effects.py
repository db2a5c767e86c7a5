"""Effects: known answers, comparison with SciPy and statsmodels, verdicts and their overrides, invalid tables."""

from __future__ import annotations

import gc
import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

from ablate.errors import UserError
from ablate.stats.effects import (
    EFFECT_COLUMNS,
    Comparison,
    Protocol,
    Verdict,
    always_valid_half_width,
    effects_table,
    estimate_effects,
    paired_t,
    read_scores,
    sign_flip_p,
    wilson,
)
from tests.samples.effects import ACCURACY, BASELINE, LOSS, NO_BATCH_NORM, NO_CLIP, RAW, planned, run_table, with_status

SEVEN = ("no-bn", "no-clip", "no-a", "no-b", "no-c", "no-d", "no-e")


def worked_example():
    runs = run_table({"baseline": BASELINE, "no-bn": NO_BATCH_NORM, "no-clip": NO_CLIP})
    return estimate_effects(runs, planned(*SEVEN), ACCURACY, 0.5)


def approx(value, digits=1e-6):
    return pytest.approx(value, rel=digits)


def test_columns_are_those_of_effects_csv():
    assert EFFECT_COLUMNS == (
        "factor", "variant", "reference", "change", "family", "n_planned", "n", "n_unstable", "baseline_mean",
        "baseline_sd", "variant_mean", "variant_sd", "delta", "level", "ci_low", "ci_high", "fw_low", "fw_high", "p",
        "p_holm", "margin", "p_tost", "p_tost_holm", "delta_survivors", "p_welch", "p_signflip", "p_improve",
        "improve_low", "improve_high", "mde", "rho", "verdict",
    )  # fmt: skip
    assert tuple(effects_table(worked_example()).columns) == EFFECT_COLUMNS
    assert tuple(effects_table([]).columns) == EFFECT_COLUMNS


def test_known_answer_batch_norm():
    effect = worked_example()[0]
    assert effect.delta == approx(-3.022)
    assert effect.evidence.sd_difference == approx(0.15610894)
    assert effect.delta / (effect.evidence.sd_difference / math.sqrt(5)) == approx(-43.286423)
    assert effect.p == approx(1.7029458e-6)
    assert (effect.ci_low, effect.ci_high) == approx((-3.2158348, -2.8281652))
    assert (effect.fw_low, effect.fw_high) == approx((-3.3757834, -2.6682166))
    assert effect.p_welch == approx(6.737063e-7)
    assert effect.rho == approx(0.9227533)
    assert effect.p_signflip == 0.0625
    assert effect.p_holm == approx(7 * 1.7029458e-6)
    assert effect.verdict == "clear and important loss"


def test_known_answer_gradient_clipping():
    effect = worked_example()[1]
    assert effect.delta == pytest.approx(-0.004)
    assert effect.evidence.sd_difference == approx(0.071972217)
    assert effect.p == approx(0.90709321)
    assert (effect.ci_low, effect.ci_high) == approx((-0.093365311, 0.085365311))
    assert effect.p_tost == approx(5.1739114e-5)
    assert effect.verdict == "no practically meaningful effect"
    differences = np.subtract(NO_CLIP, BASELINE)
    assert float(paired_t(differences, 0.1).p_tost) == approx(0.020317621)
    assert float(paired_t(differences, 0.05).p_tost) == approx(0.11308497)


def test_known_answer_confidence_sequence():
    assert always_valid_half_width(0.2, 4) == math.inf
    widths = [always_valid_half_width(0.2, n) for n in (5, 10, 20)]
    assert widths == approx([0.75607605, 0.24474680, 0.15316084])


@pytest.fixture(scope="module")
def quick_collections() -> None:
    """Freeze existing objects: statsmodels runs the garbage collector at each call, which takes a second otherwise."""
    gc.freeze()


@pytest.mark.usefixtures("quick_collections")
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("n", [3, 5, 12])
def test_agrees_with_scipy_and_statsmodels(seed, n):
    generator = np.random.default_rng(seed)
    shifts = {"baseline": 0.0, "no-a": -0.3, "no-b": 0.1, "no-c": -1.0}
    arms = {name: 90 + shift + generator.normal(0, 0.4, n) for name, shift in shifts.items()}
    effects = estimate_effects(run_table(arms), planned("no-a", "no-b", "no-c"), ACCURACY, 0.5)
    for effect in effects:
        variant, reference = arms[effect.variant], arms["baseline"]
        test = stats.ttest_rel(variant, reference)
        for level, low, high in ((0.95, effect.ci_low, effect.ci_high), (1 - 0.05 / 3, effect.fw_low, effect.fw_high)):
            assert (low, high) == approx(tuple(test.confidence_interval(level)), 1e-8)
        assert effect.p == approx(test.pvalue, 1e-8)
        assert effect.p_tost == approx(ttost_paired(variant, reference, -0.5, 0.5)[0], 1e-8)
        assert effect.p_welch == approx(stats.ttest_ind(variant, reference, equal_var=False).pvalue, 1e-8)
        assert effect.rho == approx(np.corrcoef(variant, reference)[0, 1], 1e-8)
        assert effect.baseline_sd == approx(np.std(reference, ddof=1), 1e-8)
        assert effect.delta_survivors == approx(effect.delta)
    for raw, adjusted in (("p", "p_holm"), ("p_tost", "p_tost_holm")):
        expected = multipletests([getattr(effect, raw) for effect in effects], method="holm")[1]
        assert [getattr(effect, adjusted) for effect in effects] == approx(expected.tolist(), 1e-8)


def test_sign_flip_matches_enumeration_and_stays_seeded():
    differences = np.array([0.3, -0.1, 0.4, 0.2, 0.05, 0.7])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 6)).reshape(6, -1)
    sums = signs.T @ differences
    assert sign_flip_p(differences) == pytest.approx(np.mean(np.abs(sums) >= differences.sum() - 1e-9))
    fifteen = np.random.default_rng(1).normal(0.3, 1, 15)
    assert sign_flip_p(fifteen) == sign_flip_p(fifteen)
    assert sign_flip_p(fifteen) == pytest.approx(stats.ttest_1samp(fifteen, 0).pvalue, abs=0.03)


def test_wilson_matches_scipy():
    for wins, n in ((0, 5), (2, 5), (5, 5), (7, 20)):
        expected = stats.binomtest(wins, n).proportion_ci(0.95, method="wilson")
        assert wilson(wins, n) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert all(map(math.isnan, wilson(0, 0)))


# verdicts, by the table ------------------------------------------------------------------------------------------

STEADY = np.array([0.01, -0.02, 0.0, 0.02, -0.01])


@pytest.mark.parametrize(
    ("shift", "spread", "verdict"),
    [
        (-3.0, 1, "clear and important loss"),
        (+3.0, 1, "clear and important gain"),
        (-0.2, 1, "real but negligible"),
        (0.0, 1, "no practically meaningful effect"),
        (-0.5, 1, "real, importance unresolved"),
        (-0.5, 40, "inconclusive"),
    ],
)
def test_each_rule(shift, spread, verdict):
    runs = run_table({"baseline": BASELINE, "no-a": np.add(BASELINE, shift) + spread * STEADY})
    (effect,) = estimate_effects(runs, planned("no-a"), ACCURACY, 0.5)
    assert effect.verdict == verdict


def test_goal_min_flips_losses_and_improvements():
    runs = run_table({"baseline": [20.0, 21, 20.5, 20.2, 20.8], "no-a": [18.0, 19.1, 18.4, 18.3, 20.8]}, LOSS)
    (effect,) = estimate_effects(runs, planned("no-a"), LOSS, 0.5)
    assert effect.delta < 0
    assert effect.p_improve == 0.9  # four wins and a tie
    runs = run_table({"baseline": np.add(BASELINE, 0), "no-a": np.add(BASELINE, -3) + STEADY}, LOSS)
    assert estimate_effects(runs, planned("no-a"), LOSS, 0.5)[0].verdict == "clear and important gain"


@pytest.mark.parametrize(
    ("n", "verdict"),
    [
        (0, "too few seeds"),
        (1, "single-run observation"),
        (2, "too few seeds"),
        (3, "preliminary: clear and important loss"),
        (4, "preliminary: clear and important loss"),
        (5, "clear and important loss"),
    ],
)
def test_few_seeds(n, verdict):
    runs = run_table({"baseline": BASELINE[:n], "no-a": NO_BATCH_NORM[:n]})
    (effect,) = estimate_effects(runs, planned("no-a"), ACCURACY, 0.5)
    assert (effect.n, effect.verdict) == (n, verdict)
    assert math.isinf(effect.mde) == (n < 3)
    assert math.isnan(effect.p) == (n < 2)
    assert effect.p_holm == 1.0 if n < 2 else effect.p_holm == effect.p


def test_missing_p_enters_holm_as_one():
    first = worked_example()[0]
    assert first.p_holm == approx(7 * first.p)  # the five arms without runs count
    assert [effect.n for effect in worked_example()[2:]] == [0] * 5


@pytest.mark.parametrize(
    ("shift", "n", "verdict"),
    [
        (0.0, 20, "identical differences"),
        (-0.25, 5, "identical differences"),
        (-1.0, 5, "identical differences"),
        (-1.0, 4, "identical differences"),
        (0.0, 3, "identical differences"),
        (-1.0, 2, "too few seeds"),
    ],
)
@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e6])
def test_differences_without_variance_have_no_verdict_and_no_p(shift, n, verdict, scale):
    values = scale * np.resize([93.0, 94.0, 92.5, 93.5, 92.0], n)
    noise = 2e-13 * scale * np.resize([1.0, -1.0, 2.0], n)  # of the size of rounding errors
    runs = run_table({"baseline": values, "no-a": values + scale * shift + noise, "no-b": values**1.01}, RAW)
    effect, other = estimate_effects(runs, planned("no-a", "no-b"), RAW, 0.5 * scale)
    assert effect.verdict == verdict
    assert effect.delta == pytest.approx(scale * shift, abs=1e-9 * scale)
    assert all(map(math.isnan, (effect.p, effect.p_tost, effect.ci_low, effect.fw_high, effect.rho)))
    assert math.isinf(effect.mde) == (n < 3)
    assert (effect.p_holm, effect.p_tost_holm) == (1.0, 1.0)  # a missing p enters Holm as 1
    if n > 2:
        assert other.p_holm == approx(min(1.0, 2 * other.p))


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6, 1e8, 1e10])
def test_small_differences_of_large_scores_are_not_equal(offset):
    """Only scores within some spacings of floats are equal, however large the scores are."""
    values = np.array([0.9, 0.91, 0.92, 0.905, 0.915])
    change = np.array([-0.02, -0.025, -0.01, -0.025, -0.015])
    runs = run_table({"baseline": offset + values, "no-a": offset + values + change}, LOSS)
    (effect,) = estimate_effects(runs, planned("no-a"), LOSS, 0.005)
    rounding = max(1e-9, 4 * np.spacing(offset))
    assert (effect.delta, effect.fw_low, effect.fw_high) == pytest.approx(
        (-0.019, -0.0271, -0.0109), abs=1e-4 + rounding
    )
    assert effect.p_signflip == 0.0625
    assert effect.verdict == "clear and important gain"


def test_differences_just_above_the_tolerance_are_tested():
    values = np.array([93.0, 94.0, 92.5, 93.5, 92.0])
    runs = run_table({"baseline": values, "no-a": values - 1 + 1e-4 * STEADY}, RAW)
    (effect,) = estimate_effects(runs, planned("no-a"), RAW, 0.5)
    assert effect.verdict == "clear and important loss"


def test_where_every_arm_repeats_its_score_n_is_one():
    runs = run_table({"baseline": [90.0] * 5, "no-a": [89.0] * 5, "no-b": [90.0] * 3})
    first, second = estimate_effects(runs, planned("no-a", "no-b"), ACCURACY, 0.5)
    assert (first.n, first.verdict, first.delta) == (1, "single-run observation", pytest.approx(-1.0))
    assert (second.n, second.verdict, second.evidence.paired.repeats) == (1, "single-run observation", 3)
    assert all(map(math.isnan, (first.p, first.ci_low, first.rho, first.p_welch, first.baseline_sd)))
    assert first.p_holm == first.p_tost_holm == 1.0
    assert read_scores(runs, ACCURACY).values.shape == (3, 1)


@pytest.mark.parametrize(
    ("arms", "n"),
    [
        ({"baseline": [90.0] * 5, "no-a": [89.0] * 5, "no-b": [90.0, 91.0]}, 5),  # one arm varies
        ({"baseline": [90.0], "no-a": [89.0]}, 1),  # a single seed shows nothing
        ({"baseline": [90.0] * 5, "no-a": [89.0]}, 1),
        ({"baseline": [90.0, 90.1, 90.2], "no-a": [90.0, 90.1, 90.2]}, 3),  # the switch does nothing, the seed does
    ],
)
def test_seeds_count_where_something_varies(arms, n):
    first = estimate_effects(run_table(arms), planned("no-a"), ACCURACY, 0.5)[0]
    assert first.n == n


def test_an_arm_that_diverges_at_some_seeds_does_not_repeat_itself():
    runs = with_status(run_table({"baseline": [90.0] * 5, "no-a": [89.0] * 5}), "no-a", [1], "unstable", 0.1)
    assert estimate_effects(runs, planned("no-a"), ACCURACY, 0.5)[0].n == 5
    always = with_status(runs, "no-a", range(5), "unstable", 0.1)
    assert estimate_effects(always, planned("no-a"), ACCURACY, 0.5)[0].n == 1


def test_a_constant_arm_has_no_rho():
    runs = run_table({"baseline": [90.0] * 5, "no-a": [89.0] * 5, "no-b": NO_CLIP})
    effect = estimate_effects(runs, planned("no-a", "no-b"), ACCURACY, 0.5)[0]
    assert math.isnan(effect.rho)
    assert math.isnan(effect.p_welch)
    assert effect.verdict == "identical differences"


def test_few_scores_coarser_than_the_margin_have_no_verdict_of_equivalence():
    almost = [90.0] * 19 + [91.0]
    for step, verdict in ((1.0, "inconclusive"), (0.4, "no practically meaningful effect")):
        values = np.array([90.0, 90.0 + step] * 10)
        runs = run_table({"baseline": values, "no-a": values + step * np.subtract(almost, 90)})
        (effect,) = estimate_effects(runs, planned("no-a"), ACCURACY, 0.5)
        assert effect.p_tost < 0.05
        assert effect.verdict == verdict
        assert effect.evidence.coarse == pytest.approx(step if step > 0.5 else 0.0)
    moved = values + 0.4 + np.resize([0.0, 0.4, 0.0], 20)  # steps of 0.4: real, and within a margin of 1
    runs = run_table({"baseline": values, "no-a": moved})
    assert estimate_effects(runs, planned("no-a"), ACCURACY, 1.0)[0].verdict == "real but negligible"
    for seeds, verdict in ((20, "real, importance unresolved"), (40, "real but negligible")):
        values = np.array([90.0, 90.7] * (seeds // 2))
        quarter = run_table({"baseline": values, "no-a": values + np.resize([0.0, 0.0, 0.0, 0.7], seeds)}, RAW)
        coarse = quarter.assign(score=(quarter["score"] / 0.7).round() * 0.7)
        (effect,) = estimate_effects(coarse, planned("no-a"), RAW, 0.35)
        assert (effect.p_holm < 0.05, effect.p_tost_holm < 0.05) == (True, True)
        assert effect.verdict == verdict


def correct(n, moved, margin, *others):
    """Return the effect on 0/1 scores of which a few differ, against a reference with an accuracy of 90 %."""
    reference = np.resize([100.0] * 9 + [0.0], n)
    variant = np.where(np.arange(n) < moved, 100 - reference, reference)
    runs = run_table({"baseline": reference, "no-a": variant})
    return estimate_effects(runs, planned("no-a", *others), ACCURACY, margin)[0]


@pytest.mark.parametrize(
    ("n", "moved", "margin", "verdict"),
    [
        (50_000, 20, 0.5, "real but negligible"),
        (50_000, 2, 0.5, "no practically meaningful effect"),
        (2001, 2, 0.5, "no practically meaningful effect"),
        (2000, 2, 0.5, "inconclusive"),
        (200, 1, 0.5, "inconclusive"),
        (20, 1, 40.0, "inconclusive"),
        (26, 1, 40.0, "no practically meaningful effect"),
        (101, 6, 10.0, "real, importance unresolved"),  # the SD of six differences is far below that of ten
        (101, 5, 10.0, "real but negligible"),
    ],
)
def test_many_scores_of_zero_or_one_can_show_equivalence(n, moved, margin, verdict):
    effect = correct(n, moved, margin)
    assert effect.verdict == verdict
    assert (effect.evidence.coarse > 0) == (
        effect.p_tost < 0.05 and verdict in ("inconclusive", "real, importance unresolved")
    )
    low = effect.evidence.seeds_needed.low
    assert low > 1000 / margin if low else margin < 5  # no number above 200 is named


def test_prefixes():
    runs = run_table({"baseline": BASELINE, "no-a": NO_BATCH_NORM})
    loss = "clear and important loss"

    def verdict(protocol, **settings):
        return estimate_effects(runs, planned("no-a", **settings), ACCURACY, 0.5, protocol)[0].verdict

    assert verdict(Protocol(planned=False)) == f"exploratory: {loss}"
    assert verdict(Protocol(extended=True)) == f"exploratory: {loss}"
    assert verdict(Protocol(), planned=False) == f"exploratory: {loss}"
    assert verdict(Protocol(selected_on_test=True)) == f"optimistic: {loss}"
    assert verdict(Protocol(planned=False, selected_on_test=True)) == f"exploratory: optimistic: {loss}"


# unstable and failed runs ----------------------------------------------------------------------------------------


def test_unstable_runs_count_with_their_value_next_to_the_survivors():
    runs = run_table({"baseline": BASELINE, "no-a": NO_BATCH_NORM})
    runs = with_status(runs, "no-a", [1], "unstable", 0.12)
    runs = with_status(runs, "no-a", [3], "unstable", math.nan)
    (effect,) = estimate_effects(runs, planned("no-a"), ACCURACY, 0.5)
    values = np.array([90.12, 12.0, 89.75, 10.0, 89.93])
    assert effect.delta == approx(float(np.mean(values - BASELINE)))
    kept = [0, 2, 4]
    assert effect.delta_survivors == approx(float(np.mean((values - BASELINE)[kept])))
    assert (effect.n, effect.n_unstable) == (5, 2)
    assert effect.verdict == "unstable in 2 of 5 seeds: inconclusive"


def test_an_arm_that_is_unstable_more_often_than_its_reference_trains_unreliably():
    stable = run_table({"baseline": BASELINE, "no-a": NO_BATCH_NORM})
    runs = with_status(stable, "no-a", range(5), "unstable", 0.1)
    (effect,) = estimate_effects(runs, planned("no-a"), ACCURACY, 0.5)
    assert effect.verdict == "trains unreliably"
    assert (effect.evidence.unstable_low, effect.evidence.unstable_high) == approx(wilson(5, 5))
    assert effect.evidence.p_unreliable == approx(2 / 2**10)  # at the worst probability, 1/2
    four = runs[runs["seed"] < 4]
    assert estimate_effects(four, planned("no-a"), ACCURACY, 0.5)[0].verdict == "preliminary: trains unreliably"
    reference_too = with_status(runs, "baseline", [1], "unstable", 0.1)
    (effect,) = estimate_effects(reference_too, planned("no-a"), ACCURACY, 0.5)
    assert effect.verdict == "reference unstable in 1 of 5 seeds: trains unreliably"


def test_unstable_runs_short_of_that_are_a_prefix():
    stable = run_table({"baseline": BASELINE, "no-a": NO_BATCH_NORM})
    runs = with_status(stable, "no-a", [0, 2, 4], "unstable", 0.1)
    (effect,) = estimate_effects(runs, planned("no-a"), ACCURACY, 0.5)
    assert effect.verdict == "unstable in 3 of 5 seeds: inconclusive"
    assert effect.evidence.p_unreliable == pytest.approx(0.0618, abs=1e-4)
    reference_too = with_status(runs, "baseline", [1], "unstable", 0.1)
    (effect,) = estimate_effects(reference_too, planned("no-a"), ACCURACY, 0.5)
    assert effect.verdict == "unstable in 3 of 5 seeds, reference in 1: inconclusive"
    assert effect.evidence.paired.survivors == (False, False, False, True, False)
    assert effect.delta_survivors == approx(90.40 - 93.21)


def test_holm_applies_to_instability_over_the_family():
    runs = with_status(run_table({"baseline": BASELINE[:3], "no-a": NO_BATCH_NORM[:3]}), "no-a", range(3), "unstable")
    alone = estimate_effects(runs, planned("no-a"), ACCURACY, 0.5)[0]
    assert alone.verdict == "preliminary: trains unreliably"
    together = estimate_effects(runs, planned("no-a", "no-b"), ACCURACY, 0.5)[0]
    assert together.evidence.p_unreliable == approx(2 * alone.evidence.p_unreliable)
    assert together.verdict.startswith("preliminary: unstable in 3 of 3 seeds: ")


def test_all_unstable_leaves_no_survivors():
    runs = with_status(run_table({"baseline": BASELINE, "no-a": NO_BATCH_NORM}), "no-a", range(5), "unstable", math.inf)
    (effect,) = estimate_effects(runs, planned("no-a"), ACCURACY, 0.5)
    assert effect.verdict == "trains unreliably"
    assert math.isnan(effect.delta_survivors)
    assert effect.variant_mean == approx(10.0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1.797693e308])
def test_unstable_runs_without_value_or_floor_block_no_other_comparison(value):
    runs = run_table({"baseline": BASELINE, "no-a": NO_BATCH_NORM, "no-b": NO_CLIP}, RAW)
    broken = with_status(runs, "no-a", [2], "unstable", value)
    first, second = estimate_effects(broken, planned("no-a", "no-b"), RAW, 0.5)
    assert first.verdict == "unstable in 1 of 5 seeds"
    assert (first.n, first.n_unstable) == (5, 1)
    assert all(
        map(math.isnan, (first.delta, first.ci_low, first.p, first.p_tost, first.variant_mean, first.p_signflip))
    )
    stable = [0, 1, 3, 4]
    assert first.delta_survivors == approx(float(np.mean(np.subtract(NO_BATCH_NORM, BASELINE)[stable])))
    assert first.p_improve == 0.0  # an unstable run is no improvement
    assert second.row() == estimate_effects(runs, planned("no-x", "no-b"), RAW, 0.5)[1].row()
    floored = estimate_effects(broken, planned("no-a"), RAW.with_floor(10.0), 0.5)[0]
    assert floored.delta == approx(float(np.mean([*np.subtract(NO_BATCH_NORM, BASELINE)[stable], 10 - BASELINE[2]])))
    assert floored.verdict.startswith("unstable in 1 of 5 seeds: ")


def test_an_unstable_reference_without_value_or_floor():
    runs = run_table({"baseline": BASELINE, "no-a": NO_BATCH_NORM, "no-b": NO_CLIP}, RAW)
    broken = with_status(runs, "baseline", [2], "unstable", math.nan)
    effect = estimate_effects(broken, planned("no-a", "no-b"), RAW, 0.5)[0]
    assert effect.verdict == "reference unstable in 1 of 5 seeds"
    assert effect.p_improve == 0.2
    both = with_status(broken, "no-a", [0, 4], "unstable", math.inf)
    effect = estimate_effects(both, planned("no-a", "no-b"), RAW, 0.5)[0]
    assert effect.verdict == "unstable in 2 of 5 seeds, reference in 1"
    assert effect.delta_survivors == approx(float(np.mean(np.subtract(NO_BATCH_NORM, BASELINE)[[1, 3]])))
    few = broken[broken["seed"] < 4]
    assert (
        estimate_effects(few, planned("no-a"), RAW, 0.5)[0].verdict == "preliminary: reference unstable in 1 of 4 seeds"
    )
    two = broken[broken["seed"].isin([1, 2])]
    assert estimate_effects(two, planned("no-a"), RAW, 0.5)[0].verdict.endswith("too few seeds")


def test_a_finished_run_with_an_infinite_score_is_unstable():
    runs = run_table({"baseline": BASELINE, "no-a": NO_BATCH_NORM})
    for value in (math.inf, -math.inf, 1.797e308):
        (effect,) = estimate_effects(with_status(runs, "no-a", [2], "finished", value), planned("no-a"), ACCURACY, 0.5)
        assert effect.verdict == "unstable in 1 of 5 seeds: inconclusive"
        assert effect.evidence.paired.variant[2] == approx(10.0)


@pytest.mark.parametrize("status", ["failed", "out_of_memory", "killed", "pruned"])
def test_failures_are_left_out_and_counted(status):
    runs = run_table({"baseline": BASELINE, "no-a": NO_BATCH_NORM})
    broken = with_status(runs, "no-a", [0, 3], status)
    (effect,) = estimate_effects(broken, planned("no-a"), ACCURACY, 0.5)
    (kept,) = estimate_effects(runs[runs["seed"].isin([1, 2, 4])], planned("no-a"), ACCURACY, 0.5)
    assert effect.row() == kept.row()
    assert dict(effect.evidence.paired.excluded) == {status: 2}


def test_finished_without_a_value_is_left_out_and_counted():
    runs = with_status(run_table({"baseline": BASELINE, "no-a": NO_CLIP}), "no-a", [0], "finished", math.nan)
    (effect,) = estimate_effects(runs, planned("no-a"), ACCURACY, 0.5)
    assert (effect.n, dict(effect.evidence.paired.excluded)) == (4, {"without a value": 1})


def test_only_shared_seeds_are_paired():
    runs = run_table({"baseline": BASELINE, "no-a": NO_BATCH_NORM})
    runs = runs[~((runs["variant"] == "no-a") & (runs["seed"] == 0))]
    runs = runs[~((runs["variant"] == "baseline") & (runs["seed"] == 4))]
    (effect,) = estimate_effects(runs, planned("no-a"), ACCURACY, 0.5)
    assert effect.evidence.paired.seeds == (1, 2, 3)
    assert effect.baseline_mean == approx(float(np.mean(BASELINE[1:4])))


def test_families_are_adjusted_separately_and_order_is_kept():
    runs = run_table({"baseline": BASELINE, "none": NO_BATCH_NORM, "no-a": NO_CLIP, "only-a": NO_CLIP})
    plan = [
        Comparison("only-a", "none", "a", "added", "add-one-in"),
        Comparison("no-a", "baseline", "a"),
        Comparison("no-b", "baseline", "b"),
    ]
    effects = estimate_effects(runs, plan, ACCURACY, 0.5)
    assert [effect.variant for effect in effects] == ["only-a", "no-a", "no-b"]
    assert effects[0].p_holm == effects[0].p
    assert effects[1].p_tost_holm == approx(2 * effects[1].p_tost)
    assert effects[0].verdict == "clear and important gain"


# invalid tables ------------------------------------------------------------------------------------------------------


def test_bad_tables_name_their_rows():
    runs = run_table({"baseline": BASELINE, "no-a": NO_CLIP})

    def fails(table, message, metric=ACCURACY, margin=0.5, plan=("no-a",)):
        with pytest.raises(UserError, match=message):
            estimate_effects(table, planned(*plan), metric, margin)

    fails(pd.concat([runs, runs[(runs["variant"] == "no-a") & (runs["seed"] == 3)]]), "no-a seed 3")
    written = pd.concat([runs, runs[runs["seed"] == 3].assign(seed="3")])
    fails(written, "baseline seed 3, no-a seed 3: keep one row")
    fails(with_status(runs, "no-a", [2], "odd"), r"Unknown status in no-a seed 2 \(odd\)")
    fails(runs.drop(columns="status"), "Missing column in the run table: status")
    fails(runs.assign(seed=runs["seed"] + 0.5), "not an integer in baseline seed 0.5")
    fails(runs.assign(seed=[None, *range(1, 10)]), "not an integer")
    fails(runs.assign(variant=[None, *["no-a"] * 9], seed=range(10)), "Missing variant in row 0")
    fails(runs.assign(accuracy=["high", *[0.9] * 9]), r"accuracy is not a number in baseline seed 0 \(high\)")
    fails(runs, "margin must be positive", margin=0.0)
    fails(runs, "margin must be positive", margin=math.nan)
    fails(runs, "lists no-a against baseline twice", plan=("no-a", "no-a"))


def test_a_failed_run_and_its_retry_are_not_duplicates():
    runs = run_table({"baseline": BASELINE, "no-a": NO_CLIP})
    failed = with_status(runs[(runs["variant"] == "no-a") & (runs["seed"] == 3)], "no-a", [3], "failed")
    (effect,) = estimate_effects(pd.concat([failed, runs]), planned("no-a"), ACCURACY, 0.5)
    assert (effect.n, dict(effect.evidence.paired.excluded)) == (5, {"failed": 1})


def test_score_table_is_scaled_and_sorted():
    table = read_scores(run_table({"baseline": BASELINE, "no-a": NO_CLIP[:3]}), ACCURACY).values
    assert table.loc["baseline"].tolist() == pytest.approx(BASELINE)
    assert table.columns.tolist() == [0, 1, 2, 3, 4]
    assert table.loc["no-a"].isna().sum() == 2


def test_verdict_strings_are_plain():
    assert str(Verdict.LOSS) == "clear and important loss"
    assert isinstance(worked_example()[0].verdict, str)


def test_all_pairs_of_levels_are_corrected_for_all_of_them():
    levels = {
        "baseline": [93.10, 93.32, 92.95, 93.21, 93.08], "x=1": [93.25, 93.41, 93.02, 93.40, 93.15],
        "x=3": [92.80, 93.10, 92.61, 92.95, 92.70], "x=5": [91.9, 92.6, 91.5, 92.2, 92.3],
    }  # fmt: skip
    others = [*levels][1:]
    pairs = [*((arm, "baseline") for arm in others), *((b, a) for a, b in itertools.combinations(others, 2))]
    rows = [
        Comparison(arm, other, "x", "changed", "leave-one-out" if other == "baseline" else "x: all pairs")
        for arm, other in pairs
    ]
    effects = estimate_effects(run_table(levels), rows, ACCURACY, 0.5)
    p = [stats.ttest_rel(levels[arm], levels[other]).pvalue for arm, other in pairs]
    assert [effect.p_holm for effect in effects[:3]] == approx(multipletests(p[:3], method="holm")[1].tolist())
    assert [effect.p_holm for effect in effects[3:]] == approx(multipletests(p, method="holm")[1].tolist()[3:])
    assert [effect.evidence.comparisons for effect in effects] == [3, 3, 3, 6, 6, 6]
    wide = stats.ttest_rel(levels["x=3"], levels["x=1"]).confidence_interval(1 - 0.05 / 6)
    assert (effects[3].fw_low, effects[3].fw_high) == approx((wide.low, wide.high))

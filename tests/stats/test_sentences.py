"""Verdict sentences: the templates, other metrics, overrides, and words that never occur."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.stats.effects import (
    Comparison,
    Protocol,
    Verdict,
    always_valid_half_width,
    estimate_effects,
    sentence,
)
from ablate.stats.metric import Metric
from tests.samples.effects import ACCURACY, BASELINE, LOSS, NO_BATCH_NORM, NO_CLIP, planned, run_table, with_status

SEVEN = ("no-bn", "no-clip", "no-a", "no-b", "no-c", "no-d", "no-e")


def sentence_of(runs, comparison, metric=ACCURACY, margin=0.5, protocol=None, family=1):
    plan = [comparison, *planned(*(f"absent-{i}" for i in range(family - 1)))]
    return sentence(estimate_effects(runs, plan, metric, margin, protocol)[0], metric)


def test_the_sentences_of_the_specification():
    runs = run_table({"baseline": BASELINE, "no-bn": NO_BATCH_NORM, "no-clip": NO_CLIP})
    assert sentence_of(runs, Comparison("no-bn", factor="batch_norm"), family=7) == (
        "Removing batch norm changed accuracy by -3.02 points [-3.38, -2.67] (5 paired seeds, drop-in, p_Holm < .001): "
        "a clear and important loss."
    )
    assert sentence_of(runs, Comparison("no-clip", factor="gradient_clipping"), family=7) == (
        "Removing gradient clipping changed accuracy by +0.00 points [-0.17, 0.16]; "
        "a difference beyond 0.5 is ruled out: no practically meaningful effect."
    )


def test_inconclusive_prints_power():
    runs = run_table({"baseline": BASELINE, "no-dropout": np.add(BASELINE, [-0.7, 0.2, 0.3, -0.5, -0.3])})
    text = sentence_of(runs, Comparison("no-dropout", factor="dropout"), family=7)
    assert re.fullmatch(
        r"Removing dropout: -0\.20 points \[-1\.\d\d, 0\.\d\d\]\. Inconclusive: 5 seeds detect 1\.3 or more; "
        r"9 to 40 seeds are needed for the margin of 0\.5\.",
        text,
    ), text


def test_added_and_other_metrics():
    shift = np.array([1.2, 1.25, 1.15, 1.2, 1.2])
    runs = run_table({"none": BASELINE, "only-ema": BASELINE + shift})
    added = Comparison("only-ema", "none", "ema", "added")
    assert sentence_of(runs, added).startswith("Adding ema to the bare recipe changed accuracy by +1.20 points [1.1")
    perplexity = run_table({"none": BASELINE, "only-ema": BASELINE - shift}, LOSS)
    assert sentence_of(perplexity, added, LOSS).startswith(
        "Adding ema to the bare recipe changed perplexity by -1.20 [-1.2"
    )
    assert sentence_of(perplexity, added, LOSS).endswith("a clear and important gain.")
    assert "points" not in sentence_of(perplexity, added, LOSS)
    removed = Comparison("only-ema", "none", "ema")
    assert "Removing ema changed perplexity by -1.2 [" in sentence_of(perplexity, removed, LOSS, margin=1.0, family=1)
    seconds = Metric("time", goal="min", unit="s")
    assert "changed time by +1.20 s [" in sentence_of(
        run_table({"none": BASELINE, "only-ema": BASELINE + shift}, seconds), added, seconds
    )
    errors = Metric("error", goal="min", unit="points")
    assert "changed error by +1.20 points [" in sentence_of(
        run_table({"none": BASELINE, "only-ema": BASELINE + shift}, errors), added, errors
    )


def test_arms_that_differ_in_several_factors_are_named():
    runs = run_table({"baseline": BASELINE, "no-a+no-b": NO_BATCH_NORM})
    assert sentence_of(runs, Comparison("no-a+no-b", change="changed")).startswith(
        "Variant no-a+no-b changed accuracy by -3.02 points"
    )


def test_negligible_and_unresolved():
    steady = np.array([0.01, -0.02, 0.0, 0.02, -0.01])
    runs = run_table({"baseline": BASELINE, "no-a": np.add(BASELINE, -0.2) + steady})
    assert sentence_of(runs, Comparison("no-a", factor="a")).endswith(
        "a difference beyond 0.5 is ruled out: real but negligible."
    )
    runs = run_table({"baseline": BASELINE, "no-a": np.add(BASELINE, -0.5) + steady})
    assert sentence_of(runs, Comparison("no-a", factor="a")).endswith(
        "real, but whether it exceeds the margin of 0.5 is unresolved."
    )


def test_overrides():
    runs = run_table({"baseline": BASELINE, "no-a": NO_BATCH_NORM})
    drop = Comparison("no-a", factor="a")
    assert sentence_of(runs[runs["seed"] < 1], drop) == (
        "Removing a: -2.98 points in 1 seed, a single-run observation without an interval."
    )
    screened = replace(estimate_effects(runs[runs["seed"] < 1], [drop], ACCURACY, 0.5)[0], ci_low=-5.0, ci_high=1.0)
    assert sentence(screened, ACCURACY).endswith("a single-run observation with Lenth's (1989) exploratory interval.")
    two = sentence_of(runs[runs["seed"] < 2], drop)
    assert two == "Removing a: -2.97 points in 2 seeds; too few seeds for a verdict.", two
    assert sentence_of(runs[runs["seed"] < 3], drop).startswith("Preliminary: Removing a changed accuracy by -3")
    assert sentence_of(runs, drop, protocol=Protocol(planned=False, selected_on_test=True)).startswith(
        "Exploratory, optimistic: Removing a changed accuracy by -3"
    )
    assert "re-tuned" in sentence_of(runs, drop, protocol=Protocol(estimand="re-tuned"))
    assert sentence_of(runs[runs["variant"] == "baseline"], drop) == (
        "Removing a: no seed has a result for both no-a and baseline; too few seeds."
    )
    extended = sentence_of(runs, drop, protocol=Protocol(extended=True))
    assert extended.startswith("Exploratory: ")
    assert "changed accuracy by -3.02 points [-3.61, -2.43]" in extended
    assert "interval for added seeds): a clear and important loss. The seeds were changed after a report" in extended


def test_unstable():
    runs = run_table({"baseline": BASELINE, "no-a": NO_BATCH_NORM})
    drop = Comparison("no-a", factor="a")
    one = with_status(runs, "no-a", [1], "unstable", 0.1)
    text = sentence_of(one, drop)
    assert text.startswith("Removing a (unstable in 1 of 5 seeds): -")
    assert text.endswith("Among the 4 seeds stable in both arms the difference is -3.03 points.")
    both = sentence_of(with_status(one, "baseline", [0], "unstable", 0.1), drop)
    assert both.startswith("Removing a (unstable in 1 of 5 seeds, reference in seed 0): ")
    reference = sentence_of(with_status(runs, "baseline", [0], "unstable", 0.9310), drop)
    assert reference.startswith(
        "Removing a (reference unstable in seed 0) changed accuracy by -3.02 points [-3.22, -2.83] ("
    )
    many = with_status(runs, "no-a", range(5), "unstable", 0.1)
    assert sentence_of(many, drop) == (
        "Removing a: trains unreliably, unstable in 5 of 5 seeds (95 % Wilson interval 57 to 100 %), "
        "the reference in none (Boschloo's exact test, p_Holm = .002)."
    )
    reference_too = with_status(many, "baseline", [3], "unstable", 0.1)
    assert "the reference in seed 3 (Boschloo" in sentence_of(reference_too, drop)


def test_qualifications_are_one_clause_before_and_one_after_the_subject():
    """Three qualifications once were a chain of colons before the sentence, 70 characters in the table."""
    runs = run_table({"baseline": BASELINE[:2], "no-a": NO_BATCH_NORM[:2]})
    broken = with_status(with_status(runs, "no-a", [1], "unstable", 0.9), "baseline", [1], "unstable", 0.1)
    drop, open_protocol = Comparison("no-a", factor="a"), Protocol(planned=False, selected_on_test=True)
    (effect,) = estimate_effects(broken, [drop], ACCURACY, 0.5, open_protocol)
    assert effect.verdict == "exploratory: optimistic: unstable in 1 of 2 seeds, reference in 1: too few seeds"
    text = sentence(effect, ACCURACY)
    assert text.startswith(
        "Exploratory, optimistic: Removing a (unstable in 1 of 2 seeds, reference in seed 1): +38.51 points"
    )
    assert text.endswith(
        "too few seeds for a verdict. In the only seed stable in both arms the difference is -2.98 points."
    )


def test_an_equivalence_next_to_a_wider_interval_states_the_p_of_its_test():
    """TOST at .05 is the 90 % interval: "beyond 0.4 is ruled out" once stood next to [-0.26, 0.42]."""
    changed = np.add(BASELINE, [-0.25, 0.3, 0.42, -0.05, -0.02])
    runs, drop = run_table({"baseline": BASELINE, "no-a": changed}), Comparison("no-a", factor="a")
    assert sentence_of(runs, drop, margin=0.4) == (
        "Removing a changed accuracy by +0.08 points [-0.26, 0.42]; a difference beyond 0.4 is ruled out (equivalence "
        "test, p_Holm = .030): no practically meaningful effect."
    )
    assert "equivalence test" not in sentence_of(runs, drop)


def test_the_interval_next_to_a_verdict_is_corrected_like_the_verdict():
    """[-1.08, -0.16], the interval of this comparison alone, once stood next to "inconclusive"."""
    runs = run_table({"baseline": BASELINE, "no-a": np.subtract(BASELINE, [0.9, 0.5, 0.2, 1.1, 0.4])})
    text = sentence_of(runs, Comparison("no-a", factor="a"), family=7)
    assert text.startswith("Removing a: -0.62 points [-1.46, 0.22]. Inconclusive: ")


values = st.lists(st.floats(0, 1), min_size=0, max_size=7)


@settings(max_examples=150)
@given(values, values, st.sampled_from(["max", "min"]), st.sampled_from([0.05, 0.5, 20.0]), st.booleans())
def test_any_effect_has_a_sentence_with_its_numbers(reference, variant, goal, margin, unstable):
    metric = Metric("accuracy", goal=goal, unit="points")
    runs = run_table({"baseline": np.multiply(reference, 100), "no-a": np.multiply(variant, 100)})
    if unstable:
        runs = with_status(runs, "no-a", [0, 1], "unstable")
    (effect,) = estimate_effects(runs, [Comparison("no-a", factor="a")], metric, margin)
    text = sentence(effect, metric)
    assert not re.search(r"\bproves?\b|\bsignifican", text)
    assert "nan" not in text
    assert "inf" not in text.replace("infinite", "")
    assert text.endswith(".")
    if effect.n and effect.evidence.rule != "trains unreliably":
        digits = 3 if margin == 0.05 else 2
        assert f"{abs(effect.delta):.{digits}f}" in text
    if effect.n >= 3 and not math.isnan(effect.ci_low) and "[" in text:
        bounds = [abs(float(number)) for number in re.findall(r"-?\d+\.\d+", text[text.index("[") : text.index("]")])]
        assert sorted(bounds) == pytest.approx(sorted([abs(effect.fw_low), abs(effect.fw_high)]), abs=0.0051)


def test_the_margin_has_the_unit_of_a_metric_that_is_not_a_fraction():
    seconds = Metric("time", goal="min", unit="s")
    noisy = run_table({"baseline": BASELINE, "no-x": np.add(BASELINE, [-0.7, 0.2, 0.3, -0.5, -0.3])}, seconds)
    steady = run_table({"baseline": BASELINE, "no-x": np.add(BASELINE, [0.01, 0.0, -0.01, 0.02, 0.01])}, seconds)
    comparison = Comparison("no-x", factor="x")
    assert re.search(r"5 seeds detect [\d.]+ s or more; \d+ to \d+ seeds are needed for the margin of 0\.5 s\.$",
                     sentence_of(noisy, comparison, seconds))  # fmt: skip
    assert "a difference beyond 0.5 s is ruled out" in sentence_of(steady, comparison, seconds)
    assert "a difference beyond 0.5 is ruled out" in sentence_of(run_table(
        {"baseline": BASELINE, "no-x": np.add(BASELINE, [0.01, 0.0, -0.01, 0.02, 0.01])}), comparison)  # fmt: skip


# seeds added, early stops, switches without effect ---------------------------------------------------------------


@settings(max_examples=60)
@given(st.integers(3, 9), st.floats(-3, 3), st.floats(0.01, 2), st.integers(0, 99))
def test_with_added_seeds_words_and_interval_agree(n, shift, sd, seed):
    baseline = 93 + np.random.default_rng(seed).normal(0, 0.2, n)
    arm = baseline + shift + np.random.default_rng(seed + 1).normal(0, sd, n)
    runs = run_table({"baseline": baseline, "no-a": arm})
    plan = [Comparison("no-a", factor="a"), *planned("no-b")]
    effect = estimate_effects(runs, plan, ACCURACY, 0.5, Protocol(extended=True))[0]
    low, high = effect.interval
    half = always_valid_half_width(effect.evidence.sd_difference, n)
    assert (low, high) == (effect.delta - half, effect.delta + half)
    rule = effect.evidence.rule
    allowed = {
        Verdict.LOSS: high < -0.5,
        Verdict.GAIN: low > 0.5,
        Verdict.NEGLIGIBLE: (low > 0 or high < 0) and low > -0.5 and high < 0.5,
        Verdict.NO_EFFECT: low > -0.5 and high < 0.5,
        Verdict.UNRESOLVED: low > 0 or high < 0,
        Verdict.INCONCLUSIVE: True,
    }
    assert allowed[rule]
    text = sentence(effect, ACCURACY)
    assert "inf," not in text
    assert "The seeds were changed after a report" in text
    if math.isinf(effect.verdict_interval[1]):
        assert "the interval that allows for the added seeds is infinite" in text
    else:
        ends = sorted(map(abs, effect.verdict_interval))
        assert effect.verdict_interval[0] <= low
        bounds = re.search(r"\[(-?[\d.]+), (-?[\d.]+)\]", text)
        assert sorted(abs(float(end)) for end in bounds.groups()) == pytest.approx(ends, abs=0.0051)


def test_the_always_valid_interval_holds_under_seeds_added_at_will():
    """Peek after every seed from 3 to 40 and stop at the first verdict of a difference: 5 % of the studies at most."""
    noise = np.random.default_rng(0).normal(0, 1, (4000, 40))
    false = np.zeros(4000, dtype=bool)
    for n in range(3, 41):
        half = always_valid_half_width(1.0, n) * noise[:, :n].std(axis=1, ddof=1)
        false |= np.abs(noise[:, :n].mean(axis=1)) > half
    assert false.mean() <= 0.05


def test_a_switch_that_does_nothing_is_named():
    runs = run_table({"baseline": BASELINE, "no-a": BASELINE, "no-b": NO_CLIP})
    assert sentence_of(runs, Comparison("no-a", factor="a")) == (
        "Removing a: +0.00 points in 5 seeds, identical differences; no verdict without variation. no-a equals "
        "baseline at all 5 seeds: this switch does nothing here, or is broken."
    )
    for n, words in ((2, "at all 2 seeds"), (1, "at every seed")):
        assert words in sentence_of(runs[runs["seed"] < n], Comparison("no-a", factor="a"))
    shifted = run_table({"baseline": BASELINE, "no-a": np.add(BASELINE, -1)})
    assert sentence_of(shifted, Comparison("no-a", factor="a")) == (
        "Removing a: -1.00 points in 5 seeds, identical differences; no verdict without variation."
    )
    diverged = with_status(with_status(runs, "no-a", range(5), "unstable", 0.1), "baseline", range(5), "unstable", 0.1)
    assert "does nothing" not in sentence_of(diverged, Comparison("no-a", factor="a"))


def test_a_seed_that_reaches_nothing_is_named():
    runs = run_table({"baseline": [90.0] * 5, "no-a": [89.24] * 5, "no-b": [90.0] * 5})
    assert sentence_of(runs, Comparison("no-a", factor="a")) == (
        "Removing a: -0.76 points at each of 5 seeds. Every arm repeats its score exactly over the seeds: the seed "
        "does not reach the training, or the score is too coarse to show it. n is 1, no verdict."
    )
    assert sentence_of(runs, Comparison("no-b", factor="b")).endswith("does nothing here, or is broken.")


def test_without_a_floor_the_survivors_are_stated():
    runs = run_table({"baseline": BASELINE, "no-a": NO_BATCH_NORM, "no-b": NO_CLIP}, LOSS)
    broken = with_status(runs, "no-a", [1], "unstable", math.nan)
    assert sentence_of(broken, Comparison("no-a", factor="a"), LOSS) == (
        "Removing a (unstable in 1 of 5 seeds): no difference, because unstable runs have no finite perplexity and "
        "there is no floor (--floor). Among the 4 seeds stable in both arms the difference is -3.03."
    )


def test_no_number_of_seeds_below_five():
    runs = run_table({"baseline": BASELINE[:4], "no-a": np.add(BASELINE[:4], [-0.7, 0.2, 0.3, -0.5])})
    assert sentence_of(runs, Comparison("no-a", factor="a")).endswith(
        "or more; the number of seeds for the margin of 0.5 cannot be estimated from fewer than 5."
    )


def test_coarse_scores_are_named():
    values = np.array([90.0, 91.0] * 10)
    runs = run_table({"baseline": values, "no-a": values + np.array([1.0] + [0.0] * 19)})
    assert sentence_of(runs, Comparison("no-a", factor="a")).endswith(
        "20 seeds detect 0.1 or more. No equivalence, because the usual step between paired scores, 1.00 points, is "
        "above the margin: at least 21 seeds are needed to show that a difference is within it."
    )


def test_the_sentence_about_coarse_scores_asks_for_more_seeds_than_there_are():
    for n, margin, moved in itertools.product((5, 20, 101, 300), (0.5, 10.0, 40.0), (1, 6)):
        reference = np.resize([100.0, 100.0, 0.0], n)
        variant = np.where(np.arange(n) < moved, 100 - reference, reference)
        (effect,) = estimate_effects(
            run_table({"baseline": reference, "no-a": variant}), [Comparison("no-a", factor="a")], ACCURACY, margin
        )
        found = re.findall(r"(more than )?([\d,]+) seeds are", sentence(effect, ACCURACY))
        asked = [int(number.replace(",", "")) + bool(more) for more, number in found]
        assert all(number > n for number in asked), (n, margin, moved)
        if effect.evidence.coarse:
            assert len(asked) == 1 or "too near the margin" in sentence(effect, ACCURACY)


def test_enough_seeds_for_the_margin_are_not_asked_for_again():
    runs = run_table({"baseline": [90.0] * 40, "no-a": 90.26 + 0.9 * np.resize([1.0, -1.0], 40)})
    text = sentence_of(runs, Comparison("no-a", factor="a"))
    assert text == (
        "Removing a: +0.26 points [-0.03, 0.55]. Inconclusive: 40 seeds detect 0.4 or more, but this difference is "
        "between 0 and the margin of 0.5."
    )

"""Attribution: known answers, aliases, factorial effects by number of seeds, properties of Shapley values."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.formula.api import ols

from ablate.errors import UserError
from ablate.stats.attribution import (
    alias_groups,
    attribute,
    check_residual,
    estimable_groups,
    factorial_effects,
    half_sums,
    lenth,
    likeliest_pair,
    orthogonal_part,
    pair_synergies,
    resolution,
    shapley_source,
    shapley_values,
    synergy_variants,
)
from ablate.stats.effects import Protocol


def label(on):
    return "+".join(on) or "none"


def table_of(rows, factors):
    """Return a design from rows of booleans, with variants named after their factors."""
    names = [label([name for name, is_on in zip(factors, row, strict=True) if is_on]) for row in rows]
    return pd.DataFrame([list(row) for row in rows], index=names, columns=list(factors), dtype=bool)


def full_factorial(factors):
    return table_of([row[::-1] for row in itertools.product((False, True), repeat=len(factors))], factors)


def fraction(base, generators):
    """Return a regular two-level fraction: a full design of the base factors, the others as products of them."""
    rows = []
    for row in itertools.product((-1, 1), repeat=len(base)):
        level = dict(zip(base, row, strict=True))
        rows.append([*row, *(math.prod(level[letter] for letter in word) for word in generators.values())])
    return table_of([[value > 0 for value in row] for row in rows], [*base, *generators])


def leave_one_out(factors, alone=True, pairs=False):
    size = len(factors)
    left = [
        set(),
        *({i} for i in range(size)),
        *(set(pair) for pair in itertools.combinations(range(size), 2) if pairs),
    ]
    rows = [[i not in out for i in range(size)] for out in left]
    rows += [[i in kept for i in range(size)] for kept in [set(), *({i} for i in range(size))]] if alone else []
    return table_of(rows, factors)


def plackett_burman_12(factors):
    rows = [list(row) for row in PLACKETT_BURMAN]
    return table_of([[row[i] for i in range(len(factors))] for row in rows], factors)


FIRST = [True, True, False, True, True, True, False, False, False, True, False]
PLACKETT_BURMAN = [FIRST[-i:] + FIRST[:-i] for i in range(11)] + [[False] * 11]

SEVEN = "abcdefg"
RESOLUTION_IV = fraction("abcd", {"e": "abc", "f": "bcd", "g": "acd"})


def responses(design, function, seeds=5, noise=0.0, seed=0):
    """Return scores by variant and seed: a function of the enabled factors, a shift by seed, and noise."""
    generator = np.random.default_rng(seed)
    shifts = generator.normal(0, 1, seeds)
    rows = [
        [
            function({name for name in design.columns if row[name]}) + shift + generator.normal(0, noise)
            for shift in shifts
        ]
        for _, row in design.iterrows()
    ]
    return pd.DataFrame(rows, index=design.index, columns=range(seeds))


# designs ---------------------------------------------------------------------------------------------------------


def test_resolution_iv_has_the_seven_triples():
    found = {group.terms for group in alias_groups(RESOLUTION_IV) if group.order == 2}
    expected = "ab=ce=fg ac=be=dg ad=cg=ef ae=bc=df af=bg=de ag=bf=cd bd=cf=eg"
    assert {tuple("".join(term) for term in terms) for terms in found} == {
        tuple(triple.split("=")) for triple in expected.split()
    }
    assert resolution(RESOLUTION_IV) == 4
    assert {"none", "a+b+c+d+e+f+g"} <= set(RESOLUTION_IV.index)
    assert all(len(group.terms) == 1 for group in alias_groups(RESOLUTION_IV) if group.order == 1)


def test_resolutions_of_the_specification():
    thirty_two = fraction("abcde", {"f": "abcd", "g": "abde"})
    assert resolution(thirty_two) == 4
    aliased = [group.terms for group in alias_groups(thirty_two) if len(group.terms) > 1]
    assert {tuple("".join(term) for term in terms) for terms in aliased} == {("ce", "fg"), ("cf", "eg"), ("cg", "ef")}
    assert resolution(fraction("abcdef", {"g": "abcdef"})) == 7
    assert resolution(full_factorial("abc")) is None
    assert resolution(plackett_burman_12(SEVEN)) == 3
    folded = pd.concat([plackett_burman_12("abcdefg"), ~plackett_burman_12("abcdefg")])
    assert resolution(folded) == 4
    assert resolution(fraction("ab", {"c": "ab"})) == 3


def test_signs_of_aliases():
    flipped = fraction("ab", {"c": "ab"})
    flipped["c"] = ~flipped["c"]
    by_name = {group.label: group for group in alias_groups(flipped)}
    assert by_name["a"].terms == (("a",), ("b", "c"))
    assert by_name["a"].aliases == ("-b x c",)
    assert by_name["a"].signs == (1, -1)


def test_estimable_columns():
    assert [group.label for group in estimable_groups(RESOLUTION_IV)][:7] == list(SEVEN)
    assert len(estimable_groups(RESOLUTION_IV)) == 14
    assert len(estimable_groups(full_factorial("abc"))) == 6
    screening = estimable_groups(plackett_burman_12(SEVEN))
    assert [group.label for group in screening] == list(SEVEN)  # every pair is partially aliased
    partial = dict(screening[0].partial)
    assert partial["b", "c"] == pytest.approx(1 / 3) or partial["b", "c"] == pytest.approx(-1 / 3)


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(4, 12))
def test_alias_groups_partition_the_terms_of_any_design(seed, factors, runs):
    names = SEVEN[:factors]
    rows = np.random.default_rng(seed).random((runs, factors)) < 0.5
    design = pd.DataFrame(rows, columns=list(names), index=range(runs))
    groups = alias_groups(design)
    members = [term for group in groups for term in group.terms]
    assert sorted(members) == sorted(term for order in range(3) for term in itertools.combinations(names, order))
    coded = design.map(lambda on: 1 if on else -1)
    for group in groups:
        columns = [coded[list(term)].prod(axis=1) * sign for term, sign in zip(group.terms, group.signs, strict=True)]
        assert all((column == columns[0]).all() for column in columns)


def test_an_added_baseline_is_left_out():
    half = full_factorial("abc")
    part = half[half.sum(axis=1) % 2 == 0]
    with_baseline = pd.concat([part, half[half.all(axis=1)]])
    assert orthogonal_part(with_baseline).index.tolist() == part.index.tolist()
    with pytest.raises(UserError, match="not a balanced two-level design"):
        orthogonal_part(leave_one_out("abc", alone=False))


# factorial effects -----------------------------------------------------------------------------------------------

TWO = table_of([(False, False), (False, True), (True, False), (True, True)], "ab")
SIX = pd.DataFrame(
    np.array([[80, 86, 90, 91], [80.4, 85.8, 90.2, 91.6], [79.6, 86.2, 89.9, 91.1]]).T,
    index=TWO.index,
    columns=range(3),
)


def by_term(analysis):
    return {contrast.term: contrast for contrast in analysis.contrasts}


def test_known_answer_factorial():
    analysis = factorial_effects(TWO, SIX, margin=0.5)
    found = by_term(analysis)
    assert found["a"].estimate == pytest.approx(7.6333333, rel=1e-7)
    assert (found["a"].low, found["a"].high) == pytest.approx((7.253875, 8.012792), rel=1e-6)
    assert found["b"].estimate == pytest.approx(3.6)
    assert (found["b"].low, found["b"].high) == pytest.approx((2.942759, 4.257241), rel=1e-6)
    assert found["a x b"].effect == pytest.approx(-2.4)
    assert found["a x b"].synergy == found["a x b"].estimate == pytest.approx(-4.8)
    assert found["a"].effect == found["a"].estimate
    assert math.isnan(found["a"].synergy)
    assert (found["a"].family, found["a x b"].family) == ("main effects", "interactions")
    assert found["a"].p_holm == pytest.approx(min(1, 2 * found["a"].p))
    assert found["a x b"].p_holm == found["a x b"].p
    assert found["a"].p == pytest.approx(stats.ttest_1samp([7.5, 7.8, 7.6], 0).pvalue)
    assert found["a"].verdict == "preliminary: clear and important gain"
    assert analysis.method == "per-seed contrasts"


def test_three_seeds_use_only_complete_ones():
    scores = SIX.copy()
    scores[3] = [80.0, 86.0, 90.0, math.nan]
    analysis = factorial_effects(TWO, scores, 0.5)
    assert (analysis.seeds, analysis.incomplete_seeds) == ((0, 1, 2), (3,))
    assert by_term(analysis)["a"].estimate == pytest.approx(7.6333333, rel=1e-7)
    with pytest.raises(UserError, match="at least one seed with a result for every run"):
        factorial_effects(TWO, scores[[3]], 0.5)


def test_two_seeds_use_least_squares_with_seed_blocks():
    design = full_factorial("abc")
    scores = responses(design, lambda on: 5 * ("a" in on) + 2 * ("b" in on), seeds=2, noise=0.5, seed=4)
    analysis = factorial_effects(design, scores, 0.5)
    long = scores.stack().rename("y").reset_index().rename(columns={"level_0": "variant", "level_1": "seed"})
    for name in "abc":
        long[name] = [0.5 if design.loc[variant, name] else -0.5 for variant in long["variant"]]
    formula = "y ~ C(seed) + a + b + c + I(2*a*b) + I(2*a*c) + I(2*b*c)"
    fit = ols(formula, long).fit()
    for name in "abc":
        contrast = by_term(analysis)[name]
        assert contrast.estimate == pytest.approx(fit.params[name])
        assert (contrast.low, contrast.high) == pytest.approx(tuple(fit.conf_int().loc[name]))
        assert contrast.p == pytest.approx(fit.pvalues[name])
    assert analysis.method == "OLS with seed blocks"
    assert {contrast.verdict for contrast in analysis.contrasts} == {"too few seeds"}


def test_two_seeds_without_residual_freedom_have_no_interval():
    design = full_factorial("a")
    analysis = factorial_effects(design, responses(design, len, seeds=2, noise=0.1), 0.5)
    assert math.isfinite(by_term(analysis)["a"].low)
    saturated = factorial_effects(TWO.iloc[:, :1].iloc[[0, 2]], SIX.iloc[[0, 2], :1], 0.5)
    assert by_term(saturated)["a"].estimate == 10.0


def test_one_seed_uses_lenth():
    design = full_factorial("abcd")
    scores = responses(design, lambda on: 10 * ("a" in on), seeds=1, noise=1.0)
    analysis = factorial_effects(design, scores, 0.5)
    assert analysis.method == "Lenth, exploratory"
    assert len(analysis.averages) == 15  # every column, not only pairs
    found = by_term(analysis)["a"]
    assert found.high - found.estimate == pytest.approx(analysis.screening.me)
    assert found.fw_high - found.estimate == pytest.approx(analysis.screening.sme)
    assert math.isnan(found.p)
    assert found.verdict == "single-run observation"
    assert max(analysis.averages, key=lambda term: abs(analysis.averages[term])) == "a"


def test_known_answer_lenth():
    contrasts = [
        21.625, 3.125, 0.125, 9.875, -18.125, 2.375, 1.875, 14.625,
        16.625, -0.375, 4.125, -1.125, -1.625, -2.625, 1.375,
    ]  # fmt: skip
    limits = lenth(contrasts)
    assert limits.pse == 2.625
    assert limits.me == pytest.approx(6.7477773, rel=1e-7)
    assert limits.sme == pytest.approx(13.6989596, rel=1e-7)
    assert math.isnan(lenth([]).pse)
    assert lenth([0.0, 0.0]).me == 0.0


def test_resolution_iv_recovers_effects_and_names_aliases():
    def truth(on):
        return 3 * ("a" in on) - 2 * ("g" in on) + 1.6 * ({"a", "b"} <= on)

    analysis = factorial_effects(RESOLUTION_IV, responses(RESOLUTION_IV, truth), 0.5)
    found = by_term(analysis)
    assert found["a"].estimate == pytest.approx(3.8)  # 3, and half of the synergy
    assert found["g"].estimate == pytest.approx(-2.0)
    assert found["c"].estimate == pytest.approx(0.0, abs=1e-9)
    assert found["a x b"].synergy == pytest.approx(1.6)
    assert found["a x b"].aliases == ("c x e", "f x g")
    assert [contrast.family for contrast in analysis.contrasts].count("interactions") == 7


def test_goal_min_flips_the_verdict():
    analysis = factorial_effects(TWO, SIX, 0.5, goal="min")
    assert by_term(analysis)["a"].verdict == "preliminary: clear and important loss"


def test_plackett_burman_estimates_main_effects():
    design = plackett_burman_12(SEVEN)
    analysis = factorial_effects(design, responses(design, lambda on: 4 * ("c" in on)), 0.5)
    assert by_term(analysis)["c"].estimate == pytest.approx(4.0)
    assert {contrast.family for contrast in analysis.contrasts} == {"main effects"}


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_factorial_effects_are_differences_of_means(seed):
    design = full_factorial("abc")
    scores = responses(design, len, seeds=4, noise=2.0, seed=seed)
    for contrast in factorial_effects(design, scores, 0.5).contrasts[:3]:
        on = design[contrast.term]
        assert contrast.estimate == pytest.approx(float(scores[on].to_numpy().mean() - scores[~on].to_numpy().mean()))
        assert contrast.low <= contrast.estimate <= contrast.high
        assert contrast.fw_low <= contrast.low


# unstable runs, resolution III, protocol -------------------------------------------------------------------------


def unstable_at(scores, *runs):
    marks = pd.DataFrame(False, index=scores.index, columns=scores.columns)
    for variant, seed in runs:
        marks.loc[variant, seed] = True
    return marks


def additive(on):
    return 3.0 * ("a" in on) - 2.0 * ("b" in on) + 0.5 * ("c" in on) + ({"a", "b"} <= on)


def test_contrasts_count_and_name_their_unstable_runs():
    design = full_factorial("abc")
    scores = responses(design, additive, noise=0.05)
    scores.loc["none", [3, 4]] = -60.0
    analysis = factorial_effects(design, scores, 0.5, unstable=unstable_at(scores, ("none", 3), ("none", 4)))
    assert analysis.unstable == {"none": (3, 4)}
    assert analysis.runs == 40
    for contrast in analysis.contrasts:
        assert contrast.n_unstable == 2
        assert contrast.verdict.startswith("unstable in 2 of 40 runs: ")
    found = by_term(analysis)
    assert found["c"].estimate > 5  # rests on the diverged runs
    assert found["a"].delta_survivors == pytest.approx(3.5, abs=0.2)
    assert found["c"].delta_survivors == pytest.approx(0.5, abs=0.2)
    assert found["a x b"].delta_survivors == pytest.approx(1.0, abs=0.2)  # the synergy, not half of it
    stable = factorial_effects(design, scores, 0.5)
    assert [row.estimate for row in stable.contrasts] == [row.estimate for row in analysis.contrasts]
    assert {row.n_unstable for row in stable.contrasts} == {0}


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from(["full", "fraction"]), st.integers(0, 2))
def test_survivors_are_unbiased_by_the_variants_that_are_left_out(seed, kind, lost):
    """Without noise, least squares on the other variants recovers main effects and synergies."""
    generator = np.random.default_rng(seed)
    design = full_factorial("abcd") if kind == "full" else RESOLUTION_IV
    factors = list(design.columns)
    single = dict(zip(factors, generator.normal(0, 3, len(factors)), strict=True))
    scores = responses(design, lambda on: 80 + sum(single[name] for name in on), seeds=3, seed=seed)
    truth = by_term(factorial_effects(design, scores, 0.5))
    runs = [(variant, 1) for variant in generator.choice(design.index, lost, replace=False)]
    for variant, at in runs:
        scores.loc[variant, at] = 10.0
    analysis = factorial_effects(design, scores, 0.5, unstable=unstable_at(scores, *runs))
    for contrast in analysis.contrasts:
        if not math.isnan(contrast.delta_survivors):
            assert contrast.delta_survivors == pytest.approx(truth[contrast.term].estimate, abs=1e-8)
        elif contrast.family == "main effects":
            assert lost > 1


def test_too_few_stable_variants_have_no_survivors():
    runs = [("a", 0), ("b", 0)]
    analysis = factorial_effects(TWO, SIX, 0.5, unstable=unstable_at(SIX, *runs))
    assert all(math.isnan(row.delta_survivors) for row in analysis.contrasts)
    three = factorial_effects(TWO, SIX, 0.5, unstable=unstable_at(SIX, ("none", 0)))
    found = by_term(three)
    assert found["a"].delta_survivors == pytest.approx(float((SIX.loc["a+b"] - SIX.loc["b"]).mean()))
    assert math.isnan(found["a x b"].delta_survivors)


@pytest.mark.parametrize("lost", ["off", "on"])
def test_a_component_without_which_every_run_diverges_leaves_the_others_estimates(lost):
    """Without the combinations that diverge, c is constant: effects of c are unknown, those of a and b are not."""
    design = full_factorial("abc")
    scores = responses(design, additive, noise=0.05)
    runs = [(name, seed) for name in design.index[design["c"] == (lost == "on")] for seed in scores.columns]
    left = scores[design["c"] == (lost == "off")].mean(axis=1)
    for run in runs:
        scores.loc[run] = math.nan
    found = by_term(factorial_effects(design, scores, 0.5, unstable=unstable_at(scores, *runs)))
    on_a, on_b = design.loc[left.index, "a"], design.loc[left.index, "b"]
    assert found["a"].delta_survivors == pytest.approx(left[on_a].mean() - left[~on_a].mean())
    synergy = left[on_a & on_b] - left[on_a & ~on_b].item() - left[~on_a & on_b].item() + left[~on_a & ~on_b].item()
    assert found["a x b"].delta_survivors == pytest.approx(synergy.item())
    assert all(math.isnan(found[term].delta_survivors) for term in ("c", "a x c", "b x c"))


@pytest.mark.parametrize("seeds", [1, 2, 5])
def test_unstable_runs_without_a_score_leave_no_verdict(seeds):
    design = full_factorial("abc")
    scores = responses(design, additive, seeds=seeds, noise=0.05)
    scores.loc["none", 0] = math.nan
    analysis = factorial_effects(design, scores, 0.5, unstable=unstable_at(scores, ("none", 0)))
    assert not analysis.is_scored
    assert len(analysis.seeds) == seeds
    assert math.isnan(analysis.screening.me)
    expected = "unstable in 1 of 40 runs" if seeds == 5 else f"unstable in 1 of {8 * seeds} runs: "
    for contrast in analysis.contrasts:
        assert contrast.verdict.startswith(expected)
        assert not contrast.verdict.endswith(("loss", "gain", "effect"))
    assert by_term(analysis)["a"].delta_survivors == pytest.approx(3.5, abs=0.2)
    missing = factorial_effects(design, scores, 0.5) if seeds > 1 else None
    assert missing is None or missing.incomplete_seeds == (0,)


def planted_pair(on):
    return 80 + 6.0 * ({"b", "c"} <= on)


HALF = fraction("ab", {"c": "ab"})


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
def test_resolution_iii_establishes_nothing_and_names_the_likeliest_alias(seeds):
    for design in (HALF, plackett_burman_12(SEVEN), fraction("abc", {"d": "ab", "e": "ac", "f": "bc", "g": "abc"})):
        analysis = factorial_effects(design, responses(design, planted_pair, seeds=seeds, noise=0.05), 0.5)
        assert analysis.is_screening
        for contrast in analysis.contrasts:
            assert contrast.verdict.startswith("screening: ")
            assert contrast.verdict.rpartition(": ")[2] in (
                "real, importance unresolved", "inconclusive", "too few seeds", "single-run observation",
            )  # fmt: skip
            assert contrast.likeliest.count(" x ") == 1
            assert contrast.term not in contrast.likeliest.split(" x ")
        alias = next(row.likeliest for row in analysis.contrasts if row.term == "a")
        assert alias == "b x c" or design.shape[1] == 7


def test_higher_resolutions_are_no_screening():
    for design in (RESOLUTION_IV, full_factorial("abc"), fraction("abcd", {"e": "abcd"})):
        analysis = factorial_effects(design, responses(design, planted_pair, noise=0.05), 0.5)
        assert not analysis.is_screening
        assert {contrast.likeliest for contrast in analysis.contrasts} == {""}
        assert by_term(analysis)["b"].verdict == "clear and important gain"


def test_contrasts_state_the_protocol():
    for protocol, prefix in (
        (Protocol(planned=False), "exploratory: "),
        (Protocol(selected_on_test=True), "optimistic: "),
        (Protocol(extended=True), "exploratory: "),
    ):
        contrasts = factorial_effects(TWO, SIX, 0.5, protocol=protocol).contrasts
        contrasts += tuple(pair_synergies(TWO, SIX, 0.5, protocol=protocol))
        assert all(row.verdict.startswith(f"preliminary: {prefix}") for row in contrasts)
    added = by_term(factorial_effects(TWO, SIX, 0.5, protocol=Protocol(extended=True)))
    assert added["a"].verdict.endswith("inconclusive")  # the interval for added seeds is infinite at three


def test_coarse_scores_show_no_equivalence():
    design = full_factorial("abc")
    fine = responses(design, lambda on: 80.0, seeds=20, noise=0.3)
    assert {row.verdict for row in factorial_effects(design, fine, 0.5).contrasts} == {
        "no practically meaningful effect"
    }
    coarse = fine.round()
    assert factorial_effects(design, coarse, 0.5).contrasts[0].p_tost < 0.05
    assert "inconclusive" in {row.verdict for row in factorial_effects(design, coarse, 0.5).contrasts}
    for row in (*factorial_effects(design, coarse, 0.5).contrasts, *pair_synergies(design, coarse, 0.5)):
        assert not row.verdict.endswith(("meaningful effect", "negligible"))


# synergies -------------------------------------------------------------------------------------------------------


def test_pair_synergies_at_both_corners():
    def truth(on):
        return 2 * ("a" in on) + 1.5 * ({"a", "b"} <= on) + 4 * ({"a", "b", "c"} <= on)

    design = full_factorial("abc")
    scores = responses(design, truth, noise=0.01)
    full = {row.term: row for row in pair_synergies(design, scores, 0.5)}
    none = {row.term: row for row in pair_synergies(design, scores, 0.5, corner="none")}
    assert full["a x b"].estimate == pytest.approx(5.5, abs=0.05)
    assert none["a x b"].estimate == pytest.approx(1.5, abs=0.05)
    assert full["a x b"].verdict == "clear and important gain"
    assert full["b x c"].estimate == pytest.approx(4.0, abs=0.05)
    pairs = leave_one_out("abc", pairs=True, alone=False)
    from_pairs = pair_synergies(pairs, scores, 0.5)
    assert [row.estimate for row in from_pairs] == [row.estimate for row in full.values()]


def test_synergy_is_twice_the_interaction_for_two_factors():
    (synergy,) = pair_synergies(TWO, SIX, 0.5)
    interaction = by_term(factorial_effects(TWO, SIX, 0.5))["a x b"]
    assert synergy.estimate == pytest.approx(2 * interaction.effect)
    assert synergy.estimate == pytest.approx(interaction.estimate)
    assert (synergy.low, synergy.fw_high) == pytest.approx((interaction.low, interaction.fw_high))
    assert synergy.p_tost == pytest.approx(interaction.p_tost)
    assert synergy.p == pytest.approx(interaction.p)


@pytest.mark.parametrize(
    ("synergy", "verdict"),
    [
        (0.0, "no practically meaningful effect"),
        (0.2, "real but negligible"),
        (0.8, "clear and important gain"),  # its interaction effect of 0.4 is within the margin
        (-3.0, "clear and important loss"),
    ],
)
def test_one_planted_synergy_gets_one_verdict_in_every_design(synergy, verdict):
    def truth(on):
        return 80 + 2.0 * ("a" in on) + synergy * ({"a", "b"} <= on)

    found = []
    for design in (full_factorial("abcd"), fraction("abcd", {"e": "abcd"}), RESOLUTION_IV):
        scores = responses(design, truth, noise=0.02, seeds=6)
        found.append(by_term(factorial_effects(design, scores, 0.5))["a x b"])
    pairs = leave_one_out("abcd", pairs=True, alone=False)
    scores = responses(pairs, truth, noise=0.02, seeds=6)
    found.append(next(row for row in pair_synergies(pairs, scores, 0.5) if row.term == "a x b"))
    for row in found:
        assert row.estimate == row.synergy == pytest.approx(synergy, abs=0.1)
        assert row.low <= row.estimate <= row.high
        assert row.effect == pytest.approx(row.estimate / 2)
        assert row.verdict == verdict


def test_synergies_of_pairs_count_their_unstable_runs():
    design = leave_one_out("abc", pairs=True, alone=False)
    scores = responses(design, additive, seeds=6, noise=0.02)
    scores.loc["c", 2] = -50.0
    found = pair_synergies(design, scores, 0.5, unstable=unstable_at(scores, ("c", 2)))
    first, second, third = found  # a x b removes both: its arm is `c`
    assert (first.n_unstable, second.n_unstable, third.n_unstable) == (1, 0, 0)
    assert first.verdict.startswith("unstable in 1 of 24 runs: ")
    assert first.delta_survivors == pytest.approx(1.0, abs=0.1)
    assert second.delta_survivors == pytest.approx(second.estimate)
    scores.loc["c", 2] = math.nan
    unknown = pair_synergies(design, scores, 0.5, unstable=unstable_at(scores, ("c", 2)))[0]
    assert (unknown.n, unknown.verdict) == (6, "unstable in 1 of 24 runs")
    assert math.isnan(unknown.estimate)
    assert unknown.delta_survivors == pytest.approx(1.0, abs=0.1)


def test_synergies_without_variance_have_no_verdict():
    scores = pd.DataFrame({seed: np.array([80.0, 86, 90, 91]) + seed for seed in range(5)}, index=TWO.index)
    (synergy,) = pair_synergies(TWO, scores, 0.5)
    contrasts = [*factorial_effects(TWO, scores, 0.5).contrasts, synergy]
    assert {row.verdict for row in contrasts} == {"identical differences"}
    assert all(math.isnan(row.p) and math.isnan(row.low) for row in contrasts)


def test_a_pair_without_its_runs_counts_in_the_family():
    design = leave_one_out("abc", pairs=True, alone=False)
    scores = responses(design, len, noise=0.5)
    found = pair_synergies(design, scores.drop(index="a"), 0.5)
    assert [row.n for row in found] == [5, 5, 0]
    assert found[0].fw_high - found[0].fw_low == pytest.approx(
        2 * stats.t.ppf(1 - 0.05 / 6, 4) * found[0].sd / math.sqrt(5)
    )
    assert found[2].verdict == "too few seeds"


def test_a_pair_without_arms_in_the_design_does_not_count_in_the_family():
    """Both ways of a, b and c with two candidates: no arm flips a candidate and another factor."""
    flips = [set(), {"a"}, {"b"}, {"c"}]
    arms = [on for flip in flips for on in ({"a", "b", "c"} - flip, flip)] + [{"a", "b", "c", "d"}, {"d"}, {"e"}]
    design = pd.DataFrame(
        [[name in on for name in "abcde"] for on in arms],
        index=["".join(sorted(on)) for on in arms],
        columns=[*"abcde"],
    )
    scores = responses(design, len, noise=0.5)
    corner = frozenset("abc")
    alone = pair_synergies(design.loc[:, [*"abc"]].iloc[:8], scores, 0.5, corner=corner)
    found = pair_synergies(design, scores, 0.5, corner=corner)
    assert [row.term for row in found] == ["a x b", "a x c", "b x c"]
    assert list(synergy_variants(design, corner)) == ["a x b", "a x c", "b x c"]
    assert [(row.p_holm, row.fw_low, row.verdict) for row in found] == [
        (row.p_holm, row.fw_low, row.verdict) for row in alone
    ]


# Shapley ---------------------------------------------------------------------------------------------------------


def test_known_answer_two_players():
    assert shapley_values([80, 90, 86, 91]).tolist() == pytest.approx([7.5, 3.5])
    loo, aoi, halves = half_sums(91, 80, [86, 90], [90, 86])
    assert (loo.tolist(), aoi.tolist(), halves.tolist()) == ([5, 1], [10, 6], [7.5, 3.5])


def test_known_answer_three_players():
    values = [70, 80, 78, 83, 76, 85, 82, 88]
    assert shapley_values(values).tolist() == pytest.approx([7.6666667, 5.1666667, 5.1666667])
    *_, halves = half_sums(88, 70, [82, 85, 83], [80, 78, 76])
    assert halves.tolist() == [8, 5.5, 5.5]
    design = full_factorial("abc")
    scores = pd.DataFrame({0: values}, index=design.index)
    found = attribute(design, scores, 0.5)
    assert [share.shapley for share in found.shares] == pytest.approx([7.6666667, 5.1666667, 5.1666667])
    assert found.residual.estimate == pytest.approx(1.0)
    assert found.residual.outcome == "higher interactions"
    several = pd.DataFrame({seed: np.add(values, seed) for seed in range(5)}, index=design.index)
    assert attribute(design, several, 0.5).residual.outcome == "higher interactions"


@given(st.integers(1, 5).flatmap(lambda k: st.lists(st.floats(-100, 100), min_size=2**k, max_size=2**k)))
def test_shapley_is_efficient_and_the_mean_over_orders(values):
    players = len(values).bit_length() - 1
    shares = shapley_values(values)
    assert shares.sum() == pytest.approx(values[-1] - values[0], abs=1e-9)
    if players <= 4:
        marginal = np.zeros(players)
        for order in itertools.permutations(range(players)):
            seen = 0
            for player in order:
                marginal[player] += values[seen | 1 << player] - values[seen]
                seen |= 1 << player
        assert shares == pytest.approx(marginal / math.factorial(players), abs=1e-9)


@given(st.lists(st.floats(-10, 10), min_size=10, max_size=10))
def test_without_triple_interactions_the_three_answers_agree(numbers):
    """Shapley = the half-sum of leave-one-out and add-one-in = the factorial main effect."""
    names = "abcd"
    single = dict(zip(names, numbers[:4], strict=True))
    double = dict(zip(itertools.combinations(names, 2), numbers[4:], strict=True))

    def truth(on):
        return sum(single[name] for name in on) + sum(value for pair, value in double.items() if set(pair) <= on)

    design = full_factorial(names)
    scores = pd.DataFrame(
        {0: [truth({n for n in names if row[n]}) for _, row in design.iterrows()]}, index=design.index
    )
    shares = attribute(design, scores, 0.5)
    corners = attribute(leave_one_out(names), scores, 0.5)
    main = by_term(factorial_effects(design, scores, 0.5))
    assert (shares.source, corners.source) == ("full factorial", "half-sums")
    for exact, half in zip(shares.shares, corners.shares, strict=True):
        assert exact.shapley == pytest.approx(half.shapley, abs=1e-9)
        assert exact.shapley == pytest.approx(main[exact.factor].estimate, abs=1e-9)
    assert corners.residual.estimate == pytest.approx(0, abs=1e-9)


def test_shares_have_intervals_over_common_seeds():
    design = leave_one_out("abcd")
    scores = responses(design, lambda on: 2.0 * len(on), seeds=6, noise=0.1)
    scores.loc["a", 2] = math.nan
    found = attribute(design, scores, 0.5)
    assert found.source == "half-sums"
    assert found.seeds == (0, 1, 3, 4, 5)
    share = found.shares[0]
    loo = (scores.loc["a+b+c+d"] - scores.loc["b+c+d"])[list(found.seeds)]
    test = stats.ttest_1samp(loo, 0)
    assert share.leave_one_out == pytest.approx(loo.mean())
    interval = test.confidence_interval(0.95)
    assert (share.leave_one_out_low, share.leave_one_out_high) == pytest.approx((interval.low, interval.high))
    assert share.shapley == pytest.approx((share.leave_one_out + share.add_one_in) / 2)
    assert share.shapley_low < share.shapley < share.shapley_high


def test_an_incomplete_full_factorial_falls_back_to_half_sums():
    design = full_factorial("abcd")
    scores = responses(design, len)
    scores.loc["a+b"] = math.nan
    assert attribute(design, scores, 0.5).source == "half-sums"


@pytest.mark.parametrize(
    ("residuals", "outcome"),
    [
        ([0.3, 0.31, 0.29, 0.3], "higher interactions"),  # within the margin, but not 0
        ([1.0, 1.0, 1.0], "higher interactions"),
        ([0.0, 0.0, 0.0], "inconclusive"),  # without variance there is no interval
        ([0.05, -0.05, 0.02, -0.01], "no sign of higher interactions"),
        ([2.0, -2.0, 1.0, -1.0], "inconclusive"),
        ([0.1], "inconclusive"),
        ([0.6], "higher interactions"),
    ],
)
def test_residual_outcomes(residuals, outcome):
    found = check_residual(residuals, 0.5)
    assert found.outcome == outcome
    assert found.description.endswith(".")
    if outcome.startswith("no sign"):
        assert "terms can cancel" in found.description


def test_sources_of_shapley_values():
    assert shapley_source(full_factorial("abc")) == "full factorial"
    assert shapley_source(leave_one_out("abcd")) == "half-sums"
    assert shapley_source(leave_one_out("abcd", alone=False)) is None
    assert shapley_source(RESOLUTION_IV) is None
    design = leave_one_out("abcd", alone=False)
    with pytest.raises(UserError, match="Shapley values need"):
        attribute(design, responses(design, len), 0.5)
    with pytest.raises(ValueError, match="one value per set of players"):
        shapley_values([1, 2, 3])


@pytest.mark.parametrize(
    ("effects", "expected"),
    [
        ({"a": 9.0, "b": 0.1, "c": 4.0, "d": -3.0}, "c x d"),
        ({"a": 9.0, "b": -2.0, "c": 4.0, "d": -3.0}, "a x b"),
        ({}, "a x b"),
    ],
)
def test_heredity_points_at_the_pair_whose_components_matter(effects, expected):
    assert likeliest_pair("a x b", ["c x d", "a x b x c x d"], effects) == expected
    assert likeliest_pair("a x b x c", ["d x e x f"], effects) == "a x b x c"  # no pair among them

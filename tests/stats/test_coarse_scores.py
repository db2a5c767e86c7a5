"""Coarse scores: the runs of the comparison alone decide, and single scores off the grid hide nothing."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from ablate.stats.attribution import factorial_effects, pair_synergies
from ablate.stats.effects import Comparison, estimate_effects, sentence, start_monitoring, take_look
from ablate.stats.effects.coarse_scores import usual_step
from tests.samples.effects import ACCURACY, planned, run_table

REFERENCE = [97.0] * 5 + [98.0] * 5
VARIANT = [97.0] * 5 + [98.0] * 4 + [97.0]
JITTER = 1e-7 * np.arange(10)
OTHER_JITTER = 1e-7 * np.array([0, 2, 4, 1, 3, 0, 2, 4, 1, 3])
EQUIVALENT = "no practically meaningful effect"


def effect_of(runs, *others, margin=0.5):
    return estimate_effects(runs, planned("no-a", *others), ACCURACY, margin)[0]


def assert_coarse(effect, step=1.0):
    assert effect.verdict == "inconclusive"
    assert effect.p_tost < 0.05
    assert effect.evidence.coarse == pytest.approx(step, abs=1e-5)
    assert "the usual step between paired scores, " in sentence(effect, ACCURACY)


def with_values(values, *places):
    """Return scores with other ones at some places."""
    found = np.array(values)
    for place, value in places:
        found[place] = value
    return found


@pytest.mark.parametrize(
    ("arms", "others"),
    [
        ({}, ()),
        ({"ensemble": [97.13]}, ()),
        ({"ensemble": [97.13]}, ("ensemble",)),
        ({"no-a": [*VARIANT, 97.13]}, ()),
        ({"baseline": [*REFERENCE, 97.13, 97.14]}, ()),
        ({"z": 97.12 + 0.01 * np.arange(10)}, ("z",)),
    ],
)
def test_runs_that_a_comparison_does_not_use_do_not_count(arms, others):
    runs = run_table({"baseline": REFERENCE, "no-a": VARIANT, **arms})
    assert_coarse(effect_of(runs, *others))


@pytest.mark.parametrize(
    ("reference", "variant"),
    [
        (with_values(REFERENCE, (0, 97.05)), with_values(VARIANT, (0, 97.05))),
        (with_values(REFERENCE, (0, 97.05)), VARIANT),
        (with_values(REFERENCE, (0, 97.05)), with_values(VARIANT, (0, 97.12))),
        (np.add(REFERENCE, JITTER), np.add(VARIANT, OTHER_JITTER)),
        (np.float32(REFERENCE) / np.float32(100) * 100.0, VARIANT),
        (with_values(np.add(REFERENCE, JITTER), (3, 97.31)), with_values(np.add(VARIANT, OTHER_JITTER), (3, 97.2))),
    ],
)
def test_single_scores_off_the_grid_and_rounding_errors_hide_no_coarse_scores(reference, variant):
    assert_coarse(effect_of(run_table({"baseline": reference, "no-a": variant})))


def test_test_sets_of_different_size_are_as_coarse():
    sizes = np.array([98, 99, 100, 101, 102] * 2)
    right = np.array([95, 96, 97, 98, 99] * 2)
    moved = right + np.array([0, 0, 1, 0, 0, 0, -1, 0, 0, 0])
    runs = run_table({"baseline": 100 * right / sizes, "no-a": 100 * moved / sizes})
    assert_coarse(effect_of(runs))


def test_rounding_errors_do_not_lower_the_seeds_that_coarse_scores_need():
    assert usual_step([0.0, 0.0, 0.0, 1 - 1e-7, 1 + 1e-7, -1.0], 0.5) >= 1.0
    reference, jitter = np.resize(REFERENCE, 20), 1e-7 * np.resize([0.0, -2.0, 1.0, -1.0, 3.0, 2.0, -3.0], 20)
    variant = with_values(reference, (0, 98.0), (1, 98.0))
    for scores in (variant, variant + jitter):
        assert_coarse(effect_of(run_table({"baseline": reference, "no-a": scores})))


def test_an_arm_with_continuous_scores_does_not_hide_that_scores_of_zero_or_one_are_coarse():
    generator = np.random.default_rng(0)
    reference = np.where(generator.random(200) < 0.15, 0.0, 100.0)
    variant = with_values(reference, (3, 100.0 - reference[3]))
    arms = {"baseline": reference, "no-a": variant}
    assert_coarse(effect_of(run_table(arms), margin=2.0), 100.0)
    votes = {"vote": np.round(100 * generator.random(200))}
    assert_coarse(effect_of(run_table(arms | votes), "vote", margin=2.0), 100.0)


@pytest.mark.parametrize("n", [3, 5, 10, 20])
@pytest.mark.parametrize("sd", [0.004, 0.02, 0.1, 0.25, 0.5])
def test_scores_with_four_decimals_are_not_coarse(n, sd):
    generator = np.random.default_rng(1)
    differences = np.round(generator.normal(0, sd, (300, n)), 2)
    found = np.array([usual_step(row, 0.5) > 0 for row in differences])
    half = 2.0 * differences.std(axis=1, ddof=1) / np.sqrt(n)
    equivalent = np.abs(differences.mean(axis=1)) + half < 0.5
    assert np.mean(found & equivalent) <= 0.01


def test_a_component_that_changes_few_seeds_by_less_than_the_margin_is_not_coarse():
    reference = 93 + np.round(np.random.default_rng(2).normal(0, 1, 10), 2)
    for change in (0.01, 0.3, 0.5):
        effect = effect_of(
            run_table({"baseline": reference, "no-a": with_values(reference, (4, reference[4] + change))})
        )
        assert (effect.verdict, effect.evidence.coarse) == (EQUIVALENT, 0.0)


def test_the_step_of_few_or_missing_differences_is_unknown():
    for differences in ([], [0.0], [0.0, 0.0], [np.nan, 0.0], [0.0, 1e-9, -1e-9]):
        assert usual_step(differences, 0.5) == 0.0
    assert usual_step([np.nan, 0.0, 0.0, 1.0], 0.5) == 1.0
    assert usual_step([[0.0, 0.0, 1.0], [5.0, 5.0, 5.0]], 0.5) == 1.0  # each row has its own median


def test_unused_runs_do_not_stop_an_arm_of_coarse_scores_for_equivalence():
    reference, variant = np.resize(REFERENCE, 20), np.resize(REFERENCE, 20)
    variant[4] += 1.0
    arms = {"baseline": with_values(reference, (0, 97.05)), "no-a": with_values(variant, (0, 97.05))}
    runs = pd.concat([run_table(arms), run_table({"ensemble": [97.13]})])
    state = start_monitoring([Comparison("no-a")], range(20))
    while not state.done:
        state = take_look(state, runs, ACCURACY, 0.5)
        assert state.effects[0].verdict in ("identical differences", "inconclusive", "exploratory: inconclusive")
        assert state.arms[0].stopped_at == 0


def test_factorial_contrasts_of_coarse_scores_with_some_off_the_grid_show_no_equivalence():
    rows = list(itertools.product((True, False), repeat=3))
    names = [f"variant {number}" for number in range(len(rows))]
    design = pd.DataFrame(rows, columns=list("abc"), index=names)
    fine = pd.DataFrame(80 + np.random.default_rng(3).normal(0, 0.3, (8, 20)), index=names)
    coarse = fine.round()
    coarse.iloc[2, 5] += 0.07
    coarse.iloc[6, 11] += 0.003
    coarse = coarse + 1e-7 * np.random.default_rng(4).normal(0, 1, coarse.shape)
    extra = pd.concat([coarse, pd.DataFrame({0: [80.31]}, index=["ensemble"])])
    for scores in (coarse, extra, coarse.assign(**{"20": [80.2, *[np.nan] * 7]})):
        found = [*factorial_effects(design, scores, 0.5).contrasts, *pair_synergies(design, scores, 0.5)]
        assert min(row.p_tost for row in found) < 0.05
        assert not [row.verdict for row in found if row.verdict.endswith(("meaningful effect", "negligible"))]
    assert {row.verdict for row in factorial_effects(design, fine, 0.5).contrasts} == {EQUIVALENT}
    wide = fine + np.arange(8)[:, np.newaxis]  # variants that differ by more than the margin
    assert factorial_effects(design, wide, 0.5).step == 0.0

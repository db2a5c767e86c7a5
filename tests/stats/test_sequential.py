"""Sequential testing: p_seq, stopped and undecided arms, agreement of arrays and tables."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from ablate.errors import UserError
from ablate.stats.effects import (
    Comparison,
    Looks,
    estimate_effects,
    holm,
    missing_runs,
    paired_t,
    replay,
    sentence,
    start_monitoring,
    take_look,
    unreliable_p,
)
from ablate.stats.effects.inference import PairedT
from ablate.stats.effects.sequential import LookArrays, advance
from ablate.stats.effects.types import Verdict
from tests.samples.effects import ACCURACY, planned, run_table, with_status

SEEDS = tuple(range(20))
ARMS = ("no-loss", "no-null", "no-edge", "no-noisy")


@pytest.fixture(scope="module")
def twenty():
    """Four arms at 20 seeds: a large loss, no effect, a loss at the margin, and no effect with high noise."""
    generator = np.random.default_rng(7)
    baseline = 93 + generator.normal(0, 0.2, 20)
    shifts = {"no-loss": (-3.0, 0.1), "no-null": (0.0, 0.05), "no-edge": (-0.5, 0.1), "no-noisy": (0.1, 2.0)}
    arms = {name: baseline + shift + generator.normal(0, sd, 20) for name, (shift, sd) in shifts.items()}
    return {"baseline": baseline, **arms}


def at(arms, n):
    return run_table({name: values[:n] for name, values in arms.items()})


def looked(arms, looks):
    state = start_monitoring(planned(*ARMS, n_planned=20), SEEDS)
    for _ in range(looks):
        state = take_look(state, run_table(arms), ACCURACY, 0.5)
    return state


def test_known_answer_p_seq():
    unknown = np.full(1, math.nan)
    state = LookArrays.initial((1,))
    for p in (0.0203, 0.004):
        look = PairedT(5, unknown, unknown, unknown, unknown, unknown, unknown, np.array([p]), np.array([p]))
        state = advance(state, look, 0.015, 0.5)
    assert state.p[0] == pytest.approx(0.013333333)
    assert state.p_tost[0] == pytest.approx(0.013333333)


def test_first_look(twenty):
    state = looked(twenty, 1)
    by_arm = {arm.comparison.variant: arm for arm in state.arms}
    assert {name: arm.stopped_at for name, arm in by_arm.items()} == {
        "no-loss": 1, "no-null": 1, "no-edge": 0, "no-noisy": 0,
    }  # fmt: skip
    assert [row.variant for row in state.undecided] == ["no-edge", "no-noisy"]
    assert not state.done
    effect = by_arm["no-loss"].effect
    differences = np.subtract(twenty["no-loss"][:5], twenty["baseline"][:5])
    expected = paired_t(differences, 0.5, alpha=0.015, comparisons=4)
    assert effect.level == pytest.approx(0.985)
    assert (effect.ci_low, effect.fw_low) == pytest.approx((float(expected.low), float(expected.fw_low)))
    assert effect.p == pytest.approx(float(expected.p) * 0.05 / 0.015)
    assert effect.p_holm == pytest.approx(4 * effect.p)
    assert "Stopped early at 5 seeds: such an estimate tends to exaggerate." in sentence(effect, ACCURACY)
    null = by_arm["no-null"].effect
    assert "Stopped early at 5 seeds: such an estimate tends to be too near zero." in sentence(null, ACCURACY)
    assert "98.5 % interval" in sentence(effect, ACCURACY)


def test_next_look_needs_only_undecided_arms(twenty):
    state = looked(twenty, 1)
    assert state.next_seeds == SEEDS[:10]
    assert {arm for arm, _ in state.needed_runs} == {"baseline", "no-edge", "no-noisy"}
    assert set(missing_runs(state, at(twenty, 5), ACCURACY)) == {
        (arm, seed) for arm in ("baseline", "no-edge", "no-noisy") for seed in range(5, 10)
    }
    runs = with_status(at(twenty, 10), "no-edge", [7], "failed")
    assert missing_runs(state, runs, ACCURACY) == []
    assert missing_runs(state, with_status(runs, "no-edge", [8], "killed"), ACCURACY) == [("no-edge", 8)]


def test_stopped_arms_are_frozen_and_m_stays(twenty):
    first, last = looked(twenty, 1), looked(twenty, 3)
    assert last.done
    assert last.undecided == () == last.needed_runs
    assert take_look(last, run_table(twenty), ACCURACY, 0.5) is last
    for before, after in zip(first.arms, last.arms, strict=True):
        if before.stopped_at:
            assert (after.p_seq, after.stopped_at) == (before.p_seq, 1)
            assert after.effect.verdict == before.effect.verdict
            assert (after.effect.n, after.effect.delta) == (5, before.effect.delta)
            assert after.effect.p_holm <= before.effect.p_holm
        else:
            assert after.effect.n == 20
            assert after.effect.level == pytest.approx(0.98)
            assert after.p_seq <= before.p_seq
            assert after.effect.evidence.look == 3
            assert not after.effect.evidence.stopped_early
    adjusted = holm([arm.p_seq for arm in last.arms])
    assert [effect.p_holm for effect in last.effects] == pytest.approx(adjusted.tolist())
    assert {effect.evidence.comparisons for effect in last.effects} == {4}


def test_seeds_beyond_the_look_are_not_read(twenty):
    state = start_monitoring(planned(*ARMS), SEEDS)
    assert take_look(state, at(twenty, 5), ACCURACY, 0.5) == take_look(state, run_table(twenty), ACCURACY, 0.5)


def test_looks_use_seeds_in_planned_order(twenty):
    state = start_monitoring(planned(*ARMS), tuple(reversed(SEEDS)))
    effect = take_look(state, run_table(twenty), ACCURACY, 0.5).effects[0]
    assert effect.evidence.paired.seeds == (15, 16, 17, 18, 19)


def test_arrays_and_tables_agree():
    """The simulation and real studies use the same code."""
    generator = np.random.default_rng(11)
    for _ in range(10):
        baseline = 93 + generator.normal(0, 0.3, 20)
        values = baseline + np.array([0, -0.3, -0.6, -1.2])[:, None] + generator.normal(0, 0.3, (4, 20))
        table = run_table({"baseline": baseline, **dict(zip(ARMS, values, strict=True))})
        state, arrays = start_monitoring(planned(*ARMS), SEEDS), LookArrays.initial((1, 4))
        for n, alpha in zip(Looks().seeds, Looks().alphas, strict=True):
            state = take_look(state, table, ACCURACY, 0.5)
            arrays = advance(arrays, paired_t((values - baseline)[None, :, :n], 0.5, alpha, 4), alpha, 0.5)
            if state.done:
                break
        assert [arm.p_seq for arm in state.arms] == pytest.approx(arrays.p[0].tolist())
        assert [arm.stopped_at > 0 for arm in state.arms] == arrays.stopped[0].tolist()
        assert [effect.evidence.rule for effect in state.effects] == [list(Verdict)[code] for code in arrays.codes[0]]
        assert [effect.p_holm for effect in state.effects] == pytest.approx(arrays.p_holm[0].tolist())


def test_failures_and_few_seeds_do_not_stop_an_arm(twenty):
    runs = with_status(run_table(twenty), "no-loss", [2], "failed")
    state = take_look(start_monitoring(planned(*ARMS), SEEDS), runs, ACCURACY, 0.5)
    assert state.effects[0].verdict == "preliminary: clear and important loss"
    assert state.arms[0].stopped_at == 0
    state = take_look(state, runs, ACCURACY, 0.5)
    assert (state.arms[0].stopped_at, state.effects[0].n) == (2, 9)


def test_an_arm_without_runs_stays_undecided(twenty):
    state = take_look(start_monitoring(planned("no-loss", "no-runs"), SEEDS), run_table(twenty), ACCURACY, 0.5)
    assert [row.variant for row in state.undecided] == ["no-runs"]
    assert state.arms[1].p_seq == 1.0


def test_a_single_look_at_full_alpha_is_the_fixed_study(twenty):
    state = start_monitoring(planned(*ARMS), SEEDS, Looks((20,), (0.05,)))
    for look, fixed in zip(
        take_look(state, run_table(twenty), ACCURACY, 0.5).effects,
        estimate_effects(run_table(twenty), planned(*ARMS), ACCURACY, 0.5),
        strict=True,
    ):
        assert pd.Series(look.row()).drop("level").tolist() == pytest.approx(
            pd.Series(fixed.row()).drop("level").tolist(), nan_ok=True
        )


def test_bad_looks():
    for seeds, alphas in (
        ((5, 10), (0.03,)),
        ((10, 5), (0.01, 0.01)),
        ((2, 5), (0.01, 0.01)),
        ((5,), (0.06,)),
        ((), ()),
    ):
        with pytest.raises(UserError):
            Looks(seeds, alphas)
    with pytest.raises(UserError, match="needs 20 different seeds, but 10 are planned"):
        start_monitoring(planned("no-a"), range(10))


def test_replay_takes_every_look_that_is_complete(twenty):
    start = start_monitoring(planned(*ARMS, n_planned=20), SEEDS)
    assert replay(start, at(twenty, 4), ACCURACY, 0.5) is start
    assert replay(start, at(twenty, 7), ACCURACY, 0.5) == looked(twenty, 1)  # between looks the last verdicts apply
    assert replay(start, run_table(twenty), ACCURACY, 0.5) == looked(twenty, 3)


def test_instability_is_tested_at_every_look_with_its_share_of_alpha(twenty):
    runs = with_status(run_table(twenty), "no-noisy", range(5), "unstable", 0.1)
    first = take_look(start_monitoring(planned(*ARMS), SEEDS), runs, ACCURACY, 0.5)
    p = float(unreliable_p(5, 0, 5))
    assert first.arms[3].p_unreliable_seq == pytest.approx(p * 0.05 / 0.015)
    assert first.effects[3].evidence.p_unreliable == pytest.approx(4 * p * 0.05 / 0.015)
    assert first.effects[3].verdict == "trains unreliably"
    assert first.arms[3].stopped_at == 0
    three = with_status(run_table(twenty), "no-noisy", range(3), "unstable", 0.1)
    state = take_look(start_monitoring(planned("no-noisy"), SEEDS), three, ACCURACY, 0.5)
    assert state.effects[0].verdict == "unstable in 3 of 5 seeds: inconclusive"


def test_coarse_scores_do_not_stop_an_arm_for_equivalence(twenty):
    rounded = {name: np.round(values) for name, values in twenty.items()}
    state = take_look(start_monitoring(planned("no-loss", "no-null"), SEEDS), run_table(rounded), ACCURACY, 0.5)
    assert [arm.stopped_at for arm in state.arms][1] == 0


def test_all_pairs_count_the_comparisons_with_the_baseline(twenty):
    rows = [
        *planned("no-loss", "no-null", n_planned=20),
        Comparison("no-null", "no-loss", "x", "changed", "x: all pairs", n_planned=20),
    ]
    state = take_look(start_monitoring(rows, SEEDS), run_table(twenty), ACCURACY, 0.5)
    effects = [arm.effect for arm in state.arms]
    assert [effect.evidence.comparisons for effect in effects] == [2, 2, 3]
    assert effects[2].p_holm == pytest.approx(holm([effect.p for effect in effects])[2])

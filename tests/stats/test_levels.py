"""Factors with levels: rank tests, F tests, averages and synergies against known answers and statsmodels."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from ablate.errors import UserError
from ablate.stats.effects import Comparison, Protocol, Scores, estimate_effects, holm, read_scores
from ablate.stats.effects.criteria import Criteria
from ablate.stats.levels import rank_tests
from ablate.stats.levels.averages import level_effects
from ablate.stats.levels.coding import contrasts
from ablate.stats.levels.factorial import LevelFactorial, level_factorial
from ablate.stats.levels.groups import Level, LevelGroup, level_groups, level_text
from ablate.stats.levels.level_tests import omnibus_tests, trend_tests
from ablate.stats.levels.rank_tests import friedman, page, smallest_friedman_p, smallest_page_p
from ablate.wording import short_level
from tests.samples.effects import ACCURACY, BASELINE, RAW, run_table

LEVELS = {
    "B": BASELINE,
    "L1": [93.25, 93.41, 93.02, 93.40, 93.15],
    "L3": [92.80, 93.10, 92.61, 92.95, 92.70],
    "L5": [91.9, 92.6, 91.5, 92.2, 92.3],
}
NUMBERS = {"B": 0.0, "L1": 0.1, "L3": 0.3, "L5": 0.5}

FACTORS: dict[str, tuple[Level, ...]] = {
    "optimizer": ("sgd", "adam", "muon"),
    "lr": (0.01, 0.03, 0.003, 0.1),
    "augment": ("on", "off"),
}
MAIN = {"adam": 0.7, "muon": 1.9, 0.03: 0.4, 0.003: -1.1, 0.1: -2.0, "off": -1.5}
PAIRS = {("adam", 0.1): 2.5, ("muon", "off"): 1.0}


def approx(value: object) -> object:
    return pytest.approx(value, rel=1e-6)


def combinations(factors: dict[str, tuple[Level, ...]] = FACTORS) -> pd.DataFrame:
    """Return all combinations of levels, the baseline's first."""
    rows = list(itertools.product(*factors.values()))
    return pd.DataFrame(rows, columns=list(factors), index=[f"arm{place}" for place in range(len(rows))], dtype=object)


def planted(levels: pd.DataFrame, seeds: int, sd: float, seed: int = 0) -> Scores:
    """Return scores with the planted effects of levels and pairs of levels, a shift by seed, and noise."""
    generator = np.random.default_rng(seed)
    means = [
        90
        + sum(MAIN.get(level, 0.0) for level in row)
        + sum(size for pair, size in PAIRS.items() if set(pair) <= set(row))
        for row in levels.to_numpy(dtype=object).tolist()
    ]
    noise = sd * generator.standard_normal((len(levels), seeds)) + sd * generator.standard_normal((1, seeds))
    values = pd.DataFrame(np.array(means)[:, None] + noise, index=levels.index, columns=range(seeds))
    return Scores(values, values.isna())


def table_of(arms: dict[str, Sequence[float]]) -> Scores:
    return read_scores(run_table(arms), ACCURACY)


def group_of(arms: dict[str, Sequence[float]]) -> LevelGroup:
    return LevelGroup("p", tuple(NUMBERS[name] for name in arms), tuple(arms))


@pytest.mark.parametrize(
    ("blocks", "levels", "statistic", "p"),
    [(3, 3, 6.0, 1 / 36), (4, 3, 6.5, 24 / 576), (4, 3, 8.0, 1 / 216), (3, 4, 7.4, 0.0330), (2, 4, 6.0, 1 / 24)],
)
def test_friedman_has_the_probabilities_of_published_tables(
    blocks: int, levels: int, statistic: float, p: float
) -> None:
    """Tables of Friedman (1937), also in Hollander and Wolfe (1999)."""
    for orders in itertools.product(itertools.permutations(range(1, levels + 1)), repeat=blocks):
        found = stats.friedmanchisquare(*np.array(orders, dtype=float).T).statistic
        if found == pytest.approx(statistic):
            break
    else:
        pytest.fail("the table's statistic does not occur")
    assert friedman(orders) == (pytest.approx(statistic), pytest.approx(p, abs=6e-4 if p == 0.0330 else 1e-12))


@pytest.mark.parametrize(("blocks", "levels"), [(3, 3), (5, 4), (5, 5), (6, 3), (4, 7)])
def test_rank_tests_agree_with_scipy(blocks: int, levels: int) -> None:
    scores = np.random.default_rng(blocks).normal(size=(blocks, levels)) + np.linspace(0, 1, levels)
    assert friedman(scores).statistic == approx(stats.friedmanchisquare(*scores.T).statistic)
    found = page(scores)
    both = [stats.page_trend_test(sign * scores, method="exact").pvalue for sign in (1, -1)]
    assert found.p == approx(min(1.0, 2 * min(both)))
    assert found.statistic == approx(np.mean([stats.spearmanr(range(levels), row).statistic for row in scores]))
    assert page(-scores) == (approx(-found.statistic), approx(found.p))


def test_random_orders_are_close_to_the_exact_p(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.random.default_rng(3).normal(size=(5, 5)) + np.linspace(0, 1.2, 5)
    exact = friedman(scores), page(scores)
    monkeypatch.setattr(rank_tests, "MOST_LEVELS_EXACT", 4)
    assert (friedman(scores), page(scores)) == (friedman(scores), page(scores)) != exact
    assert friedman(scores) == (exact[0].statistic, pytest.approx(exact[0].p, abs=0.005))
    assert page(scores) == (exact[1].statistic, pytest.approx(exact[1].p, abs=0.005))


def test_ties_and_levels_without_a_difference() -> None:
    tied = np.array([[1, 1, 2], [1, 1, 2], [3, 3, 5], [0, 0, 0.5]])
    assert friedman(tied).statistic == approx(stats.friedmanchisquare(*tied.T).statistic)
    assert friedman(tied).p == approx(3 / 3**4)  # one of three orders in every block, the same
    assert page(tied).p == approx(2 / 3**4)
    same = np.full((5, 3), 93.1)
    assert all(map(math.isnan, (*friedman(same), *page(same))))
    rounded = same + np.array([0, 1e-14, -1e-14])
    assert all(map(math.isnan, (*friedman(rounded), *page(rounded))))
    assert math.isnan(friedman(tied[:, :2]).p)
    assert math.isnan(page(tied[:1]).p)


@pytest.mark.parametrize(("blocks", "levels"), [(3, 3), (3, 4), (5, 3)])
def test_the_smallest_p_is_that_of_equal_orders(blocks: int, levels: int) -> None:
    scores = np.tile(np.arange(levels), (blocks, 1))
    assert friedman(scores).p == approx(smallest_friedman_p(blocks, levels))
    assert page(scores).p == approx(smallest_page_p(blocks, levels))


def test_known_answers_of_levels() -> None:
    rows = estimate_effects(run_table(LEVELS), [Comparison(name, "B") for name in ("L1", "L3", "L5")], ACCURACY, 0.5)
    assert [row.p for row in rows] == approx([0.00897090250, 0.000447238070, 0.00157138207])
    assert [row.p_holm for row in rows] == approx([0.00897090250, 0.00134171421, 0.00314276414])


def test_omnibus_and_trend_of_a_component() -> None:
    group = group_of(LEVELS)
    (omnibus,) = omnibus_tests([group], table_of(LEVELS), 1)
    assert (omnibus.test, omnibus.n, omnibus.verdict) == ("Friedman", 5, "the levels differ")
    assert omnibus.statistic == approx(stats.friedmanchisquare(*LEVELS.values()).statistic)
    assert omnibus.p == omnibus.p_holm == approx(smallest_friedman_p(5, 4))
    (trend,) = trend_tests([group], table_of(LEVELS), 1)
    assert (trend.test, trend.levels, trend.verdict) == ("Page", (0.0, 0.1, 0.3, 0.5), "tends to fall with the value")
    assert trend.statistic == approx(-0.8)  # the first two are exchanged at every seed


def test_a_trend_needs_numbers_in_their_order() -> None:
    shuffled = {name: LEVELS[name] for name in ("L3", "B", "L5", "L1")}
    group = group_of(shuffled)
    (trend,) = trend_tests([group], table_of(shuffled), 1)
    assert (trend.reference, trend.levels) == ("L3", (0.0, 0.1, 0.3, 0.5))
    assert trend.statistic == approx(-0.8)
    named = LevelGroup("optimizer", ("sgd", "adam", "muon"), ("B", "L1", "L3"))
    assert trend_tests([named], table_of(LEVELS), 1) == []
    assert len(omnibus_tests([named, group], table_of(LEVELS), 1)) == 2


def test_holm_counts_all_components() -> None:
    groups = [
        LevelGroup("one", (1, 2, 3), ("B", "L1", "L3")),
        LevelGroup("other", (1, 2, 3), ("B", "L3", "L5")),
    ]
    rows = omnibus_tests(groups, table_of(LEVELS), 1)
    assert [row.p_holm for row in rows] == approx(holm([row.p for row in rows]).tolist())
    few = {name: scores[:3] for name, scores in LEVELS.items()}
    rows = omnibus_tests(groups, table_of(few), 1)
    assert [row.reachable for row in rows] == [False, False]
    assert [row.verdict for row in rows] == ["preliminary: inconclusive"] * 2
    assert omnibus_tests(groups[:1], table_of(few), 1)[0].reachable


def test_tests_of_levels_carry_the_prefixes_of_the_protocol() -> None:
    (row,) = omnibus_tests([group_of(LEVELS)], table_of(LEVELS), 1, Protocol(planned=False))
    assert row.verdict == "exploratory: the levels differ"
    for seeds, verdict in ((1, "single-run observation"), (2, "too few seeds")):
        few = {name: scores[:seeds] for name, scores in LEVELS.items()}
        assert omnibus_tests([group_of(few)], table_of(few), 1)[0].verdict == verdict


def test_an_unstable_run_without_a_score_is_the_worst_of_its_seed() -> None:
    scores = table_of(LEVELS)
    scores.values.loc["L1", 0] = math.nan
    scores.unstable.loc["L1", 0] = True
    (row,) = omnibus_tests([group_of(LEVELS)], scores, 1)
    assert (row.n, row.n_unstable, row.verdict) == (5, 1, "unstable in 1 of 20 runs: the levels differ")
    worst = {**LEVELS, "L1": [0.0, *LEVELS["L1"][1:]]}
    assert row.statistic == approx(stats.friedmanchisquare(*worst.values()).statistic)
    scores.unstable.loc["L1", 0] = False  # a missing run: the seed is left out
    assert omnibus_tests([group_of(LEVELS)], scores, 1)[0].n == 4


def test_groups_are_variants_that_differ_in_one_component() -> None:
    levels = pd.DataFrame(
        [
            ["sgd", 0.1, "on"], ["adam", 0.1, "on"], ["muon", 0.1, "on"], ["sgd", 0.3, "on"], ["sgd", 0.1, "off"],
            ["adam", 0.3, "on"],
        ],
        columns=["optimizer", "lr", "augment"],
        index=["baseline", "optimizer=adam", "optimizer=muon", "lr=0.3", "no-augment", "ours"],
        dtype=object,
    )  # fmt: skip
    planned = [
        Comparison("optimizer=adam", factor="optimizer", change="changed", level="adam", reference_level="sgd"),
        Comparison("optimizer=muon", factor="optimizer", change="changed", level="muon", reference_level="sgd"),
        Comparison("lr=0.3", factor="lr", change="changed", level="0.3", reference_level="0.1"),
        Comparison("no-augment", factor="augment"),
        Comparison("ours", change="changed"),
    ]
    (group,) = level_groups(planned, levels)  # two levels of lr and augment, and an arm that is named
    assert group == LevelGroup("optimizer", ("sgd", "adam", "muon"), ("baseline", "optimizer=adam", "optimizer=muon"))
    pairs = [
        Comparison("optimizer=muon", "optimizer=adam", "optimizer", "changed", "optimizer: all pairs", 5, True, "muon")
    ]
    assert level_groups([*planned, *pairs], levels) == [group]
    assert not group.is_numeric


def test_texts_of_levels() -> None:
    texts = [level_text("optimizer", "muon"), level_text("lr", 0.03), level_text("epochs", 5)]
    assert texts == ["optimizer=muon", "lr=0.03", "epochs=5"]
    assert level_text("lr", 0.1234567) == "lr=0.1234567"
    assert level_text("lr+wd", "lr=0.03+wd=1e+16") == "lr=0.03+wd=1e+16"
    assert short_level("lr+wd", "lr=0.03+wd=1e+16") == "0.03, 1e+16"
    assert level_text("batch_norm", "off") == "no-batch-norm"
    assert level_text("mixup", "on") == "with-mixup"


@pytest.mark.parametrize("count", [2, 3, 5])
def test_contrasts_sum_to_zero_and_are_orthogonal(count: int) -> None:
    matrix = contrasts(count)
    assert matrix.sum(axis=0) == pytest.approx(np.zeros(count - 1))
    assert matrix.T @ matrix == pytest.approx(count * np.eye(count - 1))


def long_table(levels: pd.DataFrame, scores: Scores) -> pd.DataFrame:
    """Return one row per run for statsmodels, with the levels as text."""
    rows = [
        {**{name: str(level) for name, level in levels.loc[arm].items()}, "arm": arm, "seed": seed, "y": value}
        for arm, values in scores.values.iterrows()
        for seed, value in values.items()
    ]
    return pd.DataFrame(rows)


def analysed(levels: pd.DataFrame, scores: Scores, margin: float = 0.5) -> LevelFactorial:
    return level_factorial(levels, scores, margin)


@pytest.mark.parametrize("seeds", [2, 5])
def test_f_tests_of_a_full_factorial_are_those_of_ols(seeds: int) -> None:
    levels = combinations()
    scores = planted(levels, seeds, 0.8)
    model = ols("y ~ C(seed) + C(optimizer, Sum) * C(lr, Sum) * C(augment, Sum)", long_table(levels, scores)).fit()
    reference = anova_lm(model, typ=3)
    found = analysed(levels, scores)
    assert [test.term for test in found.tests] == [
        "optimizer", "lr", "augment", "optimizer x lr", "optimizer x augment", "lr x augment",
    ]  # fmt: skip
    for test in found.tests:
        row = reference.loc[":".join(f"C({name}, Sum)" for name in test.term.split(" x "))]
        assert (test.statistic, test.p) == (approx(row["F"]), approx(row["PR(>F)"]))
        assert test.freedom == (row["df"], model.df_resid)
    mains = [test for test in found.tests if " x " not in test.term]
    assert [test.p_holm for test in mains] == approx(holm([test.p for test in mains]).tolist())


def test_averages_and_synergies_of_a_full_factorial_are_those_of_ols() -> None:
    levels = combinations()
    scores = planted(levels, 5, 0.3)
    found = analysed(levels, scores, 0.5)
    long = long_table(levels, scores)
    means = long.groupby("optimizer")["y"].mean()
    criteria = Criteria(RAW, 0.5, Protocol())
    effects = {effect.variant: effect for effect in level_effects(found, criteria, planned_seeds=5)}
    assert list(effects) == [
        *(f"optimizer={name} (averaged)" for name in ("adam", "muon")),
        *(f"lr={value} (averaged)" for value in ("0.03", "0.003", "0.1")),
        "no-augment (averaged)",
    ]
    muon = effects["optimizer=muon (averaged)"]
    assert muon.delta == approx(means["muon"] - means["sgd"])
    by_seed = long.groupby(["optimizer", "seed"])["y"].mean()
    test = stats.ttest_rel(by_seed["muon"], by_seed["sgd"])
    interval = test.confidence_interval(1 - 0.05 / 6)
    assert (muon.p, muon.fw_low, muon.fw_high) == (approx(test.pvalue), approx(interval.low), approx(interval.high))
    assert (muon.factor, muon.reference, muon.change) == ("optimizer", "optimizer=sgd (averaged)", "changed")
    assert effects["no-augment (averaged)"].change == "removed"

    saturated = ols("y ~ C(seed) + C(optimizer, Sum) * C(lr, Sum) * C(augment, Sum)", long).fit()
    cells = saturated.predict(long.assign(seed=0)).groupby([long["optimizer"], long["lr"]]).mean()
    synergy = cells["adam", "0.1"] - cells["sgd", "0.1"] - cells["adam", "0.01"] + cells["sgd", "0.01"]
    rows = {row.term: row for row in found.synergies}
    assert len(rows) == 2 * 3 + 2 + 3
    assert rows["optimizer=adam x lr=0.1"].estimate == approx(synergy)
    assert rows["optimizer=adam x lr=0.1"].verdict == "clear and important gain"
    assert rows["optimizer=muon x lr=0.03"].verdict in ("inconclusive", "no practically meaningful effect")


def test_planted_effects_are_estimated_without_bias() -> None:
    levels = combinations()
    found = analysed(levels, planted(levels, 2, 0.0))
    effects = {row.variant: row.delta for row in level_effects(found, Criteria(RAW, 0.5, Protocol()), planned_seeds=2)}
    expected = {"optimizer=adam": 0.7 + 2.5 / 4, "optimizer=muon": 1.9 + 1.0 / 2, "lr=0.1": -2.0 + 2.5 / 3}
    for name, value in expected.items():
        assert effects[f"{name} (averaged)"] == pytest.approx(value)
    synergies = {row.term: row.estimate for row in found.synergies}
    assert {name for name, value in synergies.items() if abs(value) > 1e-9} == {
        "optimizer=adam x lr=0.1", "optimizer=muon x no-augment",
    }  # fmt: skip


def test_two_levels_give_the_results_of_the_two_level_analysis() -> None:
    from ablate.stats.attribution import factorial_effects

    two: dict[str, tuple[Level, ...]] = dict.fromkeys("abc", ("on", "off"))
    levels = combinations(two)
    scores = planted(levels, 5, 0.4)
    known = {row.term: row for row in factorial_effects(levels == "on", scores.values, 0.5).contrasts}
    found = analysed(levels, scores)
    effects = level_effects(found, Criteria(RAW, 0.5, Protocol()), planned_seeds=5)
    for effect in effects:
        row = known[effect.factor]
        assert (effect.delta, effect.ci_low, effect.p) == (approx(-row.estimate), approx(-row.high), approx(row.p))
    for synergy in found.synergies:
        row = known[synergy.term.replace("no-", "")]
        assert (synergy.estimate, synergy.p_holm, synergy.verdict) == (
            approx(row.estimate), approx(row.p_holm), row.verdict,
        )  # fmt: skip


def test_unstable_runs_of_averages_are_counted_and_left_out() -> None:
    levels = combinations()
    scores = planted(levels, 5, 0.3)
    arm = str(levels.index[(levels["optimizer"] == "muon") & (levels["lr"] == 0.1) & (levels["augment"] == "on")][0])
    scores.values.loc[arm, 2] = 10.0
    scores.unstable.loc[arm, 2] = True
    found = analysed(levels, scores)
    assert found.unstable == {arm: (2,)}
    rows = {row.variant: row for row in level_effects(found, Criteria(RAW, 0.5, Protocol()), planned_seeds=5)}
    muon = rows["optimizer=muon (averaged)"]
    assert (muon.n_unstable, muon.verdict.split(":")[0]) == (1, "unstable in 1 of 120 runs")
    long = long_table(levels, scores)
    rest = long[long["arm"] != arm]
    reference = ols("y ~ C(optimizer, Treatment('sgd')) + C(lr) + C(augment)", rest).fit()
    assert muon.delta_survivors == approx(reference.params["C(optimizer, Treatment('sgd'))[T.muon]"])
    scores.values.loc[arm, 2] = math.nan
    rows = {
        row.variant: row
        for row in level_effects(analysed(levels, scores), Criteria(RAW, 0.5, Protocol()), planned_seeds=5)
    }
    assert rows["optimizer=muon (averaged)"].verdict == "unstable in 1 of 120 runs"
    assert math.isnan(analysed(levels, scores).tests[0].p)


def test_incomplete_seeds_are_left_out() -> None:
    levels = combinations()
    scores = planted(levels, 4, 0.3)
    scores.values.iloc[3, 1] = math.nan
    found = analysed(levels, scores)
    assert (found.seeds, found.incomplete_seeds) == ((0, 2, 3), (1,))
    scores.values.iloc[3] = math.nan
    with pytest.raises(UserError, match="at least one seed"):
        analysed(levels, scores)


def test_designs_that_cannot_separate_components_are_refused() -> None:
    levels = pd.DataFrame({"optimizer": ["sgd", "adam", "muon"], "lr": [0.1, 0.01, 0.02]}, dtype=object)
    with pytest.raises(UserError, match="do not separate"):
        level_factorial(levels, planted(levels, 3, 0.1), 0.5)
    with pytest.raises(UserError, match="a component with at least two levels"):
        level_factorial(levels[["optimizer"]].iloc[:1], planted(levels, 3, 0.1), 0.5)


def test_a_single_component_is_compared_by_its_variants() -> None:
    levels = combinations({"optimizer": ("sgd", "adam", "muon")})
    scores = planted(levels, 5, 0.3)
    found = analysed(levels, scores)
    (muon,) = (
        row for row in level_effects(found, Criteria(RAW, 0.5, Protocol()), planned_seeds=5) if "muon" in row.variant
    )
    assert muon.p == approx(stats.ttest_rel(scores.values.loc["arm2"], scores.values.loc["arm0"]).pvalue)
    assert [test.term for test in found.tests] == ["optimizer"]


def test_a_value_that_varies_with_one_level_of_another_component_only_is_nested() -> None:
    """A rate of dropout where dropout is off changes nothing: such combinations are not in the design."""
    levels = combinations({"dropout": ("on", "off"), "p": (0.2, 0.1, 0.5), "lr": (0.01, 0.03)})
    levels = levels[(levels["dropout"] == "on") | (levels["p"] == 0.2)]
    scores = planted(levels, 4, 0.2)
    found = analysed(levels, scores)
    assert (found.model.nested, found.model.excluded, found.model.is_screening) == ((("dropout", "p"),), (), False)
    rows = {row.variant: row for row in level_effects(found, Criteria(RAW, 0.5, Protocol()), planned_seeds=4)}
    on = levels["dropout"] == "on"
    means = scores.values[on].groupby(levels.loc[on, "p"]).mean()
    assert rows["p=0.5 (averaged)"].delta == approx((means.loc[0.5] - means.loc[0.2]).mean())
    base = levels["p"] == 0.2
    means = scores.values[base].groupby(levels.loc[base, "dropout"]).mean()
    assert rows["no-dropout (averaged)"].delta == approx((means.loc["off"] - means.loc["on"]).mean())


def test_a_missing_combination_leaves_least_squares_means() -> None:
    levels = combinations().drop("arm5")
    scores = planted(levels, 4, 0.3)
    found = analysed(levels, scores)
    long = long_table(levels, scores)
    model = ols("y ~ C(seed) + (C(optimizer, Sum) + C(lr, Sum) + C(augment, Sum)) ** 2", long).fit()
    cells = pd.DataFrame(list(itertools.product(*FACTORS.values(), range(4))), columns=[*FACTORS, "seed"])
    means = model.predict(cells.assign(lr=cells["lr"].astype(str))).groupby(cells["optimizer"]).mean()
    rows = {row.variant: row.delta for row in level_effects(found, Criteria(RAW, 0.5, Protocol()), planned_seeds=4)}
    assert rows["optimizer=muon (averaged)"] == approx(means["muon"] - means["sgd"])
    error = ols("y ~ C(seed) + C(arm)", long).fit()
    reference = anova_lm(model, typ=3)
    for test in found.tests:
        row = reference.loc[":".join(f"C({name}, Sum)" for name in test.term.split(" x "))]
        assert test.statistic == approx(row["sum_sq"] / row["df"] / error.mse_resid)
        assert test.freedom == (row["df"], error.df_resid)


def test_only_components_with_aliases_are_screened() -> None:
    """Of three components with three levels in nine runs, each is aliased; one that is crossed with them is not."""
    latin = [(one, other, (one + other) % 3) for one in range(3) for other in range(3)]
    rows = [(*map(str, row), switch) for row in latin for switch in ("on", "off")]
    levels = pd.DataFrame(rows, columns=["a", "b", "c", "d"], index=[f"v{number}" for number in range(len(rows))])
    found = analysed(levels, planted(levels, 4, 0.2))
    effects = {row.factor: row for row in level_effects(found, Criteria(RAW, 0.5, Protocol()), planned_seeds=4)}
    assert {name for name, row in effects.items() if row.evidence.is_screening} == {"a", "b", "c"}
    assert {test.term for test in found.tests if test.levels and test.verdict.startswith("screening")} == {
        "a",
        "b",
        "c",
    }

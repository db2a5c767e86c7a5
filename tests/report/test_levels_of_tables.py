"""Levels in tables of other programs: tests of all levels, trends, factorials and all pairs, against scipy and
statsmodels."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

import ablate
from ablate.errors import UsageError
from tests.samples.effects import BASELINE

L1, L3, L5 = [93.25, 93.41, 93.02, 93.40, 93.15], [92.80, 93.10, 92.61, 92.95, 92.70], [91.9, 92.6, 91.5, 92.2, 92.3]


def known_levels(component: str, names: list[object]) -> pd.DataFrame:
    """Return the known answer of levels, with the baseline's first."""
    scores = zip(names, [BASELINE, L1, L3, L5], strict=True)
    return pd.DataFrame([{component: name, "seed": seed, "acc": y} for name, ys in scores for seed, y in enumerate(ys)])


def crossed() -> pd.DataFrame:
    noise = np.random.default_rng(4)
    rows = itertools.product([0.001, 0.01, 0.1], ["sgd", "adam"], range(4))
    gain = {"sgd": 0.0, "adam": 0.01}
    return pd.DataFrame(
        [
            {"lr": lr, "opt": opt, "seed": s, "acc": 0.8 + gain[opt] + lr / 9 + noise.normal() / 300}
            for lr, opt, s in rows
        ]
    )


def test_the_levels_of_a_column_are_tested_at_once() -> None:
    runs = known_levels("lr", [0.5, "1e-1", 0.3, 1e-5])
    result = ablate.compare(runs, metric="acc", variant="lr", baseline="0.5")
    assert result.effects["p"].tolist() == pytest.approx([0.00897090250, 0.000447238070, 0.00157138207], rel=1e-6)
    assert result.effects["p_holm"].tolist() == pytest.approx([0.0089709025, 0.00134171421, 0.00314276414], rel=1e-6)
    assert result.effects["factor_level"].tolist() == ["1e-1", "0.3", "1e-05"]
    omnibus, trend = result.facts["levels"]
    assert omnibus["statistic"] == pytest.approx(stats.friedmanchisquare(BASELINE, L1, L3, L5).statistic)
    assert (omnibus["component"], omnibus["levels"], omnibus["n"]) == ("lr", "0.5, 0.1, 0.3, 1e-05", 5)
    ascending = np.array([L5, L1, L3, BASELINE]).T
    both = 2 * min(stats.page_trend_test(blocks, method="exact").pvalue for blocks in (ascending, ascending[:, ::-1]))
    assert (trend["test"], trend["p"]) == ("Page", pytest.approx(both))
    text = "\n".join(result.answer)
    assert "lr (0.5, 0.1, 0.3, 1e-05): the levels differ (Friedman's test" in text
    assert "Using lr 1e-5 instead of 0.5" in text or "Using lr 1e-05 instead of 0.5 changed acc by" in text


def test_a_level_called_none_is_not_the_bare_recipe() -> None:
    runs = known_levels("augmentation", ["none", "light", "medium", "heavy"])
    result = ablate.compare(runs, metric="acc", variant="augmentation", baseline="none", all_pairs=True)
    text = "\n".join(result.answer)
    assert "Using augmentation light instead of none changed acc by" in text
    assert "bare recipe" not in text


def test_keys_that_are_crossed_are_a_factorial() -> None:
    runs = crossed()
    result = ablate.compare(runs, metric="acc", baseline="lr=0.001, opt=sgd")
    table = anova_lm(ols("acc ~ C(seed) + C(lr) * C(opt)", runs).fit())
    found = {fact["component"]: fact for fact in result.facts["levels"] if fact["test"] == "F"}
    assert {name: fact["statistic"] for name, fact in found.items()} == pytest.approx(
        {"lr": table.F["C(lr)"], "opt": table.F["C(opt)"], "lr x opt": table.F["C(lr):C(opt)"]}
    )
    averages = result.effects.set_index("variant").delta
    means = runs.groupby("opt").acc.mean()
    assert averages["opt=adam (averaged)"] == pytest.approx(100 * (means["adam"] - means["sgd"]))
    assert any(fact["test"] == "Page" for fact in result.facts["levels"])


def test_keys_that_are_not_crossed_have_levels_at_the_baseline() -> None:
    runs = crossed().query("lr == 0.001 or opt == 'sgd'")
    result = ablate.compare(runs, metric="acc", baseline="lr=0.001, opt=sgd")
    assert [(fact["test"], fact["component"]) for fact in result.facts["levels"]] == [
        ("Friedman", "lr"),
        ("Page", "lr"),
    ]
    assert set(result.effects["factor"]) == {"lr", "opt"}


def test_all_pairs_are_a_family_that_counts_those_with_the_baseline() -> None:
    runs = known_levels("model", ["B", "L1", "L3", "L5"])
    effects = ablate.compare(runs, metric="acc", variant="model", baseline="B", all_pairs=True).effects
    pairs = effects[effects["family"] == "model: all pairs"]
    assert pairs[["variant", "reference"]].to_numpy().tolist() == [["L3", "L1"], ["L5", "L1"], ["L5", "L3"]]
    p = [stats.ttest_rel(*pair).pvalue for pair in itertools.combinations([BASELINE, L1, L3, L5], 2)]
    adjusted = np.maximum.accumulate(np.sort(p) * np.arange(6, 0, -1))[np.argsort(np.argsort(p))]
    assert pairs["p_holm"].tolist() == pytest.approx(adjusted[3:].tolist())
    named = ablate.compare(runs.rename(columns={"model": "variant"}), metric="acc", baseline="B", all_pairs=True)
    assert "Variant L5 instead of L3" in "\n".join(named.answer)
    assert "levels" not in named.facts


@pytest.mark.parametrize(
    ("change", "options"),
    [
        (lambda runs: runs, {"unpaired": True}),
        (lambda runs: runs.query("model != 'L1' and model != 'L3'"), {}),
        (lambda runs: runs.replace({"L1": "no-x", "L3": "no-y", "L5": "no-x+no-y"}), {}),
        (lambda runs: runs.rename(columns={"model": "config"}), {"variant": "config"}),
    ],
    ids=["unpaired", "two levels", "components by name", "labels"],
)
def test_other_comparisons_have_no_tests_of_levels(change, options) -> None:
    runs = change(known_levels("model", ["B", "L1", "L3", "L5"]))
    assert "levels" not in ablate.compare(runs, metric="acc", **{"variant": "model", "baseline": "B"} | options).facts


def test_all_pairs_need_two_variants_on_one_data_set() -> None:
    runs = known_levels("model", ["B", "L1", "L3", "L5"])
    with pytest.raises(UsageError, match="needs two variants or levels"):
        ablate.compare(
            runs[runs["model"].isin(["B", "L1"])], metric="acc", variant="model", baseline="B", all_pairs=True
        )
    with pytest.raises(UsageError, match="--all-pairs and --dataset-param exclude each other"):
        ablate.compare(runs.assign(data=1), metric="acc", baseline="B", dataset_param="data", all_pairs=True)

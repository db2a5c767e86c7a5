"""Reports on unpaired runs and on folds: options, sentences, tables, accounting."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from typer.testing import CliRunner

from ablate.cli.app import app
from tests.samples.effects import BASELINE
from tests.stats.test_folds import DIFFERENCES
from tests.stats.test_unpaired import ARM, MORE_BASELINE, UNPAIRED

pytestmark = pytest.mark.usefixtures("in_tmp")


@pytest.fixture
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def write(arms: dict[str, list[float]], first: dict[str, int] | None = None, **columns: object) -> None:
    rows = [
        {"variant": name, "seed": seed + (first or {}).get(name, 0), "acc": value}
        for name, values in arms.items()
        for seed, value in enumerate(values)
    ]
    pd.DataFrame(rows).assign(**columns).to_csv("runs.csv", index=False)


def call(*options: str, code: int = 0) -> tuple[dict, str]:
    arguments = ["report", "--runs", "runs.csv", "--metric", "acc", "--json", *options]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, result.output
    return json.loads(result.stdout) if result.stdout else {}, result.stderr


def test_without_a_shared_seed_the_way_out_is_named() -> None:
    write({"baseline": BASELINE, "U": UNPAIRED}, {"U": 10})
    _, message = call(code=1)
    assert "or compare all runs without pairs with --unpaired" in message


def test_unpaired_runs_are_all_used_and_labelled_everywhere() -> None:
    write({"baseline": BASELINE, "U": UNPAIRED}, {"U": 10})
    facts, _ = call("--unpaired", "--html")
    assert (facts["accounting"]["read"], facts["accounting"]["used"], facts["accounting"]["sentence"]) == (9, 9, "")
    (effect,) = facts["effects"]
    assert (effect["n"], effect["n_variant"], effect["n_reference"]) == (4, 4, 5)
    assert effect["df"] == pytest.approx(4.67226348, rel=1e-6)
    assert effect["p"] == pytest.approx(0.00819204210, rel=1e-6)
    table = pd.read_csv("reports/runs/effects.csv")
    assert list(table.columns[-4:]) == ["n_variant", "n_reference", "se", "df"]
    assert table["verdict"].tolist() == ["preliminary: unpaired: real, importance unresolved"]
    text = Path("reports/runs/report.md").read_text()
    assert "Preliminary, unpaired: Variant U changed acc by -0.58 points" in text
    assert "| `U` | 4 and 5 | 93.13 ± 0.14 | 92.55 ± 0.23 | -0.58 |" in text
    assert "unpaired, as declared." in text
    assert "--unpaired" in text
    assert "Welch's test is approximate for few runs." in text
    assert not re.search("paired seeds|rho|sign-flip|same seed", text.split("Glossary")[0])
    assert "4 and 5" in Path("reports/runs/table.tex").read_text()
    assert not Path("reports/runs/figures/slopes.png").exists()


def test_a_table_without_seeds_is_unpaired_by_number() -> None:
    write({"baseline": BASELINE, "U": UNPAIRED})
    pd.read_csv("runs.csv").drop(columns="seed").to_csv("runs.csv", index=False)
    call(code=2)
    facts, _ = call("--unpaired")
    assert "unpaired, as declared; seed: none, so the runs are numbered" in facts["answer"]["notes"][-1]
    assert facts["effects"][0]["p"] == pytest.approx(0.00819204210, rel=1e-6)


def test_all_pairs_of_unpaired_runs_have_the_test_of_games_and_howell_under_diagnostics() -> None:
    arms = {"baseline": BASELINE, "few": [92.61, 92.40, 92.85], "more": [*ARM, 92.2]}
    write(arms)
    facts, _ = call("--unpaired", "--all-pairs")
    reference = stats.tukey_hsd(*arms.values(), equal_var=False)
    (last,) = (row for row in facts["effects"] if row["family"] == "variants: all pairs")
    p = [stats.ttest_ind(one, other, equal_var=False).pvalue for one, other in itertools.combinations(arms.values(), 2)]
    assert last["p_holm"] == pytest.approx(multipletests(p, method="holm")[1][2])
    low, high = (bound[2, 1] for bound in reference.confidence_interval(0.95))
    text = Path("reports/runs/report.md").read_text()
    row = f"| more | few | +{last['delta']:.2f} | [{low:.2f}, {high:.2f}] | {reference.pvalue[2, 1]:.3f} |"
    assert row.replace("| 0.", "| .") in text
    assert text.count("p (Games-Howell)") == 1
    call("--all-pairs")
    assert "Games" not in Path("reports/runs/report.md").read_text()


def test_partly_paired_runs_are_paired_and_counted() -> None:
    write({"baseline": [*BASELINE, *MORE_BASELINE], "arm": ARM})
    facts, _ = call()
    (effect,) = facts["effects"]
    assert (effect["n"], effect["delta"]) == (5, pytest.approx(-0.24))
    assert effect["p"] == pytest.approx(0.00110866590, rel=1e-6)
    assert "Left out: 5 with a seed that another compared variant lacks" in facts["accounting"]["sentence"]
    text = Path("reports/runs/report.md").read_text()
    assert "| arm | 5 | 0 and 5 | -0.22 | 0.053 | 4.87 | .009 |" in text
    assert "declare --unpaired" in text
    unpaired, _ = call("--unpaired")
    assert (unpaired["accounting"]["used"], unpaired["effects"][0]["delta"]) == (15, pytest.approx(-0.223))


def test_folds_use_the_corrected_variance() -> None:
    base = [90 + place**2 / 37 for place in range(10)]
    write({"baseline": base, "v": [score + change for score, change in zip(base, DIFFERENCES, strict=True)]})
    pd.read_csv("runs.csv").rename(columns={"seed": "fold"}).to_csv("runs.csv", index=False)
    facts, _ = call("--seed-param", "fold", "--folds", "1/9")
    (effect,) = facts["effects"]
    assert (effect["p"], effect["se"]) == (pytest.approx(0.00120349632, rel=1e-6), pytest.approx(0.182827585))
    assert effect["p_welch"] is None
    assert "(10 folds, drop-in, p_Holm = .001)" in facts["answer"]["unresolved"][0]
    assert "seeds are folds with 0.1111 test rows per training row, as declared" in facts["answer"]["notes"][-1]
    text = Path("reports/runs/report.md").read_text()
    assert "Nadeau and Bengio, 2003" in text
    assert "--folds 1/9" in text
    assert "The corrected test assumes" in text


def test_several_runs_of_a_fold_are_refused() -> None:
    write({"baseline": [90.0, 91.0, 92.0], "v": [90.5, 91.5, 92.6]})
    table = pd.read_csv("runs.csv").assign(fold=[0, 0, 1, 0, 0, 1])
    table.to_csv("runs.csv", index=False)
    _, message = call("--seed-param", "fold", "--folds", "0.5", code=1)
    assert "Duplicate results" in message
    assert "They differ in seed" in message


@pytest.mark.parametrize("text", ["0", "-1", "a/b", "1/0", "nan", "inf", "", "1/2/3"])
def test_a_ratio_that_is_not_one(text: str) -> None:
    write({"baseline": BASELINE, "v": BASELINE})
    _, message = call("--folds", text, code=2)
    assert "--folds must be the number of test rows per training row, such as 1/9 for ten folds" in message


def test_what_excludes_each_other() -> None:
    write({"baseline": BASELINE, "v": BASELINE})
    _, message = call("--folds", "1/9", "--unpaired", code=2)
    assert "--unpaired and --folds exclude each other" in message
    result = CliRunner().invoke(app, ["report", "demo", "--unpaired"])
    assert result.exit_code == 2
    assert "--unpaired is for runs of other programs" in result.stderr


def test_a_factorial_is_not_averaged_without_pairs() -> None:
    rows = [
        {"variant": name, "seed": 10 * place + seed, "acc": 90 + shift + 0.1 * (seed * place % 3)}
        for place, (name, shift) in enumerate({"baseline": 0, "no-a": -1, "no-b": -2, "no-a+no-b": -3}.items())
        for seed in range(5)
    ]
    pd.DataFrame(rows).to_csv("runs.csv", index=False)
    facts, _ = call("--unpaired")
    assert [row["family"] for row in facts["effects"]] == ["against the baseline"] * 3
    assert facts["interactions"] == []
    assert "averaged" not in Path("reports/runs/report.md").read_text()

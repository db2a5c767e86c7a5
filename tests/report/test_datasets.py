"""Reports on runs on several data sets."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from typer.testing import CliRunner

from ablate.cli.app import app
from ablate.report.formats.means_table import Cell, panels
from ablate.stats.effects import EFFECT_COLUMNS
from tests.stats.test_datasets import KNOWN

pytestmark = pytest.mark.usefixtures("in_tmp")


@pytest.fixture
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def table(datasets: int = 2, seeds: int = 5, methods: tuple[str, ...] = ("base", "mlp", "vit")) -> pd.DataFrame:
    generator = np.random.default_rng(7)
    rows = []
    for dataset in range(datasets):
        for method, shift in zip(methods, (0, -2, 0.4), strict=False):
            change = shift + generator.normal(0, 0.3)
            for seed in range(seeds):
                acc = 85 + dataset + change + generator.normal(0, 0.2)
                rows.append(
                    {"method": method, "data": f"set_{dataset}", "seed": seed, "acc": acc, "f1": (acc - 3) / 100}
                )
    return pd.DataFrame(rows)


BASE = ("--variant-param", "method", "--baseline", "base", "--dataset-param", "data")


def call(runs: pd.DataFrame, *options: str, code: int = 0, metric: str = "acc") -> tuple[dict, str]:
    """Report on runs with `BASE`, except where `options` has other values of these options."""
    runs.to_csv("runs.csv", index=False)
    base = [word for pair in zip(BASE[::2], BASE[1::2], strict=True) if pair[0] not in options for word in pair]
    result = CliRunner().invoke(app, ["report", "--runs", "runs.csv", "--metric", metric, "--json", *base, *options])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout) if result.stdout else {}, result.stderr


def read(name: str) -> pd.DataFrame:
    return pd.read_csv(f"reports/runs/{name}", keep_default_na=False, na_values=[""])


def test_each_data_set_has_the_effects_of_a_report_of_its_own() -> None:
    runs = table()
    call(runs)
    found = read("effects.csv")
    assert list(found.columns) == [*EFFECT_COLUMNS, "dataset"]
    for dataset in ("set_0", "set_1"):
        own = runs[runs["data"] == dataset]
        own.to_csv("one.csv", index=False)
        options = ("--metric", "acc", "--variant-param", "method", "--baseline", "base")
        assert CliRunner().invoke(app, ["report", "--runs", "one.csv", *options]).exit_code == 0
        alone = pd.read_csv("reports/one/effects.csv", keep_default_na=False, na_values=[""])
        rows = found[found["dataset"] == dataset].reset_index(drop=True)
        columns = [name for name in EFFECT_COLUMNS if name != "family"]
        pd.testing.assert_frame_equal(alone[columns], rows[columns], check_dtype=False)
        assert set(rows["family"]) == {f"on {dataset}"}


def test_two_metrics_two_data_sets_three_methods_and_five_seeds_are_one_table() -> None:
    runs = table()
    facts, _ = call(runs, metric="acc,f1")
    text = Path("reports/runs/report.md").read_text()
    assert "| variant, mean ± SD | set_0 acc (%) | set_0 f1 (%) | set_1 acc (%) | set_1 f1 (%) |" in text
    own = runs[(runs["method"] == "vit") & (runs["data"] == "set_1")]["acc"]
    assert f"**{own.mean():.2f} ± {own.std():.2f}** | **{own.mean() - 3:.2f} ± {own.std():.2f}** |" in text
    tex = Path("reports/runs/means.tex").read_text()
    assert r"& \multicolumn{2}{c}{set\_0} & \multicolumn{2}{c}{set\_1} \\" in tex
    assert r"\cmidrule(lr){2-3} \cmidrule(lr){4-5}" in tex
    assert rf"\textbf{{{own.mean():.2f} $\pm$ {own.std():.2f}}}" in tex
    assert tex.count(r"\textbf") == text.partition("## Means")[2].partition("## Verdicts")[0].count("**") / 2 == 4
    assert r"\label{tab:runs-means}" in tex
    effects = read("effects.csv")
    assert len(effects) == 8
    assert effects.groupby(["metric", "dataset"]).size().tolist() == [2] * 4
    assert facts["accounting"]["read"] == facts["accounting"]["used"] == 30
    assert set(read("runs.csv")["variant"]) == {"base", "mlp", "vit"}
    assert read("datasets.csv")["role"].tolist() == ["primary"] * 2 + ["secondary"] * 2
    assert (facts["effects"][0]["variant"], facts["effects"][0]["dataset"]) == ("mlp", "set_0")
    assert "f1 over the data sets, secondary" in text.replace("`", "")


def test_variants_that_do_not_differ_from_the_best_mean_are_bold_too() -> None:
    runs = table(methods=("base", "mlp", "vit"), seeds=5)
    runs.loc[runs["method"] == "vit", "acc"] = runs.loc[runs["method"] == "base", "acc"].to_numpy() + [0.3, -0.2] * 5
    call(runs)
    lines = Path("reports/runs/report.md").read_text().partition("## Means")[2].splitlines()
    assert [line.count("**") for line in lines if line.startswith("| `")][:3] == [4, 0, 4]


def test_a_table_of_means_wider_than_the_text_continues_below() -> None:
    heads = [(f"set_{place}", f"{metric} (%)") for place in range(5) for metric in ("acc", "f1")]
    rows = [[Cell("base"), *[Cell("83.11 ± 1.59")] * 10]]
    assert panels(heads, rows, 300) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert panels(heads, rows, 600) == [list(range(8)), [8, 9]]
    assert panels(heads, rows, 100) == [[place] for place in range(10)], "a data set alone is too wide"


def test_the_known_answer_over_the_data_sets() -> None:
    rows = [
        {
            "method": name,
            "data": place,
            "seed": seed,
            "acc": 80 + place + 0.37 * seed**2 + (name == "v") * (delta + 0.1 * (seed - 1)),
        }
        for place, delta in enumerate(KNOWN)
        for name in ("base", "v")
        for seed in range(3)
    ]
    facts, _ = call(pd.DataFrame(rows))
    (pooled,) = facts["datasets"]
    for name, value in {
        "delta": -1.4305, "p": 0.0981503589, "ci_low": -3.34816334, "ci_high": 0.487163338,
        "prediction_low": -5.71852559, "prediction_high": 2.85752558, "sd": 1.20515047,
    }.items():  # fmt: skip
        assert pooled[name] == pytest.approx(value, rel=1e-6), name
    assert pooled["verdict"] == "preliminary: inconclusive"
    assert pooled["p_every"] == pytest.approx(max(effect["p"] for effect in facts["effects"]))
    (text,) = facts["answer"]["over_datasets"]
    assert text.startswith("Preliminary: Variant v, averaged over 4 data sets: -1.43 points [-3.35, 0.49]. Inconcl")
    assert "A new data set: [-5.72, 2.86] (95 % prediction interval)." in text
    assert text in Path("reports/runs/report.md").read_text().replace("\\", "")


def test_a_variant_that_is_missing_on_a_data_set() -> None:
    runs = table(4)
    facts, _ = call(runs[~((runs["method"] == "vit") & (runs["data"] == "set_2"))])
    mlp, vit = facts["datasets"]
    assert (mlp["n"], vit["n"], vit["missing"]) == (4, 3, "set_2")
    assert math.isnan(vit["p_every"] if vit["p_every"] is not None else math.nan)
    sentence = facts["answer"]["over_datasets"][1]
    assert "averaged over 3 data sets" in sentence
    assert "Not compared on set_2, where the variant or the baseline has no runs." in sentence
    assert "| `vit` | **85" in Path("reports/runs/report.md").read_text()


def test_the_baseline_must_be_on_a_data_set_to_be_compared_there() -> None:
    runs = table(3)
    facts, _ = call(runs[~((runs["method"] == "base") & (runs["data"] == "set_1"))])
    lost = [text for text in facts["answer"]["open"] if "on set_1" in text]
    assert lost[0].endswith("no seed has a result for both mlp on set_1 and base on set_1; too few seeds.")
    assert facts["accounting"]["left_out"] == {"with a seed that another compared variant lacks": 10}
    assert {row["missing"] for row in facts["datasets"]} == {"set_1"}


def test_ranks_from_ten_data_sets() -> None:
    runs = table(10, 3)
    facts, _ = call(runs)
    text = Path("reports/runs/report.md").read_text()
    means = runs.groupby(["data", "method"])["acc"].mean().unstack()
    friedman = stats.friedmanchisquare(*(means[name] for name in means))
    assert friedman.pvalue < 0.001
    assert "Average ranks over 10 data sets, 1 is the best: vit" in text
    assert "Friedman's test: p &lt; .001" in text or "Friedman's test: p < .001" in text
    wilcoxon = [row["p_wilcoxon"] for row in facts["datasets"]]
    assert wilcoxon == pytest.approx([stats.wilcoxon(means[name] - means["base"]).pvalue for name in ("mlp", "vit")])
    assert Path("reports/runs/figures/ranks.png").is_file()


def test_unpaired_runs_on_several_data_sets() -> None:
    runs = table(3)
    runs["seed"] += 100 * (runs["method"] != "base")
    call(runs, code=1)
    facts, _ = call(runs, "--unpaired")
    assert [row["n"] for row in facts["datasets"]] == [3, 3]
    assert all("unpaired" in row["verdict"] for row in facts["effects"])
    assert not any("unpaired" in row["verdict"] for row in facts["datasets"])


@pytest.mark.parametrize(
    ("options", "change", "code", "message"),
    [
        (("--dataset-param", "datas"), {}, 2, "Unknown data set column 'datas'. Did you mean 'data'?"),
        (("--dataset-param", "seed"), {}, 2, "The column seed has another role"),
        ((), {"data": "one"}, 1, "All runs have the data set 'one'. Omit --dataset-param"),
        ((), {"data": [""] + ["x"] * 29}, 1, "No data set in line 2 (base, seed 0)"),
        (("--baseline", "bsae"), {}, 1, "Unknown variant 'bsae'. Did you mean 'base'? Known: base, mlp, vit"),
    ],
)
def test_what_cannot_be_read(options: tuple[str, ...], change: dict, code: int, message: str) -> None:
    _, found = call(table().assign(**change), *options, code=code)
    assert message in found
    assert len(found.splitlines()) == 1


def test_without_the_option_the_error_names_it() -> None:
    table().to_csv("runs.csv", index=False)
    options = ["--metric", "acc", "--variant-param", "method", "--baseline", "base"]
    result = CliRunner().invoke(app, ["report", "--runs", "runs.csv", *options])
    assert result.exit_code == 1
    assert "They differ in data ('set_0', 'set_1')" in result.stderr
    assert "--dataset-param" in result.stderr


def test_names_that_would_be_the_same_are_refused() -> None:
    runs = pd.concat(
        [table(), table().assign(method="vit on a", data="b"), table().assign(method="vit", data="a on b")]
    )
    _, message = call(runs[~runs["data"].str.startswith("set")].assign(), code=1)
    assert "Unknown variant 'base'. Known: " in message
    _, message = call(runs.drop_duplicates(["method", "data", "seed"]), code=1)
    assert "Two combinations of a variant and a data set are called 'vit on a on b'" in message


def test_curves_with_one_row_per_epoch() -> None:
    runs = pd.concat([table().assign(epoch=epoch, acc=lambda rows, e=epoch: rows["acc"] - (2 - e)) for epoch in (1, 2)])
    facts, _ = call(runs, "--step", "last")
    plain, _ = call(table())
    assert [row["delta"] for row in facts["effects"]] == pytest.approx([row["delta"] for row in plain["effects"]])
    assert facts["accounting"]["read"] == 30

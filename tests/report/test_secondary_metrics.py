"""Reports on several metrics: the first decides, the others are in tables of their own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from ablate.cli.app import app
from ablate.stats.effects import EFFECT_COLUMNS
from ablate.stats.effects.multiple_comparisons import holm

pytestmark = pytest.mark.usefixtures("in_tmp")


@pytest.fixture
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    table().to_csv("runs.csv", index=False)


def table() -> pd.DataFrame:
    generator = np.random.default_rng(3)
    rows = []
    for variant, shift in {"baseline": 0.0, "mlp": -2.0, "vit": 0.2}.items():
        for seed in range(5):
            acc = 90 + shift + generator.normal(0, 0.2)
            f1, loss = (acc - 3 + generator.normal(0, 0.1)) / 100, 1 - (acc - 90) / 10 + generator.normal(0, 0.02)
            rows.append({"variant": variant, "seed": seed, "acc": acc, "f1": f1, "loss": loss})
    return pd.DataFrame(rows)


def call(*options: str, code: int = 0) -> tuple[dict, str]:
    result = CliRunner().invoke(app, ["report", "--runs", "runs.csv", "--json", *options])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout) if result.stdout else {}, result.stderr


def effects_file() -> pd.DataFrame:
    return pd.read_csv("reports/runs/effects.csv", keep_default_na=False, na_values=[""])


def test_each_metric_has_the_effects_of_a_report_of_its_own() -> None:
    facts, _ = call("--metric", "acc,f1,loss", "--margin", "0.5,f1=0.4,loss=0.02")
    found = effects_file()
    assert list(found.columns) == [*EFFECT_COLUMNS, "metric", "role"]
    assert found["role"].tolist() == ["primary"] * 2 + ["secondary"] * 4
    assert [row["metric"] for row in facts["secondary"]] == ["f1", "loss"]
    for metric, margin in (("acc", "0.5"), ("f1", "0.4"), ("loss", "0.02")):
        call("--metric", metric, "--margin", margin)
        alone, rows = effects_file(), found[found["metric"] == metric].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, rows[list(EFFECT_COLUMNS)], check_dtype=False)
        assert rows["p_holm"].tolist() == pytest.approx(holm(rows["p"].to_numpy()).tolist())


def test_the_answer_is_that_of_the_first_metric() -> None:
    facts, _ = call("--metric", "acc,f1,loss", "--margin", "0.5,loss=0.02")
    text = Path("reports/runs/report.md").read_text()
    alone, _ = call("--metric", "acc", "--margin", "0.5")
    assert facts["answer"]["established"] == alone["answer"]["established"]
    assert [note for note in facts["answer"]["notes"] if "f1" in note] == ["secondary: f1, loss"]
    before, _, section = text.partition("<b>Secondary metrics</b>")
    assert "secondary: f1, loss" in before
    assert before.split("## Effects at a glance")[0].count("f1") == 1
    assert "| variant, mean ± SD | acc (%) | f1 (%) | loss |" in before
    assert "### `f1`, secondary" in section
    assert "| variant (secondary: loss) |" in section
    assert "loss, lower is better (by its name), in its own unit" in section


def test_runs_without_a_secondary_metric_are_counted_there() -> None:
    runs = table()
    runs.loc[[0, 6], "f1"] = np.nan
    runs.to_csv("runs.csv", index=False)
    facts, _ = call("--metric", "acc,f1")
    assert facts["accounting"]["sentence"] == ""
    (other,) = facts["secondary"]
    assert (other["accounting"]["read"], other["accounting"]["used"]) == (15, 11)
    assert other["accounting"]["left_out"] == {"without f1": 2, "with a seed that another compared variant lacks": 2}
    assert any(text.startswith("Secondary metric f1: No f1 in line 2 (baseline, seed 0)") for text in facts["cautions"])
    assert other["accounting"]["sentence"] in Path("reports/runs/report.md").read_text()


def test_goals_and_units_are_those_of_each_metric() -> None:
    runs = table().rename(columns={"f1": "gain", "loss": "regret"})
    runs.to_csv("runs.csv", index=False)
    given = ("--metric", "acc,gain,regret", "--metric-goal", "gain=max,regret=min", "--unit", "gain=fraction,regret=ms")
    facts, _ = call(*given, "--margin", "0.5,gain=0.4,regret=0.02")
    gain, regret = facts["secondary"]
    assert (gain["goal"], regret["goal"]) == ("max", "min")
    assert {row["variant"]: row["verdict"] for row in regret["effects"]}["mlp"] == "clear and important loss"
    assert regret["effects"][0]["baseline_mean"] == pytest.approx(runs["regret"][:5].mean())
    assert gain["effects"][0]["baseline_mean"] == pytest.approx(100 * runs["gain"][:5].mean())
    _, message = call("--metric", "acc,gain", code=2)
    assert "Unknown goal of 'gain'" in message
    assert "Options of the metric gain have the form gain=VALUE" in message


def test_a_name_with_a_comma_is_quoted() -> None:
    table().rename(columns={"acc": "acc, top 1"}).to_csv("runs.csv", index=False)
    facts, _ = call("--metric", '"acc, top 1",f1', "--metric-goal", "max", "--unit", "percent")
    assert facts["metric"] == "acc, top 1"
    assert [row["metric"] for row in facts["secondary"]] == ["f1"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--metric", "acc,acc"], "every metric can be named once"),
        (["--metric", "acc,,f1"], "separated by commas"),
        (
            ["--metric", "acc,f2"],
            "Unknown metric column 'f2'. Known: variant, seed, acc, f1, loss. Choose it with",
        ),
        (["--metric", "acc,loss"], "Options of the metric loss have the form loss=VALUE"),
        (
            ["--metric", "acc,f1", "--metric-goal", "f2=max"],
            "f2=max: Unknown metric 'f2'. Known: acc, f1",
        ),
        (["--metric", "acc,f1", "--metric-goal", "f1=up"], "--metric-goal must be max or min, not 'up'"),
        (["--metric", "acc,f1", "--margin", "0.5,0.4"], "has two values for acc. Write NAME=VALUE"),
        (["--metric", "acc,f1", "--margin", "f1=0"], "--margin must be above 0, not 0"),
        (["--metric", "acc", "--margin", "much"], "--margin must be a number, not 'much'"),
        (["--metric", "acc", "--margin", "nan"], "--margin must be a number, not 'nan'"),
        (["--metric", "acc", "--floor", "low"], "--floor must be a number, not 'low'"),
    ],
)
def test_options_that_fit_no_metric(options: list[str], message: str) -> None:
    _, found = call(*options, code=2)
    assert message in found
    assert len(found.splitlines()) == 1


def test_several_values_of_a_secondary_metric_need_a_step() -> None:
    Path("logs").mkdir()
    for seed, variant in ((0, "baseline"), (1, "baseline"), (0, "v"), (1, "v")):
        folder = Path("logs") / f"{variant}-{seed}"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"variant": variant, "seed": seed}))
        lines = [{"step": step, "val_f1": 0.5 + 0.1 * step} | ({"acc": 0.9} if step == 2 else {}) for step in range(3)]
        (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    arguments = ["report", "--folder", "logs", "--metric", "acc,val_f1", "--json"]
    refused = CliRunner().invoke(app, arguments)
    assert refused.exit_code == 2
    assert "val_f1 has up to 3 values per run" in refused.stderr
    found = CliRunner().invoke(app, [*arguments, "--step", "last"])
    assert json.loads(found.stdout)["secondary"][0]["effects"][0]["baseline_mean"] == pytest.approx(70)

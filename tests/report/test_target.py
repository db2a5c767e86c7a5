"""Reports with a target."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from scipy import stats
from typer.testing import CliRunner

from ablate.cli.app import app
from ablate.stats.effects.multiple_comparisons import holm
from tests.stats.test_target import ARMS

pytestmark = pytest.mark.usefixtures("in_tmp")


@pytest.fixture
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def call(*options: str, code: int = 0, scale: float = 1.0, name: str = "acc") -> tuple[dict, str]:
    rows = [
        {"variant": arm, "seed": seed, name: round(score * scale, 6)}
        for arm, scores in ARMS.items()
        for seed, score in enumerate(scores)
    ]
    pd.DataFrame(rows).to_csv("runs.csv", index=False)
    arguments = ["report", "--runs", "runs.csv", "--metric", name, "--baseline", "b", "--json", *options]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, result.output
    return json.loads(result.stdout) if result.stdout else {}, result.stderr


@pytest.mark.parametrize(("scale", "target"), [(1.0, "93"), (0.01, "0.93")])
def test_each_variant_is_compared_with_the_target(scale: float, target: str) -> None:
    facts, _ = call("--target", target, scale=scale)
    found = {row["variant"]: row for row in facts["target"]}
    tests = {name: stats.ttest_1samp(scores, 93, alternative="greater").pvalue for name, scores in ARMS.items()}
    adjusted = dict(zip(tests, holm(list(tests.values())).tolist(), strict=True))
    for name, row in found.items():
        assert (row["target"], row["n"]) == (pytest.approx(93), 5)
        assert (row["p"], row["p_holm"]) == (pytest.approx(tests[name]), pytest.approx(adjusted[name]))
    assert {name: row["verdict"] for name, row in found.items()} == {"a": "reached", "b": "not shown", "c": "not shown"}
    first, *others = facts["answer"]["target"]
    assert first.startswith("Variant a reaches it: mean 93.50, lower 95 % bound 93.35 (5 runs, one-sided p_Holm = .00")
    assert "more runs would show it with probability .8" in others[0]
    assert others[1].endswith("Its mean is not better than the target.")
    text = Path("reports/runs/report.md").read_text()
    assert "**Target of 93 %**" in text
    assert "| `a` | 5 | 93.50 ± 0.16 | 93.35 |" in text
    assert pd.read_csv("reports/runs/target.csv")["verdict"].tolist() == [row["verdict"] for row in facts["target"]]
    assert f"--target {float(target):g}" in text.replace("93.0", "93")


def test_where_lower_is_better() -> None:
    facts, _ = call("--target", "92.5", "--margin", "0.1", name="loss")
    assert [row["verdict"] for row in facts["target"]] == ["not shown", "not shown", "reached"]
    assert "reaches it: mean 92.20, upper 95 % bound" in facts["answer"]["target"][0]
    assert "**Target of 92.5**" in Path("reports/runs/report.md").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--target", "0.93"], "acc is in percent, and --target 0.93 may be a fraction"),
        (["--target", "930"], "--target 930 is not a percent, but acc is"),
        (["--target", "nan"], "--target must be a number, not nan"),
        (["--target", "93", "--folds", "1/4"], "--target and --folds exclude each other"),
        (["--target", "93", "--dataset-param", "seed"], "--target and --dataset-param exclude each other"),
    ],
)
def test_targets_that_are_refused(options: list[str], message: str) -> None:
    _, found = call(*options, code=2)
    assert message in found
    assert len(found.splitlines()) == 1

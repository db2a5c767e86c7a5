"""`ablate report` on runs without named variants: the table before the result, `--where`, `--dry-run`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import Result

from tests.cli.test_report import call
from tests.report.sources.test_name_variants import GRID

ASKED = ["--runs", "runs.csv", "--metric", "acc"]


@pytest.fixture(autouse=True)
def _runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [",".join(GRID[0]), *(",".join(row.values()) for row in GRID), "1,adam,3,0.9"]
    Path("runs.csv").write_text("\n".join(rows) + "\n")


def preview(*options: str, code: int = 0) -> Result:
    result = call(*ASKED, "--dry-run", *options, code=code)
    assert not Path("reports").exists()
    return result


def test_a_dry_run_prints_the_variants_and_writes_nothing() -> None:
    text = preview().stdout
    assert "lr=0.1, opt=sgd  lr=0.1, opt=sgd" in text
    assert "Explicitly: --variant-param lr,opt --baseline 'lr=1, opt=adam'" in text
    assert "12 of 13 runs are used" in text
    facts = json.loads(preview("--json").stdout)
    assert facts["found"]["configurations"][0]["variant"] == "baseline"
    assert facts["accounting"]["read"] == 13


def test_a_dry_run_counts_the_runs_with_a_result_alone() -> None:
    rows = [
        "variant,seed,status,acc",
        *(f"{name},{seed},ok,0.8{seed}" for name in ("baseline", "b") for seed in range(3)),
    ]
    Path("runs.csv").write_text("\n".join([*rows, "b,3,ok,", "b,4,failed,", "c,0,failed,", ""]))
    assert [line.split() for line in preview().stdout.splitlines()[1:4]] == [
        ["baseline", "3", "0", "to", "2"], ["b", "3", "0", "to", "2"], ["c", "0"]
    ]  # fmt: skip
    facts = json.loads(preview("--json").stdout)
    assert facts["variants"][1:] == [
        {"variant": "b", "runs": 3, "seeds": "0 to 2"},
        {"variant": "c", "runs": 0, "seeds": ""},
    ]
    assert facts["accounting"]["read"] == 9


def test_the_explicit_options_give_the_same_effects() -> None:
    found = json.loads(call(*ASKED, "--json").stdout)
    explicit = json.loads(call(*ASKED, "--variant-param", "lr,opt", "--baseline", "lr=1, opt=adam", "--json").stdout)
    assert explicit["effects"] == found["effects"]
    assert found["effects"]


def test_an_unclear_baseline_prints_what_was_found() -> None:
    text = preview("--where", "seed!=3", code=2).stderr
    assert "lr=0.1, opt=sgd" in text.splitlines()[0]
    assert "error: Choose the baseline with --baseline" in text


def test_where_is_in_the_command_of_the_report() -> None:
    call(*ASKED, "--where", "opt=adam")
    report = Path("reports/runs/report.md").read_text()
    assert "--where opt=adam" in report
    assert "6 excluded by --where opt=adam" in report

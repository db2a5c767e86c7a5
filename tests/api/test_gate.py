"""The gate: no worse, clearly worse, or undecided, by the interval of the comparison, from every source of runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

import ablate
from ablate.cli.app import app
from ablate.errors import UsageError, UserError
from tests.samples.report import small_study, write_runs

BASE = [90.0, 90.4, 89.7, 90.2, 90.9, 89.9]
SMALL = (0.02, -0.03, 0.01, 0.03, -0.01, -0.02)
LARGE = (1.4, -0.9, 0.6, -1.2, 1.1, -0.8)


def runs(change: float = 0.0, noise: tuple[float, ...] = SMALL, seeds: int = 6) -> pd.DataFrame:
    values = [score + change + by for score, by in zip(BASE, noise, strict=True)][:seeds]
    return pd.DataFrame({"seed": range(seeds), "accuracy": values})


OLD = pd.DataFrame({"seed": range(6), "accuracy": BASE})
CHOICE: dict[str, Any] = {"metric": "accuracy", "margin": 0.5}


@pytest.mark.parametrize(
    ("new", "decision", "verdict"),
    [
        (runs(), "pass", "no practically meaningful effect"),
        (runs(0.2), "pass", "real but negligible"),
        (runs(1.0), "pass", "clear and important gain"),
        (runs(0.5), "pass", "real, importance unresolved"),
        (OLD, "pass", "identical differences"),
        (runs(-1.0), "fail", "clear and important loss"),
        (runs(-0.5), "undecided", "real, importance unresolved"),
        (runs(0.0, LARGE), "undecided", "inconclusive"),
        (runs(1.0, LARGE), "pass", "inconclusive"),
        (runs(0.0, SMALL, 2), "undecided", "too few seeds"),
    ],
)
def test_the_decision_follows_from_the_interval(new: pd.DataFrame, decision: str, verdict: str) -> None:
    found = ablate.gate(new, against=OLD, **CHOICE)
    assert (found.decision, found.effect.verdict.rpartition(": ")[2]) == (decision, verdict)
    assert decision == "undecided" or found.more_seeds is None


def test_losses_of_metrics_to_minimise_are_higher_values() -> None:
    lower = {**CHOICE, "metric_goal": "min", "unit": "percent"}
    assert ablate.gate(runs(-1.0), against=OLD, **lower).decision == "pass"
    assert ablate.gate(runs(1.0), against=OLD, **lower).decision == "fail"


def test_an_undecided_gate_states_how_many_more_seeds() -> None:
    found = ablate.gate(runs(0.0, LARGE), against=OLD, **CHOICE)
    assert found.more_seeds is not None
    assert found.more_seeds.low is not None
    assert found.more_seeds.low > 5
    assert f"To decide, run {found.more_seeds.words_for('more seeds')} of both variants" in found.summary
    few = ablate.gate(runs(0.0, SMALL, 2), against=OLD, **CHOICE)
    assert few.more_seeds == (1, None)


@pytest.mark.parametrize(
    ("new", "old", "decision", "failed"),
    [
        ({"status": ["finished"] * 5 + ["failed"], "accuracy": [*BASE[:5], None]}, {}, "undecided", [5]),
        ({"accuracy": [*BASE[:4], None, None]}, {}, "undecided", [4, 5]),
        ({"accuracy": [*runs(-3)["accuracy"][:5], None]}, {}, "fail", [5]),
        ({"accuracy": [*BASE[:5], None]}, {"accuracy": [*BASE[:5], None]}, "pass", []),
        ({}, {"status": ["finished"] * 5 + ["failed"], "accuracy": [*BASE[:5], None]}, "pass", []),
    ],
)
def test_new_runs_that_failed_do_not_pass(
    new: dict[str, Any], old: dict[str, Any], decision: str, failed: list[int]
) -> None:
    sides = [side.assign(**{"status": "finished", **changes}) for side, changes in ((runs(), new), (OLD, old))]
    found = ablate.gate(sides[0], against=sides[1], **CHOICE)
    assert (found.decision, found.facts["failed"], found.more_seeds) == (decision, failed, None)
    words = f"New runs have no score at seed{'s' * (len(failed) > 1)} {' to '.join(map(str, failed))}, where old ones"
    assert (words in repr(found)) == (decision == "undecided")


def test_a_failed_run_that_was_repeated_counts_once() -> None:
    new = pd.concat([runs(), pd.DataFrame({"seed": [5], "accuracy": [None]})]).assign(
        status=["finished"] * 6 + ["failed"]
    )
    found = ablate.gate(new, against=OLD.assign(status="finished"), **CHOICE)
    assert (found.decision, found.failed, found.effect.n) == ("pass", [], 6)


@pytest.mark.parametrize(
    ("scores", "advice"),
    [
        ([score - 1 for score in BASE], "the difference is the same at every seed"),
        ([89.0] * 6, "a variant repeats its score"),
        (["nan", *runs(-1.0)["accuracy"][1:]], "--floor"),
    ],
)
def test_an_undecided_gate_asks_for_no_seeds_that_cannot_decide(scores: list[Any], advice: str) -> None:
    found = ablate.gate(
        [{"seed": seed, "accuracy": score} for seed, score in enumerate(scores)], OLD.to_dict("records"), **CHOICE
    )
    assert (found.decision, found.more_seeds) == ("undecided", None)
    assert advice in next(line for line in found.summary if line.startswith("More seeds"))
    assert not any("To decide" in line for line in found.summary)


@pytest.mark.parametrize(
    ("new", "options", "note"),
    [
        (runs(-1.0), {"margin": 20}, "not smaller than the whole range of the scores"),
        (
            OLD.assign(seed=[5, 0, 1, 2, 3, 4], accuracy=[score + 1e-7 for score in BASE]),
            {"margin": 1e-9},
            "far below the smallest step",
        ),
    ],
)
def test_the_notes_of_a_report_are_in_the_summary(new: pd.DataFrame, options: dict[str, Any], note: str) -> None:
    summary = ablate.gate(new, against=OLD, **{**CHOICE, **options}).facts["summary"]
    assert any(note in line for line in summary)


def test_copied_runs_are_named() -> None:
    fine = [90 + 0.123456789 * seed**1.5 for seed in range(8)]
    old = pd.DataFrame({"seed": range(8), "accuracy": fine})
    new = old.assign(accuracy=[*fine[1:], fine[0]])
    assert any("equal to the last digit" in line for line in ablate.gate(new, against=old, **CHOICE).summary)


def test_other_variants_do_not_change_the_interval() -> None:
    both = [OLD.assign(method="old"), runs(-0.2, LARGE).assign(method="new")]
    alone = ablate.gate("new", "old", runs=pd.concat(both), variant="method", **CHOICE)
    others = [runs(-9).assign(method="third"), runs(-8).assign(method="fourth")]
    found = ablate.gate("new", "old", runs=pd.concat([*both, *others]), variant="method", **CHOICE)
    assert found.effect.verdict_interval == alone.effect.verdict_interval
    assert "12 of variants in no comparison" in repr(found)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    OLD.to_csv("old.csv", index=False)
    for name, change in {"same": 0.0, "worse": -1.0}.items():
        runs(change).to_csv(f"{name}.csv", index=False)
    runs(0.0, LARGE).to_csv("noisy.csv", index=False)


def call(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["gate", *words])
    return result.exit_code, result.stdout


@pytest.mark.usefixtures("files")
def test_the_exit_code_states_the_decision() -> None:
    options = ["--against", "old.csv", "--metric", "accuracy", "--margin", "0.5"]
    codes = {name: call(f"{name}.csv", *options)[0] for name in ("same", "worse", "noisy")}
    assert codes == {"same": 0, "worse": 3, "noisy": 4}
    code, output = call("noisy.csv", *options, "--json")
    facts = json.loads(output)
    expected = ablate.gate("noisy.csv", against="old.csv", **CHOICE)
    assert (code, facts["decision"], facts["more_seeds"]) == (4, "undecided", list(expected.more_seeds or ()))
    assert facts == json.loads(json.dumps(expected.facts))


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["same.csv"], 2, "Missing option '--against'"),
        (["old.csv", "--against", "old.csv"], 2, "old.csv is given twice"),
        (["nothing.csv", "--against", "old.csv"], 1, "File not found: nothing.csv"),
        (["empty.csv", "--against", "old.csv"], 1, "No runs in empty.csv"),
        (["same.csv", "--against", "empty.csv"], 1, "No runs in empty.csv"),
        (["same.csv", "--against", "old.csv", "--baseline", "x"], 2, "Name the old variant with --against"),
        (["a", "--against", "a", "--runs", "both.csv"], 2, "cannot be compared with itself"),
        (["c", "--against", "a", "--runs", "both.csv"], 1, "Unknown variant 'c'"),
        (["both.csv", "--against", "old.csv"], 2, "both.csv has 2 variants (a, b)"),
        (["other.csv", "--against", "old.csv", "--metric", "accuracy"], 1, "no seed has a result in both arms"),
        (["failed.csv", "--against", "old.csv", "--metric", "accuracy"], 1, "no run of failed.csv has accuracy"),
        (["f1.csv", "--against", "old.csv", "--metric", "accuracy"], 1, "no run of f1.csv has accuracy"),
        (["same.csv", "--against", "old.csv", "--margin", "0"], 2, "--margin must be above 0, not 0"),
    ],
)
def test_mistakes_are_one_line(words: list[str], code: int, message: str) -> None:
    pd.concat([OLD.assign(variant="a"), runs().assign(variant="b")]).to_csv("both.csv", index=False)
    OLD[:0].to_csv("empty.csv", index=False)
    OLD.assign(seed=OLD.seed + 6).to_csv("other.csv", index=False)
    OLD.assign(accuracy=None).to_csv("failed.csv", index=False)
    OLD.rename(columns={"accuracy": "f1"}).to_csv("f1.csv", index=False)
    result = CliRunner().invoke(app, ["gate", *words])
    assert result.exit_code == code
    error = [line for line in result.stderr.splitlines() if not line.startswith("warning: ")]
    assert message in error[0]
    assert len(error) == 1


def test_variants_of_the_project_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    study = small_study(seeds=5)
    write_runs(study, tmp_path / "mlruns" / "journal")
    variant = next(recipe.label for recipe in study.recipes() if recipe.label != "baseline")
    found = ablate.gate(variant, against="baseline", offline=True)
    assert found.effect.n == 5
    assert (found.new, found.against) == (variant, "baseline")
    with pytest.raises(UserError, match="Unknown run 'nothing'"):
        ablate.gate("nothing", against="baseline", offline=True)


def test_sides_are_given_in_one_way() -> None:
    with pytest.raises(UsageError, match="of one kind: data frames, files or names of variants"):
        ablate.gate(OLD, against="old")
    with pytest.raises(UsageError, match="--variant-param applies to variants in one source"):
        ablate.gate(OLD, against=runs(), variant="method", **CHOICE)

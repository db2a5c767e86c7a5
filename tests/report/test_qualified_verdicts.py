"""Verdicts that something qualifies, in every form of a report: terminal, JSON, Markdown, HTML, LaTeX, CSV, figures."""

from __future__ import annotations

import csv
import itertools
import math
import operator
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ablate.report.plots.study_plots import study_plots
from ablate.report.sources.existing_runs import TableOptions, from_table
from ablate.report.sources.readers.csv_runs import read_csv
from ablate.report.write import Report, write_report
from ablate.stats.effects import Protocol

FILES = ("report.md", "report.html", "effects.csv", "table.tex")

Truth = Callable[[Mapping[str, bool]], float]


def write(table: pd.DataFrame, folder: Path, **options: object) -> Report:
    """Write the report of a table of runs."""
    table.to_csv(folder / "runs.csv", index=False)
    asked = TableOptions(**{"margin": 0.5, **options})  # type: ignore[arg-type]
    study = from_table("mine", "runs.csv", read_csv(folder / "runs.csv"), asked)
    return write_report(study, folder / "report", as_html=True)


def design_table(rows: list[tuple[bool, ...]], truth: Truth, seeds: int = 5, noise: float = 0.1) -> pd.DataFrame:
    """Return runs of a design in points, with the factors a, b, ... as columns."""
    generator = np.random.default_rng(0)
    names = "abcdefg"[: len(rows[0])]
    found = []
    for row in rows:
        on = dict(zip(names, row, strict=True))
        variant = "baseline" if all(row) else "arm-" + "".join(str(int(level)) for level in row)
        for seed in range(seeds):
            value = (truth(on) + generator.normal(0, noise)) / 100
            found.append({"variant": variant, "seed": seed, "status": "finished", "test_accuracy": value, **on})
    return pd.DataFrame(found)


FULL = list(itertools.product((False, True), repeat=3))
HALF = [(a, b, a == b) for a, b in itertools.product((False, True), repeat=2)]


def full_factorial(truth: Truth, seeds: int = 5) -> pd.DataFrame:
    return design_table(list(itertools.product((False, True), repeat=4)), truth, seeds)


def texts(report: Report) -> dict[str, str]:
    """Return what each form of a report says."""
    return {
        "terminal": "\n".join([*report.answer, *(" ".join(row) for row in report.table[1])]),
        "json": str(report.facts),
        "note": report.note,
        **{
            name: (report.folder / name).read_text()
            for name in ("report.md", "report.html", "effects.csv", "table.tex")
        },
    }


def verdicts(report: Report) -> dict[str, str]:
    return {effect.factor: effect.verdict for effect in report.analysis.headline}


def additive(on: Mapping[str, bool]) -> float:
    return 70 + 3.0 * on["a"] + 2.0 * on["b"]


def test_main_effects_do_not_hide_divergence(tmp_path: Path) -> None:
    table = full_factorial(additive)
    lost = (table["variant"] == "arm-0000") & table["seed"].isin([3, 4])
    table.loc[lost, ["status", "test_accuracy"]] = ["unstable", 0.1]
    report = write(table, tmp_path, factors=tuple("abcd"))
    effects = {effect.factor: effect for effect in report.analysis.main_effects}
    assert {effect.n_unstable for effect in effects.values()} == {2}
    assert all(effect.verdict.startswith("unstable in 2 of 80 runs: ") for effect in effects.values())
    assert effects["a"].delta < -5
    assert effects["a"].delta_survivors == pytest.approx(-3, abs=0.2)
    assert effects["c"].delta_survivors == pytest.approx(0, abs=0.2)
    for form, text in texts(report).items():
        assert "unstable in 2 of 80 runs" in text.lower(), form
        if form not in ("effects.csv", "table.tex"):
            assert "arm-0000 (seeds 3, 4)" in text.replace("\\", ""), form
            assert "averaged over the other components" in text, form
    with (report.folder / "interactions.csv").open() as file:
        pairs = list(csv.DictReader(file))
    assert {row["n_unstable"] for row in pairs} == {"2"}
    assert all(abs(float(row["delta_survivors"])) < 0.5 for row in pairs)
    assert "2 of 80 runs unstable, included at the recorded value" in texts(report)["report.md"]


def test_a_diverged_combination_without_a_floor_leaves_the_rest_of_the_report(tmp_path: Path) -> None:
    table = full_factorial(additive)
    table.loc[(table["variant"] == "arm-0000") & (table["seed"] == 2), "test_accuracy"] = math.inf
    report = write(table, tmp_path, factors=tuple("abcd"))
    for effect in report.analysis.main_effects:
        assert effect.verdict == "unstable in 1 of 80 runs"
        assert math.isnan(effect.delta)
    survivors = {effect.factor: effect.delta_survivors for effect in report.analysis.main_effects}
    assert survivors["a"] == pytest.approx(-3, abs=0.2)
    assert "no finite test accuracy and there is no floor" in texts(report)["terminal"]
    floored = write(table, tmp_path, factors=tuple("abcd"), floor=0.1)
    assert floored.analysis.main_effects[0].delta < -4
    assert verdicts(floored)["a"].startswith("unstable in 1 of 80 runs: ")


def test_a_candidate_of_a_factorial_design_is_added(tmp_path: Path) -> None:
    """A factor that is off in the baseline was reported as removed from it."""
    table = full_factorial(additive)
    added = [name for name in table["variant"].unique() if name != "arm-0111"]
    report = write(table, tmp_path, factors=tuple("abcd"), baseline="arm-0111")
    effects = {effect.factor: effect for effect in report.analysis.main_effects}
    assert len(added) == 15
    assert [(effects[name].change, effects[name].variant) for name in "ab"] == [
        ("added", "with a (averaged)"),
        ("removed", "no-b (averaged)"),
    ]
    assert effects["a"].delta == pytest.approx(3, abs=0.2)
    assert effects["a"].ci_low < effects["a"].delta < effects["a"].ci_high
    assert effects["b"].delta == pytest.approx(-2, abs=0.2)
    assert "Adding a, averaged over the other components, changed test accuracy by +3." in texts(report)["terminal"]


def test_many_unstable_combinations_are_named_once(tmp_path: Path) -> None:
    table = full_factorial(additive)
    table.loc[(table["variant"] < "arm-0100") & (table["seed"] == 1), "status"] = "unstable"
    report = write(table, tmp_path, factors=tuple("abcd"))
    (note,) = [text for text in report.facts["answer"]["notes"] if "arm-0000" in text]
    assert note.startswith("Unstable runs, at their recorded value in every average: arm-0000 (seed 1), arm-0001")
    for text in report.facts["answer"]["established"] + report.facts["answer"]["open"]:
        assert "arm-" not in text
        assert "Unstable: runs of 4 variants. Estimated from the other variants alone, the effect is" in text


def test_resolution_iii_establishes_nothing(tmp_path: Path) -> None:
    table = design_table(HALF, lambda on: 70 + 5.0 * (on["b"] and on["c"]))
    report = write(table, tmp_path, factors=tuple("abc"))
    assert report.facts["answer"]["established"] == report.facts["answer"]["unresolved"] == []
    sentences = report.facts["answer"]["open"]
    assert len(sentences) == 3
    for text in sentences:
        assert text.startswith("Screening: Removing ")
        assert "Its likeliest alias is " in text
        assert "clear and important" not in text
    assert "likeliest alias is b x c" in next(text for text in sentences if "Removing a," in text)
    for form, text in texts(report).items():
        assert "screening" in text.lower(), form
        assert "Established" not in text.replace("Not established", ""), form
    assert not any("clear" in verdict for verdict in verdicts(report).values())
    assert "| likeliest alias |" in texts(report)["report.md"]


def test_one_planted_synergy_gets_one_verdict_in_every_design(tmp_path: Path) -> None:
    def truth(on: Mapping[str, bool]) -> float:
        return 70 + 0.8 * (on["a"] and on["b"])

    pairs = [row for row in itertools.product((False, True), repeat=4) if sum(row) >= 2]
    found = {}
    for name, table in (("full", full_factorial(truth)), ("pairs", design_table(pairs, truth, noise=0.03))):
        (tmp_path / name).mkdir()
        report = write(table, tmp_path / name, factors=tuple("abcd"))
        row = next(row for row in report.facts["interactions"] if row["pair"] == "a x b")
        assert row["estimate"] == row["synergy"] == pytest.approx(0.8, abs=0.15)
        assert row["ci_low"] < row["synergy"] < row["ci_high"]
        found[name] = row["verdict"]
    assert found == {"full": "clear and important gain", "pairs": "clear and important gain"}


def test_synergies_with_a_candidate_are_those_at_the_baseline(tmp_path: Path) -> None:
    """The baseline has a, b and c, but not the candidate d."""

    def truth(on: Mapping[str, bool]) -> float:
        return 70 + 0.8 * (on["a"] and on["b"]) + 3 * (on["a"] and on["b"] and on["c"]) - 2 * (on["c"] and on["d"])

    start = (True, True, True, False)
    rows = [row for row in itertools.product((False, True), repeat=4) if sum(map(operator.ne, row, start)) <= 2]
    table = design_table(rows, truth, noise=0.03).replace({"variant": {"arm-1110": "baseline", "baseline": "with-d"}})
    report = write(table, tmp_path, factors=tuple("abcd"))
    found = {row["pair"]: row for row in report.facts["interactions"]}
    assert {row["n"] for row in found.values()} == {5}
    wanted = {"a x b": 3.8, "a x c": 3.0, "a x d": 0.0, "b x c": 3.0, "b x d": 0.0, "c x d": -2.0}
    assert {pair: row["synergy"] for pair, row in found.items()} == pytest.approx(wanted, abs=0.15)
    assert "Synergy at the baseline" in texts(report)["report.md"]
    assert all("in no comparison" not in text for text in texts(report).values())


def simple(arms: Mapping[str, list[float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"variant": name, "seed": seed, "status": "finished", "test_accuracy": value / 100}
            for name, values in arms.items()
            for seed, value in enumerate(values)
        ]
    )


STEADY = [93.10, 93.32, 92.95, 93.21, 93.08]


@pytest.mark.parametrize(
    ("arms", "words", "verdict"),
    [
        (
            {"baseline": [93.0] * 5, "no-a": [93.76] * 5},
            "the seed does not reach the training",
            "single-run observation",
        ),
        ({"baseline": STEADY, "no-a": STEADY}, "this switch does nothing here, or is broken", "identical differences"),
        ({"baseline": STEADY, "no-a": [value + 2 for value in STEADY]}, "no verdict without", "identical differences"),
    ],
)
def test_repetition_and_switches_without_effect_are_in_the_answer(
    tmp_path: Path, arms: Mapping[str, list[float]], words: str, verdict: str
) -> None:
    report = write(simple(arms), tmp_path)
    for form in ("terminal", "json", "note", "report.md", "report.html"):
        assert words in texts(report)[form], form
    assert verdicts(report) == {"a": verdict}
    assert report.facts["answer"]["established"] == []
    assert report.analysis.effects[0].p_holm == 1.0


@pytest.mark.parametrize("seeds", [3, 4, 5])
def test_with_added_seeds_every_form_states_one_interval(tmp_path: Path, seeds: int) -> None:
    table = simple(
        {"baseline": STEADY[:seeds], "no-a": [value - 3 + 0.1 * (i % 2) for i, value in enumerate(STEADY[:seeds])]}
    )
    table.to_csv(tmp_path / "runs.csv", index=False)
    study = from_table("mine", "runs.csv", read_csv(tmp_path / "runs.csv"), TableOptions(margin=0.5))
    study = type(study)(**{**vars(study), "protocol": Protocol(extended=True)})
    report = write_report(study, tmp_path / "report", as_html=True)
    (effect,) = report.analysis.effects
    low, high = effect.verdict_interval
    columns = pd.read_csv(report.folder / "effects.csv").iloc[0]
    assert [columns["added_seeds_fw_low"], columns["added_seeds_fw_high"]] == pytest.approx([low, high])
    if math.isinf(low):
        assert effect.verdict.endswith("exploratory: inconclusive")
        assert report.facts["answer"]["exploratory"] == []
        assert report.table[1][0][3] == "infinite"
    else:
        bounds = f"[{low:.2f}, {high:.2f}]"
        assert (effect.verdict.endswith("loss")) == (high < -0.5)
        assert report.table[1][0][3] == bounds
        assert bounds in texts(report)["report.md"]
        assert len(report.facts["answer"]["exploratory"]) == effect.is_settled
    for form, text in texts(report).items():
        assert "Established" not in text, form
        if form != "effects.csv":
            assert "[-inf" not in text, form
            assert f"[{effect.ci_low:.2f}, {effect.ci_high:.2f}]" not in text or form in ("report.md", "report.html"), (
                form
            )
    assert "interval for added seeds" in texts(report)["report.md"]
    forest = next(plot for plot in study_plots(report.analysis) if plot.section == "forest")
    assert "interval for added seeds" in forest.caption


def test_ranges_replace_single_numbers_of_seeds(tmp_path: Path) -> None:
    noisy = [93.0, 92.1, 93.9, 92.6, 93.3]
    report = write(simple({"baseline": STEADY, "no-a": noisy}), tmp_path)
    text = texts(report)["report.md"]
    low, high = report.analysis.effects[0].evidence.seeds_needed  # type: ignore[misc]
    assert f"{low} to {high} seeds are needed for the margin of 0.5" in text
    assert "needed: about" not in text
    few = texts(write(simple({"baseline": STEADY[:4], "no-a": noisy[:4]}), tmp_path))["report.md"]
    assert "the number of seeds for the margin of 0.5 cannot be estimated from fewer than 5" in few
    assert "The number of seeds for smaller differences cannot be estimated from fewer than 5 seeds" in few


def test_shapley_values_do_not_hide_divergence(tmp_path: Path) -> None:
    table = design_table(FULL, additive)
    lost = (table["variant"] == "arm-000") & table["seed"].isin([3, 4])
    table.loc[lost, ["status", "test_accuracy"]] = ["unstable", 0.1]
    text = texts(write(table, tmp_path, factors=tuple("abc")))["report.md"]
    assert "2 of 40 runs unstable, included at the recorded value: arm-000 (seeds 3, 4)" in text
    table.loc[lost, "test_accuracy"] = math.inf
    text = texts(write(table, tmp_path, factors=tuple("abc")))["report.md"]
    assert "Left out because a run has no score: seeds 3, 4." in text

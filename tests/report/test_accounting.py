"""Every run is accounted for: read = used + left out by reason, in the same words everywhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.report.accounting import account_for, answer_notes
from ablate.report.analysis import analyse
from ablate.report.formats.latex import latex_table
from ablate.report.sections.answer import answer, answer_facts, plain_answer
from ablate.report.sources.existing_runs import TableOptions, from_table
from ablate.report.sources.study import from_study
from ablate.report.study_data import StudyData
from ablate.report.write import write_report
from ablate.stats.effects import Looks
from ablate.stats.metric import Goal, Metric
from ablate.studies.arms import Arm, factors_in_question
from ablate.studies.designs import plackett_burman
from tests.samples.report import report_text, small_study, tracked


def study_of(rows: list[tuple[str, int, str, str]], **options: object) -> StudyData:
    table = pd.DataFrame(rows, columns=["variant", "seed", "status", "acc"]).astype(str)
    return from_table("theirs", "runs.csv", table, TableOptions(metric="acc", **options))  # type: ignore[arg-type]


def scores(variant: str, seeds: range, base: float = 0.9) -> list[tuple[str, int, str, str]]:
    return [(variant, seed, "finished", str(base + 0.001 * (seed * 7 % 5))) for seed in seeds]


def test_seeds_of_one_arm_are_left_out_by_name() -> None:
    found = analyse(study_of([*scores("baseline", range(6)), *scores("no-x", range(3, 11), 0.8)]))
    account = account_for(found)
    assert (account.read, account.used) == (14, 6)
    assert account.left_out == {"with a seed that another compared variant lacks": 8}
    assert account.sentence == (
        "6 of 14 runs are used. Left out: 8 with a seed that another compared variant lacks (baseline: seeds 0 to 2; "
        "no-x: seeds 6 to 10)."
    )
    assert account.sentence in answer(found)
    assert account.sentence in plain_answer(found)
    assert account.sentence in answer_facts(found)["notes"]
    assert account.sentence in latex_table(found)


def test_nothing_is_said_where_every_run_is_used() -> None:
    account = account_for(analyse(study_of([*scores("baseline", range(5)), *scores("no-x", range(5), 0.8)])))
    assert (account.read, account.used, account.left_out, account.sentence) == (10, 10, {}, "")


def test_variants_of_synergies_are_used_at_the_seeds_that_all_four_share() -> None:
    names = ["baseline", *(f"no-{name}" for name in "abc"), "no-a+no-b", "no-a+no-c", "no-b+no-c"]
    rows = [row for place, name in enumerate(names) for row in scores(name, range(5), 0.9 - 0.01 * place)]
    found = analyse(study_of(rows))
    assert len(found.synergies) == 3
    assert account_for(found).sentence == ""
    rows += scores("no-a+no-b", range(5, 7))
    left_out = "2 with a seed that another compared variant lacks (no-a+no-b: seeds 5 to 6)"
    assert account_for(analyse(study_of(rows))).sentence == f"35 of 37 runs are used. Left out: {left_out}."


def test_a_baseline_that_nothing_is_compared_with_is_named() -> None:
    names = ["baseline", "none", *(f"only-{name}" for name in "abc")]
    rows = [row for place, name in enumerate(names) for row in scores(name, range(5), 0.5 + 0.01 * place)]
    found = analyse(study_of(rows))
    assert {row.reference for row in found.effects} == {"none"}
    assert account_for(found).left_out == {"of variants in no comparison": 5}


def test_every_reason_has_its_number() -> None:
    rows = [*scores("baseline", range(8)), *scores("no-x", range(3), 0.8)]
    rows += [("no-x", 3, "crashed", ""), ("no-x", 4, "pruned", "0.5"), ("no-x", 5, "RUNNING", "0.5"),
             ("no-x", 6, "finished", ""), ("no-x", 7, "oom", "")]  # fmt: skip
    account = account_for(analyse(study_of(rows)))
    assert account.left_out == {
        "with a seed that another compared variant lacks": 5, "failed": 1, "pruned": 1, "without acc": 1,
        "out of memory": 1, "still running": 1,
    }  # fmt: skip
    assert (account.read, account.used) == (16, 6)


def test_a_failed_attempt_is_not_used_because_another_one_of_its_seed_is() -> None:
    rows = [*scores("baseline", range(5)), *scores("no-x", range(5), 0.8), ("no-x", 3, "failed", "")]
    account = account_for(analyse(study_of(rows)))
    assert (account.read, account.used, account.left_out) == (11, 10, {"failed": 1})


def test_the_baseline_of_a_screening_design_is_in_no_average() -> None:
    factors = [f"f{number}" for number in range(11)]
    design = plackett_burman(Arm(frozenset(factors)), factors_in_question(factors))
    rows = [
        {"variant": f"arm-{place}", "seed": seed, "acc": 0.8 + 0.01 * len(arm.on) + 0.001 * (seed * place % 7)}
        | {name: name in arm.on for name in factors}
        for place, arm in enumerate(design.arms)
        for seed in range(3 if place else 2)
    ]
    options = TableOptions(metric="acc", baseline="arm-0", factors=factors)
    study = from_table("theirs", "runs.csv", pd.DataFrame(rows).astype(str), options)
    account = account_for(analyse(replace(study, comparisons=())))
    assert (account.read, account.used) == (38, 36), "three seeds are complete, although the baseline has two"
    assert account.left_out == {"of variants outside the balanced design": 2}


@settings(max_examples=25)
@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["baseline", "no-x", "no-y", "both"]), st.integers(0, 5)),
        st.tuples(
            st.sampled_from(["finished", "crashed", "PRUNED", "unstable", "killed", "pending"]),
            st.sampled_from(["0.9", "0.8", "0.85", "0.7", "", "nan", "inf"]),
        ),
        min_size=1,
    )
)
def test_read_is_used_and_left_out(runs: dict[tuple[str, int], tuple[str, str]]) -> None:
    runs = {("baseline", 9): ("finished", "0.9"), ("no-x", 9): ("finished", "0.8"), **runs}
    rows = [(variant, seed, *rest) for (variant, seed), rest in runs.items()]
    account = account_for(analyse(study_of(rows, floor=0.1)))
    assert account.read == len(rows) == account.used + sum(account.left_out.values())
    usable = {
        key for key, (status, score) in runs.items()
        if status == "unstable" or (status == "finished" and score)
    }  # fmt: skip
    paired = {
        (variant, seed) for variant, seed in usable
        if (("baseline", seed) in usable if variant != "baseline"
            else any((other, seed) in usable for other in ("no-x", "no-y", "both")))
    }  # fmt: skip
    assert account.used == len(paired)
    assert bool(account.sentence) == bool(account.left_out)


def test_a_study_of_ours_is_accounted_for_too(tmp_path: Path) -> None:
    def change(variant: str, seed: int) -> dict[str, object]:
        return {"status": "failed", "error": "x"} if (variant, seed) == ("no-augment", 2) else {}

    tracker = tracked(small_study(), tmp_path, change)
    account = account_for(analyse(from_study("small", tracker)))
    assert (account.read, account.used) == (25, 24)
    assert account.sentence == "24 of 25 runs are used. Left out: 1 failed (no-augment: seed 2)."
    assert account.sentence in report_text(tracker)


def test_a_factorial_uses_the_complete_seeds() -> None:
    cells = {"baseline": (True, True), "no-a": (False, True), "no-b": (True, False), "none": (False, False)}
    table = pd.DataFrame(
        [(name, seed, "finished", 0.9 - 0.1 * (not a) - 0.01 * seed * (not b), a, b)
         for name, (a, b) in cells.items() for seed in range(5) if (name, seed) != ("none", 4)],
        columns=["variant", "seed", "status", "acc", "a", "b"],
    ).astype(str)  # fmt: skip
    account = account_for(analyse(from_table("theirs", "runs.csv", table, TableOptions(metric="acc"))))
    assert (account.read, account.left_out) == (19, {})  # seed 4 is in the comparisons of the other two variants


def test_the_sentence_is_the_same_in_json_and_in_the_report(tmp_path: Path) -> None:
    study = study_of([*scores("baseline", range(6)), *scores("no-x", range(3, 11), 0.8)])
    written = write_report(study, tmp_path / "report", as_html=True)
    facts = json.loads(json.dumps(written.facts))
    sentence = facts["accounting"]["sentence"]
    assert sentence in facts["answer"]["notes"]
    for name in ("report.md", "report.html", "table.tex"):
        assert sentence in (tmp_path / "report" / name).read_text(), name
    assert sentence in written.note


@pytest.mark.parametrize(("margin", "is_beyond"), [(0.5, False), (4.9, False), (5.4, True), (50, True)])
def test_a_margin_beyond_the_scores_is_said(margin: float, is_beyond: bool) -> None:
    rows = [("baseline", 0, "finished", "0.90"), ("baseline", 1, "finished", "0.91"),
            ("no-x", 0, "finished", "0.86"), ("no-x", 1, "finished", "0.87")]  # fmt: skip
    notes = answer_notes(analyse(study_of(rows, margin=margin)))
    assert any("whole range of the scores (86 to 91)" in note for note in notes) == is_beyond


@pytest.mark.parametrize(
    ("name", "goal", "expected"),
    [
        ("val_acc", "min", "Higher val acc is usually better, but the goal is min: lower scores are gains"),
        ("loss", "max", "Lower loss is usually better, but the goal is max: higher scores are gains"),
        ("acc", "max", ""),
        ("loss", "min", ""),
        ("regret", "max", ""),
    ],
)
def test_a_goal_against_the_name_of_the_metric_is_named(name: str, goal: Goal, expected: str) -> None:
    analysis = analyse(study_of([*scores("baseline", range(3)), *scores("no-x", range(3), 0.8)]))
    runs = analysis.study.runs.rename(columns={"acc": name})
    study = replace(analysis.study, metric=Metric(name, goal=goal), runs=runs)
    notes = answer_notes(replace(analysis, study=study))
    assert [note for note in notes if "usually" in note] == [expected] * bool(expected)


@pytest.mark.parametrize(("margin", "is_below"), [(0.005, True), (0.04, True), (0.05, False), (0.5, False)])
def test_a_margin_far_below_the_steps_of_the_scores_is_named(margin: float, is_below: bool) -> None:
    """`--margin 0.005` for accuracies in steps of 0.5 points was meant as a fraction."""
    rows = [(arm, seed, "finished", f"{(180 + seed + 3 * place) / 200}")
            for place, arm in enumerate(("baseline", "no-x")) for seed in range(5)]  # fmt: skip
    study = study_of(rows, margin=margin)
    assert f", margin {margin:g} points" in study.statement
    assert [note for note in answer_notes(analyse(study)) if "smallest step" in note] == [
        f"The margin of {margin:g} points is far below the smallest step between two scores (0.5 points). Is it in the "
        f"unit of acc? For a margin of {margin:g} as a fraction, use {margin * 100:g}"
    ] * is_below


def test_unstable_runs_without_a_score_are_beyond_every_margin() -> None:
    rows = [("baseline", 0, "finished", "0.90"), ("baseline", 1, "finished", "0.91"),
            ("no-x", 0, "finished", "0.90"), ("no-x", 1, "unstable", "nan")]  # fmt: skip
    study = replace(study_of(rows, margin=5, floor=0.1), metric=Metric("acc"))
    assert not any(
        "whole range" in note for note in answer_notes(replace(analyse(study_of(rows, floor=0.1)), study=study))
    )


def test_seeds_beyond_the_last_look_are_named(tmp_path: Path) -> None:
    study = small_study(seeds=20)
    details = {**study.design_as_dict(), "looks": [list(Looks().seeds), list(Looks().alphas)]}
    tracker = tracked(study, tmp_path, lambda variant, seed: {"leave out": seed > 6}, details=details)
    account = account_for(analyse(from_study("small", tracker)))
    assert (account.read, account.used) == (35, 25)
    assert account.left_out == {"with a seed beyond the last look": 10}

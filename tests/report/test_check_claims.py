"""`--check`: the numbers of a text that state a difference of a study, and those that are wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ablate.report.analysis import analyse
from ablate.report.check_claims import check_text
from ablate.report.sources.study import from_study
from ablate.stats.effects import Comparison, Effect, Protocol, estimate_effects, sentence
from tests.samples.effects import ACCURACY, BASELINE, LOSS, NO_BATCH_NORM, NO_CLIP, planned, run_table
from tests.samples.report import report_text, small_study, tracked


@pytest.fixture(scope="module")
def effects() -> list[Effect]:
    arms = {"baseline": BASELINE, "no-batch-norm": NO_BATCH_NORM, "no-grad-clip": NO_CLIP}
    comparisons = [Comparison("no-batch-norm", factor="batch_norm"), Comparison("no-grad-clip", factor="grad_clip")]
    return estimate_effects(run_table(arms), comparisons, ACCURACY, 0.5)


def verdicts(text: str, effects: list[Effect]) -> list[bool]:
    return [claim.agrees for claim in check_text(text, effects, ACCURACY)]


@pytest.mark.parametrize(
    ("text", "agree"),
    [
        ("Removing batch norm cost 3.02 points.", [True]),
        ("Removing batch norm cost 3 points [2.8, 3.2].", [True, True]),
        ("Without `batch_norm` accuracy dropped by 3.0 percentage points.", [True]),
        ("no-batch-norm: -3.02 pp", [True]),
        ("no-batch-norm: \N{MINUS SIGN}3.02 pp", [True]),
        ("Removing batch norm gained 3.02 points.", [False]),
        ("Removing batch norm cost 3.03 points.", [False]),
        ("Removing batch norm cost 3.02 points [2.83, 3.23].", [True, False]),
        ("Batch norm costs 3.02 points and grad clip 0.00 points.", [True, True]),
        ("Batch norm costs 3.02 points and grad clip 0.30 points.", [True, False]),
        ("Removing grad clip changed accuracy by -0.00 points [-0.09, 0.09].", [True, True]),
        ("Removing grad clip changed accuracy by 0.00 points [-0.09, 0.09].", [True, True]),
        ("It cost 9.99 points.", []),
        ("Batch norm has 5 seeds, p = .03 and a margin of 0.5 points.", []),
        ("A difference beyond 0.5 points is ruled out for grad clip.", []),
        ("```\nRemoving batch norm cost 9 points\n```", []),
        ("| variant | delta |\n| --- | --- |\n| `no-batch-norm` | -3.02 |\n| no-grad-clip | -0.10 |", [True, False]),
        ("| variant | seeds |\n| --- | --- |\n| no-batch-norm | 17 |", []),
    ],
)
def test_claims(effects: list[Effect], text: str, agree: list[bool]) -> None:
    assert verdicts(text, effects) == agree


def test_a_claim_has_its_line(effects: list[Effect]) -> None:
    text = "# Title\n\nSome words\nabout nothing. Removing batch norm\ncost 3.5 points.\n"
    (claim,) = check_text(text, effects, ACCURACY)
    assert (claim.line, claim.claimed, claim.known) == (5, "3.5", "-3.0220")


def test_re_tuned_numbers_are_those_of_the_re_tuned_comparison(effects: list[Effect]) -> None:
    runs = run_table({"baseline-retuned": BASELINE, "no-batch-norm-retuned": NO_CLIP})
    comparison = Comparison("no-batch-norm-retuned", "baseline-retuned", "batch_norm", family="leave-one-out, re-tuned")
    both = [*effects, *estimate_effects(runs, [comparison], ACCURACY, 0.5, Protocol(estimand="re-tuned"))]
    assert verdicts("Removing batch norm cost 3.02 points.", both) == [True]
    assert verdicts("Removing batch norm, both variants re-tuned, cost 3.02 points.", both) == [False]
    assert verdicts(f"{sentence(both[-1], ACCURACY, 'both variants re-tuned')}", both) == [True, True]


def test_other_units_are_found_after_by() -> None:
    table = run_table({"baseline": [10.0, 11, 12], "new": [8.0, 9.5, 9.9]}, LOSS)
    effects = estimate_effects(table, planned("new", change="changed"), LOSS, 0.5)
    assert [c.agrees for c in check_text("Variant new lowered perplexity by 1.9.", effects, LOSS)] == [True]
    assert [c.agrees for c in check_text("Variant new lowered perplexity by 1.5.", effects, LOSS)] == [False]


@pytest.mark.parametrize("design", ["leave-one-out", "both-ways", "factorial", "pairs"])
def test_a_report_agrees_with_itself_and_every_changed_number_is_found(tmp_path: Path, design: str) -> None:
    tracker = tracked(small_study(design=design), tmp_path / "journals")
    found = analyse(from_study("small", tracker))
    text = report_text(tracker)
    claims = check_text(text, found.effects, found.study.metric)
    assert [claim for claim in claims if not claim.agrees] == []
    assert {claim.variant for claim in claims} == {effect.variant for effect in found.effects}
    answer = text.partition("## Answer")[2].partition("## Study card")[0]
    for number in re.findall(r"(\d+\.\d\d) points", answer):
        wrong = answer.replace(f"{number} points", f"{float(number) + 0.02:.2f} points", 1)
        assert not all(claim.agrees for claim in check_text(wrong, found.effects, found.study.metric)), number

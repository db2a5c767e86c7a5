"""Marks of whole texts: filled in they agree, a changed digit is found, and nothing else changes."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.errors import UserError
from ablate.report.analysis import analyse
from ablate.report.marks.check import CheckedValue
from ablate.report.marks.study_values import StudyValues
from ablate.report.marks.syntax import quoted
from ablate.report.sections.document import markdown
from ablate.report.sources.existing_runs import TableOptions, from_table
from ablate.report.sources.study import from_study
from tests.samples.effects import BASELINE, NO_BATCH_NORM, NO_CLIP, run_table
from tests.samples.marks import assert_filled_marks_agree, check, fill
from tests.samples.report import small_study, tracked

ARMS = {"baseline": BASELINE, "no-batch-norm": NO_BATCH_NORM, "no-grad-clip": NO_CLIP}
ALL = ("augment", "batch_norm", "residual", "dropout", "weight_decay", "grad_clip", "lr_schedule")
BOTH = {"design": "both-ways", "factors": ("augment", "batch_norm"), "seeds": 3}


def table_values(runs: pd.DataFrame, **options: Any) -> StudyValues:
    return StudyValues(analyse(from_table("runs", "runs.csv", runs, TableOptions(**options))))


def study_values(folder: Path, earlier_seeds: tuple[int, ...] = (), **changes: Any) -> StudyValues:
    study = small_study(**changes)
    more = {"earlier": ({**study.declared, "seeds": list(earlier_seeds)},)} if earlier_seeds else {}
    return StudyValues(analyse(from_study("small", tracked(study, folder / "journals", **more))))


@pytest.fixture(scope="module")
def values() -> StudyValues:
    return table_values(run_table(ARMS), margin=0.5)


def mark(quantity: str, content: str = "", variant: str = "no-batch-norm", study: str = "runs") -> str:
    return f"<!-- ablate: {quoted(study)} {quoted(variant)} {quantity} -->{content}<!-- /ablate -->"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        BOTH,
        {"design": "factorial", "factors": ("augment", "batch_norm", "residual"), "seeds": 3},
        {"design": "pairs", "factors": ("augment", "batch_norm", "residual")},
        {"design": "plackett-burman", "factors": ALL, "seeds": 3},
        {"earlier_seeds": (0, 1, 2)},
        {"earlier_seeds": (0, 1), "design": "factorial", "factors": ("augment", "batch_norm"), "seeds": 4},
        {"seeds": 1},
    ],
    ids=str,
)
def test_everything_of_a_study_can_be_marked(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert_filled_marks_agree(study_values(tmp_path, **changes), most_altered=20)


names = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8).map(str.strip)
names = names.filter(lambda name: name and "--" not in name and name != "baseline")
scores = st.floats(0.2, 0.95) | st.sampled_from([0.5, 0.505, 0.75]) | st.sampled_from([math.nan, math.inf])


@settings(max_examples=12)
@given(
    st.lists(names, min_size=1, max_size=2, unique=True),
    st.integers(1, 5),
    st.lists(scores, min_size=15, max_size=15),
    st.sampled_from([("accuracy", 1.0), ("loss", 1.0), ("loss", 1e20), ("loss", 1e-9)]),
)
def test_filled_marks_of_any_table_agree(
    arms: list[str], seeds: int, values: list[float], measured: tuple[str, float]
) -> None:
    metric, unit = measured
    rows = [
        {"variant": arm, "seed": seed, "status": "finished", metric: str(unit * values[5 * number + seed])}
        for number, arm in enumerate(["baseline", *arms])
        for seed in range(seeds)
    ]
    try:
        found = table_values(pd.DataFrame(rows), metric=metric, margin=0.5 * unit)
    except UserError:
        return
    assert_filled_marks_agree(found, most_altered=10)


def test_a_report_agrees_with_itself(tmp_path: Path) -> None:
    for number, changes in enumerate(({}, BOTH, {"design": "factorial"}, {"earlier_seeds": (0, 1, 2)})):
        values = study_values(tmp_path / str(number), **changes)
        text = markdown(values.analysis, [], [])
        checked = check(text, values, tables_of="small")
        assert [item for item in checked if not item.agrees] == []
        assert {effect.variant for effect in values.analysis.effects} <= {item.variant for item in checked}
        for table in re.findall(r"(?:^\|.*\n)+", text.partition("## Verdicts")[2], re.MULTILINE):
            if table.startswith("|  |"):  # the study card
                continue
            place = text.index(table) + re.search(r"\d\.\d", table).end() - 1  # type: ignore[union-attr]
            wrong = text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :]
            assert not all(item.agrees for item in check(wrong, values, tables_of="small"))


def test_the_interval_is_that_of_added_seeds(tmp_path: Path) -> None:
    values = study_values(tmp_path, earlier_seeds=(0, 1, 2))
    effect = next(row for row in values.analysis.effects if row.variant == "no-augment")
    low, high = effect.interval
    assert (low, high) != (effect.ci_low, effect.ci_high)
    assert mark("interval", f"[{low:.2f}, {high:.2f}]", "no-augment", "small") == fill(
        mark("interval", "", "no-augment", "small"), values
    )
    wrong = mark("interval", f"[{effect.ci_low:.2f}, {effect.ci_high:.2f}]", "no-augment", "small")
    assert [item.agrees for item in check(wrong, values)] == [False]
    assert effect.verdict_interval[1] == math.inf  # at five seeds, corrected for four comparisons
    assert ">infinite<" in fill(mark("fw_interval", "", "no-augment", "small"), values)
    for quantity in ("p_holm", "ci_low", "fw_low"):
        with pytest.raises(UserError, match=r"Line 1: .* does not apply, because the seeds were changed after"):
            check(mark(quantity, "1", "no-augment", "small"), values)


def test_pairs_have_no_interval_for_added_seeds(tmp_path: Path) -> None:
    values = study_values(tmp_path, earlier_seeds=(0, 1, 2), design="factorial", factors=("augment", "batch_norm"))
    pair = "augment x batch_norm"
    assert [item.agrees for item in check(fill(mark("synergy", "", pair, "small"), values), values)] == [True]
    with pytest.raises(UserError, match="does not apply"):
        check(mark("interval", "", pair, "small"), values)


def test_a_wrong_number_has_its_line_and_the_right_one(values: StudyValues) -> None:
    text = f"# A\n\n{mark('delta', '-3.02')} and\n{mark('interval', '[-3.3, -2.8]')}\n"
    right, wrong = check(text, values)
    assert right.agrees
    assert wrong == CheckedValue(4, "runs", "no-batch-norm", "interval", "[-3.3, -2.8]", "[-3.2, -2.8]", agrees=False)


@pytest.mark.parametrize(
    ("quantity", "content"),
    [
        ("delta", "3.02"), ("delta", "-3.12"), ("cost", "-3.02"), ("interval", "[-3.22, 2.83]"), ("p_holm", ".04"),
        ("n", "50"), ("mean", "93.13"), ("sd", "0.14"), ("baseline_mean", "90.11"), ("verdict", "inconclusive"),
        ("verdict", "clear and important gain"), ("margin", "1"), ("mde", "0.5"), ("p_improve", "1.00"),
        ("sentence", "Removing batch norm changed accuracy by -3.02 points [-3.38, -2.67] (5 paired seeds, drop-in, "
         "p_Holm < .01): a clear and important loss."),
    ],
)  # fmt: skip
def test_every_kind_of_quantity_is_checked(values: StudyValues, quantity: str, content: str) -> None:
    (wrong,) = check(mark(quantity, content), values)
    assert not wrong.agrees
    (right,) = check(fill(mark(quantity, content), values), values)
    assert right.agrees


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"\n{mark('dleta')}", "Line 2: Unknown quantity 'dleta' of no-batch-norm. Did you mean delta? Known: delta, "),
        (mark("delta", "", "no-bath-norm"), "Unknown variant 'no-bath-norm' of runs. Did you mean no-batch-norm? Known:"
         " no-batch-norm, no-grad-clip, baseline"),
        (mark("delta", "", "baseline"), "Unknown quantity 'delta' of baseline. Known: mean, sd, mean_sd"),
        (mark("synergy"), "Unknown quantity 'synergy' of no-batch-norm"),
        ("<!-- ablate: runs result --><!-- /ablate -->", "Unknown quantity 'result' of runs. Did you mean results?"),
        ("<!-- ablate: runs no-batch-norm vs none delta --><!-- /ablate -->", "Unknown reference 'none' of "
         "no-batch-norm. Known: baseline"),
        ("<!-- ablate: runs results -->\n| variant | dif |\n|---|---|\n| `no-batch-norm` | 1 |\n<!-- /ablate -->",
         "Line 2: Unknown column in a table 'dif' of runs. Known: variant, seeds, "),
        ("<!-- ablate: runs results -->\n| difference | variant |\n|---|---|\n| 1 | x |\n<!-- /ablate -->",
         "Unknown column in a table 'difference' of runs. Known: variant"),
        ("<!-- ablate: runs results -->\n| variant | MDE |\n|---|---|\n| no-batch | 1 |\n<!-- /ablate -->",
         "Line 4: Unknown row in a table 'no-batch' of runs. Did you mean no-batch-norm?"),
    ],
)  # fmt: skip
def test_unknown_names_are_one_line_with_the_known_ones(values: StudyValues, text: str, words: str) -> None:
    for work in (check, fill):
        with pytest.raises(UserError) as error:
            work(text, values)
        assert words in str(error.value)
        assert "\n" not in str(error.value)


def test_a_variant_with_two_references_needs_one(tmp_path: Path) -> None:
    runs = run_table({**ARMS, "other": NO_CLIP})
    values = table_values(runs)
    two = {"no-batch-norm": [*values.rows["no-batch-norm"]]}
    two["no-batch-norm"] += [
        row.__class__(row.name, "other ref", {**row.columns, "delta": 1.0}) for row in two["no-batch-norm"]
    ]
    vars(values)["rows"] = two
    with pytest.raises(
        UserError, match=r"ambiguous\. State the reference: no-batch-norm vs baseline delta .*'other ref'"
    ):
        check(mark("delta"), values)
    text = "<!-- ablate: runs no-batch-norm vs 'other ref' delta -->+1.00<!-- /ablate -->"
    assert [item.agrees for item in check(text, values)] == [True]


def test_a_mean_of_a_reference_that_depends_on_the_seeds(tmp_path: Path) -> None:
    runs = run_table({"baseline": BASELINE, "a": NO_BATCH_NORM, "b": NO_CLIP[:3]})
    values = table_values(runs)
    with pytest.raises(UserError, match=r"differs between comparisons, by their seeds. Use VARIANT baseline_mean"):
        check(mark("mean", "", "baseline"), values)
    assert "93.12" in fill(mark("baseline_mean", "", "b"), values)


def test_a_table_keeps_its_columns_rows_and_indentation(values: StudyValues) -> None:
    text = (
        "- item\n  <!-- ablate: runs results -->\n  | variant | verdict | difference |\n  |:--|---|--:|\n"
        "  | **no-grad-clip** | ? | 1 |\n  | no-batch-norm | | |\n  <!-- /ablate -->\n\nrest"
    )
    filled = fill(text, values)
    assert filled == (
        "- item\n  <!-- ablate: runs results -->\n  | variant | verdict | difference |\n  |:--|---|--:|\n"
        "  | `no-grad-clip` | no practically meaningful effect | +0.00 |\n"
        "  | `no-batch-norm` | clear and important loss | -3.02 |\n  <!-- /ablate -->\n\nrest"
    )
    assert len(check(filled, values)) == 4
    assert all(item.agrees for item in check(filled, values))
    assert fill(filled, values) == filled


def test_escapes_of_a_formatter_do_not_count(values: StudyValues) -> None:
    text = fill(mark("sentence") + "\n<!-- ablate: runs results --><!-- /ablate -->", values)
    changed = text.replace("p_Holm < .001", "p\\_Holm &lt;\n.001").replace("| < .001", "|   \\< .001 ")
    assert changed != text
    assert all(item.agrees for item in check(changed, values))
    assert not all(item.agrees for item in check(changed.replace("&lt;\n.001", "&lt;\n.002"), values))


def test_a_table_keeps_the_line_endings(values: StudyValues) -> None:
    for before in (
        "",
        "| variant | MDE |\r\n|---|---|\r\n",
        "| variant | MDE |\r\n|---|---|\r\n| no-grad-clip | |\r\n",
    ):
        filled = fill(f"A\r\n<!-- ablate: runs results -->\r\n{before}<!-- /ablate -->\r\n", values)
        assert filled.count("\n") == filled.count("\r\n") >= 5
        assert all(item.agrees for item in check(filled, values))


@pytest.mark.parametrize(
    "content", ["", "\n", "\nsome text\n", "\n| variant | MDE |\n|---|---|\n", "\n| variant | MDE |\n|---|---|\ntext\n"]
)
def test_a_mark_of_a_table_without_one_is_wrong_and_gets_it(values: StudyValues, content: str) -> None:
    text = f"A\n<!-- ablate: runs results -->{content}<!-- /ablate -->\r\nB"
    assert [item.agrees for item in check(text, values)] == [False]
    filled = fill(text, values)
    assert filled.startswith("A\n<!-- ablate: runs results -->")
    assert filled.endswith("<!-- /ablate -->\r\nB")
    assert {item.variant for item in check(filled, values)} == {"no-batch-norm", "no-grad-clip"}
    assert all(item.agrees for item in check(filled, values))


def test_tables_of_a_report_are_recognised_by_their_header(values: StudyValues) -> None:
    table = values.tables["results"]
    lines = [f"| {' | '.join(row)} |" for row in (table.header, ["---"] * len(table.header), *table.rows)]
    text = "\n".join(["```", *lines, "```", "", *lines[:3]])
    assert len(check(text, values, tables_of="runs")) == len(table.header) - 1
    assert check(text, values) == []
    wrong = text[::-1].replace("20.3-", "21.3-", 1)[::-1]
    assert [item.line for item in check(wrong, values, tables_of="runs") if not item.agrees] == [10]
    assert fill(wrong, values) == wrong
    assert check("| variant | difference |\n|---|---|\n| no-batch-norm | 9 |\n", values, tables_of="runs") == []
    with pytest.raises(UserError, match="between marks that name it"):
        check(text.replace("no-batch-norm", "vit"), values, tables_of="runs")


def test_both_tables_of_a_comparison_can_be_quoted(values: StudyValues) -> None:
    """The header of `results` is that of reports before there were `verdicts`."""
    assert values.tables["results"].header == (
        "variant", "seeds", "reference, mean ± SD", "variant, mean ± SD", "difference", "95 % interval",
        "family-wise interval", "p (Holm)", "p TOST (Holm)", "P(improve)", "MDE", "verdict",
    )  # fmt: skip
    assert values.tables["verdicts"].header == ("variant", "verdict", "difference", "family-wise interval")
    filled = fill("<!-- ablate: runs verdicts --><!-- /ablate -->", values)
    assert "| `no-batch-norm` | clear and important loss | -3.02 | [-3.2" in filled
    unmarked = filled.replace("<!-- ablate: runs verdicts -->", "").replace("<!-- /ablate -->", "")
    assert [item.agrees for item in check(unmarked, values, tables_of="runs")] == [True] * 6


def test_latex(values: StudyValues) -> None:
    text = (
        "\\ablate{runs no-batch-norm delta}{} \\ablate{runs no-batch-norm p_holm}{$= .04$} 100\\% % \\ablate{x y}{z}\n"
        "\\ablate{runs no-batch-norm verdict}{?} \\ablate{runs no-batch-norm interval}{[1.0, 2.0]}"
    )
    filled = fill(text, values, "paper.tex")
    assert filled == (
        "\\ablate{runs no-batch-norm delta}{$-3.02$} \\ablate{runs no-batch-norm p_holm}{$< .01$} 100\\% "
        "% \\ablate{x y}{z}\n\\ablate{runs no-batch-norm verdict}{clear and important loss} "
        "\\ablate{runs no-batch-norm interval}{[-3.2, -2.8]}"
    )
    assert [item.agrees for item in check(filled, values, file="paper.tex")] == [True] * 4
    assert [item.agrees for item in check(text, values, file="paper.tex")] == [False] * 4
    with pytest.raises(UserError, match="Tables are marked in Markdown only"):
        check("\\ablate{runs results}{}", values, file="paper.tex")

"""The step of a run whose values count: in histories and in tables with one row per step."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from ablate.errors import UsageError, UserError
from ablate.report.sources.existing_runs import TableOptions, from_table
from ablate.report.sources.external_study import study_of
from ablate.report.sources.readers.run_table import Curve, RunTable, table_of_rows
from ablate.report.sources.step_choice import best_by_name, different_ends, step_choice
from ablate.report.sources.steps import with_chosen_steps

ACC, LOSS = [0.5, 0.8, 0.7], [2.0, 1.0, 0.9]


def histories(**ends: int) -> RunTable:
    """Return two runs with an accuracy and a loss, and a test score that was recorded once."""
    curves = {
        name: {
            "val/acc": Curve([0, 10, 20][: ends.get(name, 3)], ACC[: ends.get(name, 3)]),
            "val_loss": Curve([0, 10, 20], LOSS),
            "test_accuracy": Curve([20], [0.75]),
        }
        for name in ("a", "b")
    }
    table = pd.DataFrame({"params.seed": ["0", "0"], "variant": ["a", "b"]}, index=["a", "b"])
    return RunTable("logs", table, "run", histories=curves)


def rows(*cells: tuple[str, int, int, str, str]) -> RunTable:
    table = pd.DataFrame(cells, columns=["variant", "seed", "epoch", "acc", "val_loss"]).astype(str)
    return RunTable("runs.csv", table.set_axis(range(2, len(cells) + 2), axis=0), "line")


LONG = [("a", 0, 1, "0.5", "2"), ("a", 0, 2, "0.8", "1"), ("a", 0, 3, "0.7", "0.9"), ("a", 0, 4, "", "0.8"),
        ("b", 0, 1, "0.4", "1"), ("b", 0, 2, "0.6", "1"), ("b", 0, 3, "0.3", "nan")]  # fmt: skip


def chosen(runs: RunTable, step: str | None, **options: Any) -> RunTable:
    return with_chosen_steps(runs, TableOptions(**{"metric": "acc", "step": step, **options}))


@pytest.mark.parametrize(("step", "value", "words"), [
    ("last", "0.7", "last recorded val/acc of each run"),
    ("10", "0.8", "val/acc at step 10 of each run"),
    ("best:val_loss", "0.7", "val/acc at the step with the lowest val_loss of each run"),
    ("best:val/acc", "0.8", "val/acc at the step with the highest val/acc of each run"),
    ("15", "", "val/acc at step 15 of each run"),
])  # fmt: skip
def test_the_step_of_a_history(step: str, value: str, words: str) -> None:
    found = chosen(histories(), step, metric="val_acc")
    assert found.table["metrics.val/acc"].tolist() == [value, value]
    assert found.table["metrics.test_accuracy"].tolist() == ["0.75", "0.75"], "recorded once"
    assert found.statement == words
    assert bool(found.cautions) == (step in ("best:val/acc", "15"))


def test_without_a_choice_a_metric_has_one_value() -> None:
    with pytest.raises(
        UsageError, match=r"val/acc has up to 3 values per run \(steps 0 to 20\)\. Choose one with --step"
    ):
        chosen(histories(), None, metric="val_acc")
    found = chosen(histories(), None, metric="test_accuracy")
    assert list(found.table.columns) == ["params.seed", "variant", "metrics.test_accuracy"]
    assert found.statement == ""


def test_runs_that_end_early_are_named() -> None:
    found = chosen(histories(b=2), "last", metric="val/acc")
    assert found.table["metrics.val/acc"].tolist() == ["0.7", "0.8"]
    assert found.cautions[0].startswith("1 run ends before step 20 of val/acc: b (step 10). If they were not stopped")
    assert chosen(histories(b=2), "20", metric="val/acc").table["metrics.val/acc"].tolist() == ["0.7", ""]


def test_values_of_32_bits_have_their_own_digits() -> None:
    value = 0.8999999761581421
    assert Curve([1], [value], single=True).at(1) == "0.9"
    assert Curve([1], [value]).at(1) == str(value)


@pytest.mark.parametrize("step", ["", "best", "best:", "first", "nan"])
def test_unknown_steps_are_refused(step: str) -> None:
    with pytest.raises(UsageError, match="Use --step last, --step NUMBER or --step best:METRIC"):
        step_choice(step)


@pytest.mark.parametrize(("step", "message"), [
    ("best:val_los", "Did you mean 'val_loss'"), ("best:zeal", "Unknown metric 'zeal'"),
])  # fmt: skip
def test_unknown_metrics_are_refused(step: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        chosen(histories(), step, metric="val_acc")


def test_the_best_of_a_metric_without_a_known_goal_is_not_guessed() -> None:
    runs = rows(*LONG)
    runs = RunTable(runs.source, runs.table.assign(zeal="1"), "line")
    with pytest.raises(UsageError, match="Unknown whether a higher or a lower zeal is better"):
        chosen(runs, "best:zeal")


@pytest.mark.parametrize(("again", "is_repeated"), [("0.5", False), ("0.9", True)])
def test_steps_of_a_table_with_several_values_cause_a_warning(again: str, is_repeated: bool) -> None:
    """The first steps of two runs with one seed, of which one was stopped: results of TD-MPC in a public repository."""
    found = chosen(rows(*LONG, ("a", 0, 1, again, "2")), "last")
    warned = [text for text in found.cautions if "acc has several values at a step in 1 run, first in line 9." in text]
    assert bool(warned) == is_repeated


@pytest.mark.parametrize(("step", "lines", "scores"), [
    ("last", [4, 8], ["0.7", "0.3"]),
    ("2", [3, 7], ["0.8", "0.6"]),
    ("best:val_loss", [5, 6], ["", "0.4"]),
    ("best:acc", [3, 7], ["0.8", "0.6"]),
    ("4", [5, 8], ["", ""]),
])  # fmt: skip
def test_the_row_of_a_table(step: str, lines: list[int], scores: list[str]) -> None:
    found = chosen(rows(*LONG), step)
    assert found.table.index.tolist() == lines
    assert found.table["acc"].tolist() == scores
    assert "epoch" not in found.table.columns
    assert found.statement.endswith("of each run (column epoch)")


def test_two_rows_of_one_step_stay_an_error() -> None:
    runs = chosen(rows(*LONG, ("a", 0, 3, "0.9", "1")), "last")
    with pytest.raises(UserError, match=r"Duplicate results: line 4 .*line 9"):
        from_table("mine", "runs.csv", runs.table, TableOptions(metric="acc", baseline="a"))


def test_a_table_of_epochs_without_a_choice_names_the_option() -> None:
    with pytest.raises(UserError, match=r"They differ in epoch .*\. Choose one epoch per run with --step last"):
        from_table("mine", "runs.csv", rows(*LONG).table, TableOptions(metric="acc", baseline="a"))


def test_the_column_of_steps_is_asked_for() -> None:
    runs = rows(*LONG)
    both = RunTable(runs.source, runs.table.assign(step="1"), "line")
    with pytest.raises(UsageError, match=r"The steps may be epoch or step\. Choose the column with --step-param NAME"):
        chosen(both, "last")
    assert chosen(both, "last", step_param="epoch").table["acc"].tolist() == ["0.7", "0.3"]
    with pytest.raises(UsageError, match="needs a column of steps or epochs"):
        chosen(RunTable(runs.source, runs.table.drop(columns="epoch"), "line"), "last")
    with pytest.raises(UserError, match="The step is not a number in line 2: 'x'"):
        chosen(RunTable(runs.source, runs.table.assign(epoch="x"), "line"), "last")


def test_percentages_choose_the_best_step() -> None:
    cells = [(*row[:3], f"{float(row[3] or 0):.0%}", row[4]) for row in LONG]
    assert chosen(rows(*cells), "best:acc").table["acc"].tolist() == ["80%", "60%"]


def test_words_for_missing_values_are_not_recorded_values() -> None:
    cells = [(*row[:3], row[3] or "NA", row[4]) for row in LONG]
    assert chosen(rows(*cells), "last").table["acc"].tolist() == ["0.7", "0.3"]


def test_scores_that_chose_their_own_step_are_lower_for_losses() -> None:
    found = chosen(rows(*LONG), "best:val_loss", metric="val_loss")
    assert found.cautions[0].endswith("chosen by val_loss itself, so the scores are lower than those of new data.")


def test_runs_that_end_early_are_compared_within_their_data_set() -> None:
    ends = {"a": 3.0, "b": 3.0, "c": 20.0, "d": 18.0}
    (caution,) = different_ends("acc", ends)
    assert caution.startswith("3 runs end before step 20 of acc: a (step 3), b (step 3), d (step 18).")
    (caution,) = different_ends("acc", ends, datasets={"a": "short", "b": "short", "c": "long", "d": "long"})
    assert caution.startswith("1 run ends before others of the same data set in acc: d (step 18).")
    rows = [
        {"variant": arm, "data": data, "seed": str(seed), "epoch": str(epoch), "acc": f"0.{place}{seed}{epoch}"}
        for place, arm in enumerate(("base", "x"), 5)
        for data, last in (("short", 2), ("long", 4))
        for seed in range(3)
        for epoch in range(last)
    ]
    found = RunTable("runs.csv", table_of_rows(dict(enumerate(rows))), "line")
    options = TableOptions(metric="acc", margin=0.5, baseline="base", step="last", dataset="data")
    assert not [text for text in study_of("runs", found, options).cautions if "before" in text]


@pytest.mark.parametrize(
    ("name", "goal", "is_best"),
    [
        *[
            (name, "max", True)
            for name in ("val/acc.max", "mine.max", "best_acc", "val/bestAcc", "acc_max", "maxAccuracy")
        ],
        *[(name, "min", True) for name in ("loss.min", "min_val_loss", "Best Loss", "loss.best")],
        *[(name, "max", False) for name in ("acc", "acc.min", "max_mine", "bestow", "acc.last", "f1_maximum")],
        *[(name, "min", False) for name in ("loss.max", "max_error", "minutes", "loss.mean")],
    ],
)
def test_metrics_that_are_the_best_value_by_their_name(name: str, goal: str, is_best: bool) -> None:
    assert bool(best_by_name(name, goal)) == is_best

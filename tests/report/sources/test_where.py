"""Runs selected by `--where`: equality of numbers, unknown keys, no run left, and the account of all runs."""

from __future__ import annotations

import pytest

from ablate.errors import UsageError, UserError
from ablate.report.accounting import account_for
from ablate.report.analysis import analyse
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.external_study import study_of
from ablate.report.sources.readers.run_table import Curve, RunTable, table_of_rows
from tests.report.sources.test_name_variants import GRID, seeds_of, study


@pytest.mark.parametrize(
    ("conditions", "left"),
    [
        (["lr=1.0"], ["baseline", "opt=adam"]),
        (["lr!=1e-1"], ["baseline", "opt=adam"]),
        (["opt = sgd"], ["baseline", "lr=1"]),
        (["opt=sgd", "seed!=2"], ["baseline", "lr=1"]),
    ],
)
def test_conditions(conditions: list[str], left: list[str]) -> None:
    baseline = "sgd" if conditions[0].startswith("lr") else "0.1"
    found = study(GRID, where=tuple(conditions), baseline=baseline)
    assert list(seeds_of(found)) == left
    assert f"only runs with {', '.join(conditions)}" in found.statement
    assert not found.cautions


def test_runs_left_out_are_in_the_account() -> None:
    account = account_for(analyse(study(GRID, where=("opt=sgd", "seed!=2"), baseline="0.1")))
    assert (account.read, account.used) == (12, 4)
    assert account.left_out == {"excluded by --where opt=sgd": 6, "excluded by --where seed!=2": 2}


@pytest.mark.parametrize(
    ("conditions", "error", "words"),
    [
        (["optt=sgd"], UsageError, "Unknown key 'optt'. Did you mean 'opt'?"),
        (["opt"], UsageError, "--where must be KEY=VALUE or KEY!=VALUE, not 'opt'"),
        (["opt=rmsprop"], UserError, r"No run is left: --where opt=rmsprop. Values of opt in runs.csv: sgd \(6 runs\)"),
        (["opt=sgd", "opt=adam"], UserError, r"Values of opt in the runs with opt=sgd: sgd \(6 runs\)"),
    ],
)
def test_mistakes(conditions: list[str], error: type[UserError], words: str) -> None:
    with pytest.raises(error, match=words):
        study(GRID, where=tuple(conditions))


def test_names_of_runs_are_those_of_the_runs_left() -> None:
    names = [f"{row['opt']}-{row['lr']}" for row in GRID]
    found = study(GRID, names, where=("lr=0.1", "seed!=1"), baseline="sgd-0.1")
    assert seeds_of(found) == {"sgd-0.1": [0, 2], "adam-0.1": [0, 2]}


def test_runs_left_out_of_a_source_with_histories_are_counted_one_by_one() -> None:
    """With a chosen step, too, every run is in the account, although others have its seed."""
    rows = {f"{row['opt']}-{row['lr']}-{row['seed']}": row for row in GRID}
    curves = {name: {"acc": Curve([0, 1], [0.5, float(row["acc"])])} for name, row in rows.items()}
    table = table_of_rows(
        {name: {"lr": row["lr"], "opt": row["opt"], "seed": row["seed"]} for name, row in rows.items()}
    )
    options = TableOptions(metric="acc", margin=0.5, step="last", where=("lr=0.1",), baseline="opt=sgd")
    account = account_for(analyse(study_of("x", RunTable("x", table, "run", histories=curves), options)))
    assert (account.read, account.used, account.left_out) == (12, 6, {"excluded by --where lr=0.1": 6})


def test_runs_of_a_table_with_one_row_per_step_are_counted_once() -> None:
    rows = [{**row, "epoch": epoch} for row in GRID for epoch in ("0", "1")]
    account = account_for(analyse(study(rows, variant="opt", step="last", where=("lr=0.1",), baseline="sgd")))
    assert (account.read, account.used, account.left_out) == (12, 6, {"excluded by --where lr=0.1": 6})
    with pytest.raises(UserError, match=r"Values of lr in runs.csv: 0.1 \(6 runs\), 1 \(6 runs\)"):
        study(rows, variant="lr,opt", step="last", where=("lr=3",), baseline="sgd")

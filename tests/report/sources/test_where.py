"""Runs selected by `--where`: equality of numbers, unknown keys, no run left, and the account of all runs."""

from __future__ import annotations

import pytest

from ablate.errors import UsageError, UserError
from ablate.report.accounting import account_for
from ablate.report.analysis import analyse
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

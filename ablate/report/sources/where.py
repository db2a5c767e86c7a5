"""Select runs by `--where KEY=VALUE` and `--where KEY!=VALUE`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ablate.errors import UsageError, UserError
from ablate.report.sources.columns import find_column, plain
from ablate.report.sources.equal_values import canonical
from ablate.report.sources.readers.run_table import RunTable
from ablate.report.sources.step_rows import run_of_rows
from ablate.wording import count, listed, unknown

if TYPE_CHECKING:
    import pandas as pd

    from ablate.report.sources.existing_runs import TableOptions


@dataclass(frozen=True)
class Condition:
    """A condition on the value of a key: equal to `value`, or different from it."""

    text: str
    key: str
    value: str
    is_equal: bool

    def holds(self, cells: pd.Series) -> pd.Series:
        """Return for which cells the condition holds; numbers are compared as numbers."""
        wanted = canonical(self.value)
        known = {cell: (canonical(cell) == wanted) == self.is_equal for cell in cells.unique()}
        return cells.map(known).astype(bool)


def read_condition(text: str) -> Condition:
    """Return the condition in a text. Raises UsageError for one without a key or without `=` or `!=`."""
    key, equals, value = text.partition("=")
    is_equal = not key.endswith("!")
    key = key.removesuffix("!").strip()
    if not equals or not key:
        raise UsageError(f"--where must be KEY=VALUE or KEY!=VALUE, not {text!r}")
    return Condition(text, key, value.strip(), is_equal)


def reason_of(condition: Condition) -> str:
    """Return the reason why runs are left out, for the account of all runs."""
    return f"excluded by --where {condition.text}"


def where(runs: RunTable, options: TableOptions) -> RunTable:
    """Return the runs that satisfy every condition of `options.where`; the others are set aside by condition.

    Raises UsageError for an unknown key, and UserError if no run is left.
    """
    conditions = [read_condition(text) for text in options.where]
    set_aside, run_of = dict(runs.set_aside), run_of_rows(runs, options)
    table = runs.table
    for condition in conditions:
        column = find_column(table, condition.key)
        if column is None:
            raise UsageError(unknown("key", condition.key, [plain(str(name)) for name in runs.table.columns]))
        holds = condition.holds(table[column])
        if not holds.any():
            cells = table[column][~_repeated(table[column], run_of)]
            raise UserError(_nothing_left(condition, conditions, cells, runs.source))
        if not holds.all():
            set_aside[reason_of(condition)] = _names(table[~holds], column, run_of)
        table = table[holds]
    if not conditions:
        return runs
    kept, names = set(table.index), dict(zip(runs.table.index, runs.names, strict=bool(runs.names)))
    return replace(
        runs,
        table=table,
        set_aside=set_aside,
        names=[names[row] for row in table.index] if names else (),
        histories={row: curves for row, curves in runs.histories.items() if row in kept},
        last_steps=None if runs.last_steps is None else {
            row: steps for row, steps in runs.last_steps.items() if row in kept
        },
        statement="; ".join(filter(None, [runs.statement, f"only runs with {listed(options.where)}"])),
    )  # fmt: skip


def _names(rows: pd.DataFrame, column: str, run_of: pd.Series) -> list[str]:
    """Return the names of runs; of a table with one row per step the first row of each run with its value."""
    return [str(row) for row in rows.index[~_repeated(rows[column], run_of)]]


def _repeated(cells: pd.Series, run_of: pd.Series) -> pd.Series:
    """Return which cells repeat the value of an earlier row of their run."""
    import pandas as pd

    found: pd.Series = pd.DataFrame({"run": run_of[cells.index], "cell": cells}).duplicated()
    return found


def _nothing_left(condition: Condition, conditions: Sequence[Condition], cells: pd.Series, source: str) -> str:
    before = [one.text for one in conditions[: conditions.index(condition)]]
    counts = Counter(cells.map(str).str.strip())
    known = [f"{value or 'empty'} ({count(number, 'run')})" for value, number in counts.most_common()]
    among = f"the runs with {listed(before)}" if before else source
    return f"No run is left: --where {condition.text}. Values of {condition.key} in {among}: {listed(known)}"

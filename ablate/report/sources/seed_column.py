"""Find the seeds of runs: the column asked for, one with a known name, or the ends of the names of the runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ablate.errors import UsageError
from ablate.report.sources.columns import find_column, plain
from ablate.report.sources.equal_values import canonical
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.known_keys import is_seed
from ablate.report.sources.readers.run_table import RunTable
from ablate.report.sources.run_names import names_seed, seed_in, without_seeds
from ablate.wording import listed

if TYPE_CHECKING:
    import pandas as pd

DEFAULT = "seed"
SEED_IN_NAMES = "seed by the names of the runs"


def seed_column(table: pd.DataFrame, asked: str) -> str:
    """Return the name of the seed column: the one asked for, or instead of `seed` the only one with another known name.

    Raises UsageError if several columns may be the seed.
    """
    if asked != DEFAULT or find_column(table, asked):
        return asked
    values = {
        str(name): tuple(table[name].map(canonical))
        for name in table.columns
        if not str(name).startswith("metrics.") and is_seed(str(name))
    }
    values = {name: cells for name, cells in values.items() if any(cells)}
    varying = {name: cells for name, cells in values.items() if len(set(cells)) > 1} or values
    if len(set(varying.values())) > 1:
        raise UsageError(f"The seed may be {listed(map(plain, varying))}. Choose the column with --seed-param NAME")
    return plain(next(iter(varying), asked))


def with_seeds(runs: RunTable, options: TableOptions) -> tuple[RunTable, TableOptions]:
    """Return runs with seeds, and options that name their column.

    Without a column, seeds are those in the names of the runs; runs that are not paired are numbered if they have
    none. Raises UsageError if there are none.
    """
    if not len(runs.table):
        return runs, options
    options = replace(options, seed=seed_column(runs.table, options.seed))
    table, names = runs.table, list(runs.names) or [str(name) for name in runs.table.index]
    column = find_column(table, options.seed)
    if runs.are_names:
        seeds = table[column].tolist() if column else list(map(seed_in, names))
        runs = replace(runs, names=without_seeds(names, seeds))
        if column is None and options.seed == DEFAULT and any(seeds):
            words = "; ".join(filter(None, [runs.statement, SEED_IN_NAMES]))
            return replace(runs, table=table.assign(seed=seeds), statement=words), options
    if column is None and options.seed == DEFAULT and options.unpaired:
        words = "; ".join(filter(None, [runs.statement, "seed: none, so the runs are numbered"]))
        numbers = [str(number) for number in range(len(table))]
        return replace(runs, table=table.assign(seed=numbers), statement=words), options
    if column is None and options.seed == DEFAULT:
        known = listed(plain(str(name)) for name in table.columns) or "none"
        kind = "param" if runs.row_word == "run" else "column"
        per_seed = [name for name in map(plain, map(str, table.columns)) if names_seed(name)]
        if len(per_seed) > 1:
            raise UsageError(
                f"No seed found, but columns that are named by one: {listed(per_seed, 3)}. Write one row per run, with "
                "columns for the variant, the seed and the score (pandas.melt and pandas.wide_to_long do)"
            )
        in_names = ", and no name of a run has one, as in sgd-seed0, sgd/s0 or seed=0,lr=0.1" if runs.are_names else ""
        raise UsageError(
            f"No seed found: no {kind} has a known name of seeds{in_names}. Choose it with --seed-param NAME. "
            f"Known: {known}"
        )
    return runs, options

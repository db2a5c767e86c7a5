"""Checks of the rows of a table: seeds and duplicates. Every message names the rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ablate.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

_OPEN = "running"
_NAMED_ROWS = 5


def named_rows(rows: pd.DataFrame, row_word: str, column: str | None = None) -> str:
    """Return rows as text, `line 3 (baseline, seed 1: '0.9x'), line 7 ...`: the first ones and the number of others."""
    texts = []
    for place, row in rows.head(_NAMED_ROWS).iterrows():
        known = [str(row["variant"])] if row.get("variant") else []
        known += [f"seed {row['seed']}"] if str(row.get("seed", "")) else []
        value = f": {row[column]!r}" if column else ""
        texts.append(f"{row_word} {place}" + (f" ({', '.join(known)}{value})" if known or value else ""))
    return ", ".join(texts) + (f" and {len(rows) - _NAMED_ROWS} more" if len(rows) > _NAMED_ROWS else "")


def read_seeds(table: pd.DataFrame, row_word: str) -> pd.DataFrame:
    """Return the table with integers as seeds; raise UserError for rows without a variant or an integer seed."""
    nameless = table[table["variant"].map(str).str.strip() == ""]
    if len(nameless):
        raise UserError(f"No variant in {named_rows(nameless, row_word)}")
    bad = table[table["seed"].map(_integer).isna()]
    if len(bad):
        hint = ". Choose the seed column with --seed-param NAME" if len(bad) == len(table) else ""
        raise UserError(f"The seed is not an integer in {named_rows(bad, row_word, 'seed')}{hint}")
    return table.assign(seed=table["seed"].map(_integer).astype(int))


def _integer(text: object) -> float:
    try:
        value = float(str(text))
    except ValueError:
        return math.nan
    return value if abs(value) < 2**53 and value == math.floor(value) else math.nan


def check_rows(table: pd.DataFrame, row_word: str, metric: str) -> list[str]:
    """Return cautions about excluded and running rows; raise UserError for two results of one variant and seed."""
    cautions = []
    usable = table[table["status"].isin(["finished", "unstable"])]
    doubled = usable[usable.duplicated(["variant", "seed"], keep=False)]
    if len(doubled):
        ordered = doubled.sort_values(["variant", "seed"], kind="stable")
        raise UserError(f"Duplicate results: {named_rows(ordered, row_word)}. Keep one row per variant and seed")
    empty = table[(table["status"] == "finished") & table[metric].isna()]
    if len(empty):
        cautions.append(f"No {metric} in {named_rows(empty, row_word)}: these finished runs are excluded.")
    open_runs = table[table["status"] == _OPEN]
    if len(open_runs):
        cautions.append(f"Still running: {named_rows(open_runs, row_word)}.")
    return cautions

"""Checks of somebody's rows: every message names the rows, so that they can be mended."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ablate.errors import UserError
from ablate.stats.effects import STATUSES, Comparison

if TYPE_CHECKING:
    import pandas as pd

_SPELLINGS = {"scheduled": "running", "success": "finished", "completed": "finished", "oom": "out_of_memory"}
_OPEN = "running"
_NAMED = 5


def named(rows: pd.DataFrame, word: str, column: str | None = None) -> str:
    """Rows in words: `line 3 (baseline, seed 1: '0.9x'), line 7 ...`; the rest is counted."""
    texts = []
    for place, row in list(rows.iterrows())[:_NAMED]:
        known = [str(row["variant"])] if row.get("variant") else []
        known += [f"seed {row['seed']}"] if str(row.get("seed", "")) else []
        value = f": {row[column]!r}" if column else ""
        texts.append(f"{word} {place}" + (f" ({', '.join(known)}{value})" if known or value else ""))
    return ", ".join(texts) + (f" and {len(rows) - _NAMED} more" if len(rows) > _NAMED else "")


def read_statuses(table: pd.DataFrame, word: str) -> tuple[pd.DataFrame, list[str]]:
    """The table with statuses in our words; without a column, or in an empty cell, a run with a value has finished.

    Raises UserError for words that nobody knows.
    """
    cautions = []
    table = table.copy()
    if "status" not in table.columns:
        table["status"] = "finished"
    statuses = table["status"].map(lambda text: str(text).strip().lower().replace(" ", "_"))
    table["status"] = statuses.map(lambda text: _SPELLINGS.get(text, text))
    empty = table["status"] == ""
    if empty.any():
        cautions.append(f"No status in {named(table[empty], word)}: taken as finished.")
        table.loc[empty, "status"] = "finished"
    unknown = table[~table["status"].isin([*STATUSES, _OPEN])]
    if len(unknown):
        raise UserError(f"unknown status in {named(unknown, word, 'status')}: write {', '.join(STATUSES)} or {_OPEN}")
    return table, cautions


def read_seeds(table: pd.DataFrame, word: str) -> pd.DataFrame:
    """The table with whole numbers as seeds; raises UserError for rows without a variant or such a seed."""
    nameless = table[table["variant"].map(str).str.strip() == ""]
    if len(nameless):
        raise UserError(f"no variant in {named(nameless, word)}")
    bad = table[table["seed"].map(_whole).isna()]
    if len(bad):
        hint = "; which column is the seed? --seed-param NAME" if len(bad) == len(table) else ""
        raise UserError(f"the seed is no whole number in {named(bad, word, 'seed')}{hint}")
    return table.assign(seed=table["seed"].map(_whole).astype(int))


def _whole(text: object) -> float:
    try:
        value = float(str(text))
    except ValueError:
        return math.nan
    return value if abs(value) < 2**53 and value == math.floor(value) else math.nan


def check_rows(table: pd.DataFrame, word: str, metric: str) -> list[str]:
    """Cautions about rows that are left out or matter; UserError for two results of one variant and seed."""
    cautions = []
    usable = table[table["status"].isin(["finished", "unstable"])]
    doubled = usable[usable.duplicated(["variant", "seed"], keep=False)]
    if len(doubled):
        ordered = doubled.sort_values(["variant", "seed"], kind="stable")
        raise UserError(f"doubled results: {named(ordered, word)}; keep one row for each variant and seed")
    empty = table[(table["status"] == "finished") & table[metric].isna()]
    if len(empty):
        cautions.append(f"No {metric} in {named(empty, word)}: these finished runs are left out.")
    open_runs = table[table["status"] == _OPEN]
    if len(open_runs):
        cautions.append(f"Still running: {named(open_runs, word)}.")
    return cautions


def said(comparisons: Sequence[Comparison]) -> str:
    """How many comparisons, in words."""
    return f"{len(comparisons)} comparison{'s' * (len(comparisons) != 1)}"

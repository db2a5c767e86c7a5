"""Checks of the rows of a table: seeds and duplicates. Every message names the rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ablate.errors import UserError
from ablate.report.sources.decimal_commas import points_between_thousands
from ablate.report.sources.equal_values import canonical
from ablate.stats.effects.seeds import Seed, integer, read_seeds
from ablate.wording import listed, shortened

if TYPE_CHECKING:
    import pandas as pd

STEP_COLUMNS = "epoch step globalstep iteration iter trainerglobalstep trainingiteration timetotaltimesteps"
"""Names of columns of steps, without case and separators."""

STEP_CHOICES = "--step last, --step NUMBER or --step best:METRIC"

_NAMED_ROWS = 5


def named_rows(rows: pd.DataFrame, row_word: str, column: str | None = None) -> str:
    """Return rows as text, `line 3 (baseline, seed 1: '0.9x'), line 7 ...`: the first ones and the number of others."""
    texts = []
    for place, row in rows.head(_NAMED_ROWS).iterrows():
        known = [str(row["variant"])] if row.get("variant") else []
        known += [f"seed {row['seed']}"] if str(row.get("seed", "")) else []
        value = f": {shortened(repr(row[column]))}" if column else ""
        texts.append(f"{row_word} {place}".lstrip() + (f" ({', '.join(known)}{value})" if known or value else ""))
    return ", ".join(texts) + (f" and {len(rows) - _NAMED_ROWS} more" if len(rows) > _NAMED_ROWS else "")


def check_thousands(table: pd.DataFrame, column: str, row_word: str) -> None:
    """Raise UserError for a column of numbers whose points may be between thousands, such as `1.003` next to `999`."""
    pointed = points_between_thousands(table[column].unique())
    if pointed:
        cells = table[column].map(str).str.strip().str.replace("\N{MINUS SIGN}", "-")
        where = named_rows(table[cells.isin(pointed)], row_word, column)
        raise UserError(
            f"{column} may have a point between thousands in {where}, next to whole numbers. Write "
            f"{pointed[0].replace('.', '')} for thousands; for decimals, give whole numbers a decimal point (999.0)"
        )


def read_seed_column(table: pd.DataFrame, row_word: str, column: str) -> tuple[pd.DataFrame, bool]:
    """Return the table with seeds as integers, or as words if they are not numbers, and whether they are words.

    Raises UserError for rows without a variant or a seed, and for a `column` called seed that mixes integers and other
    text.
    """
    nameless = table[table["variant"].map(str).str.strip() == ""]
    if len(nameless):
        raise UserError(f"No variant in {named_rows(nameless, row_word)}{_way_out(row_word)}")
    check_thousands(table, "seed", row_word)
    texts = table["seed"].map(str).str.strip()
    empty = table[texts == ""]
    if len(empty):
        hint = ". Choose the seed column with --seed-param NAME" if len(empty) == len(table) else _way_out(row_word)
        raise UserError(f"No seed in {named_rows(empty, row_word)}{hint}")
    bad = table[texts.map(integer).isna()]
    if len(bad) and column == "seed" and (len(bad) < len(table) or texts.map(is_number).any()):
        hint = ". Choose the seed column with --seed-param NAME" if len(bad) == len(table) else _way_out(row_word)
        raise UserError(f"The seed is not an integer in {named_rows(bad, row_word, 'seed')}{hint}")
    return table.assign(seed=_column(read_seeds(texts) or [], table)), bool(len(bad))


def _way_out(row_word: str) -> str:
    """Return what to do about runs in a store or folder; lines of a file need no advice."""
    return ". Add it to these runs, or delete them" if row_word == "run" else ""


def _column(values: list[Seed], table: pd.DataFrame) -> pd.Series:
    """Return seeds as a column of the table; integers beyond 64 bits stay exact as objects."""
    import pandas as pd

    return pd.Series(values, index=table.index)


def is_number(text: str) -> bool:
    """Return whether a text is a number, NaN and infinities included."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def check_rows(table: pd.DataFrame, row_word: str, metric: str) -> list[str]:
    """Return cautions about excluded rows; raise UserError for two results of one variant and seed."""
    cautions = []
    usable = table[table["status"].isin(["finished", "unstable"])]
    doubled = usable[usable.duplicated(["variant", "seed"], keep=False)]
    if len(doubled):
        raise UserError(_duplicates(doubled, row_word, metric))
    empty = table[(table["status"] == "finished") & table[metric].isna()]
    if len(empty):
        cautions.append(f"No {metric} in {named_rows(empty, row_word)}: these finished runs are excluded.")
    return cautions


def _duplicates(rows: pd.DataFrame, row_word: str, metric: str) -> str:
    """Return the error for two or more results of one variant and seed, with the columns in which they differ."""
    ordered = rows.sort_values(["variant", "seed"], kind="stable")
    found = f"Duplicate results: {named_rows(ordered, row_word)}"
    places = _differing(rows, metric)
    names = [rows.attrs.get("original", {}).get(name, name) for name in places]
    if not names and (folders := _folders(rows)):
        return f"{found}. Their names begin with different folders ({listed(folders, 5)}). Read one folder at a time"
    if not names:
        return f"{found}. They differ in no column except {metric}. Keep one row per variant and seed"
    values = listed(map(repr, dict.fromkeys(rows[places[0]].map(str))), 3)
    others = f", and in {listed(names[1:], 2)}" if len(names) > 1 else ""
    if re.sub(r"[^a-z]", "", names[0].lower()) in STEP_COLUMNS.split():
        return (
            f"{found}. They differ in {names[0]} ({values}){others}. Choose one {names[0]} per run with {STEP_CHOICES}"
        )
    return (
        f"{found}. They differ in {names[0]} ({values}){others}. Keep the rows of one {names[0]} (--where), or choose "
        "another variant or seed (--variant-param, --seed-param), or the data sets with --dataset-param"
    )


def _folders(rows: pd.DataFrame) -> list[str]:
    """Return the first folders in the names of results if they distinguish those of one variant and seed."""
    first = [str(name).split("/")[0] if "/" in str(name) else "" for name in rows.index]
    is_apart = all(first) and not rows.assign(_first=first).duplicated(["variant", "seed", "_first"]).any()
    return list(dict.fromkeys(first)) if is_apart else []


def _differing(rows: pd.DataFrame, metric: str) -> list[str]:
    """Return the columns in which results of one variant and seed differ, those that explain the most first.

    Spellings of one number are equal.
    A column with few values explains more than one with a value per row, such as an id, a time or another metric.
    """
    others = rows.columns.difference(["variant", "seed", "status", metric], sort=False)
    rows = rows.assign(**{str(name): rows[name].map(canonical) for name in others})
    groups = rows.groupby(["variant", "seed"], sort=False)
    counts = {str(name): int((groups[name].nunique(dropna=False) > 1).sum()) for name in others}
    names = [name for name, number in counts.items() if number]
    separating = {name: not rows.duplicated(["variant", "seed", name]).any() for name in names}
    values = {name: int(rows[name].nunique()) for name in names}
    is_id = {name: values[name] == len(rows) and len(rows) > 2 for name in names}
    return sorted(names, key=lambda name: (is_id[name], not separating[name], -counts[name], values[name]))

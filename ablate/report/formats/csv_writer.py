"""Write the CSV files of a report, with cells that are safe in a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.report.analysis import Analysis

if TYPE_CHECKING:
    import pandas as pd


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table without its index, with plain cells."""
    plain_cells(table).to_csv(path, index=False)


def write_rows(header: Sequence[str], rows: Iterable[Sequence[object]], path: Path) -> None:
    """Write rows under their header, with plain cells."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows([_plain_cell(cell) for cell in row] for row in (header, *rows))


def interactions_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """Return the rows of interactions.csv."""
    return [
        {
            "pair": row.term, "aliases": " = ".join(row.aliases), "family": row.family, "n": row.n,
            "estimate": row.estimate, "synergy": row.synergy, "level": row.level, "ci_low": row.low,
            "ci_high": row.high,
            "fw_low": row.fw_low, "fw_high": row.fw_high, "p": row.p, "p_holm": row.p_holm, "p_tost": row.p_tost,
            "p_tost_holm": row.p_tost_holm, "verdict": row.verdict, "n_unstable": row.n_unstable,
            "delta_survivors": row.delta_survivors,
        }
        for row in analysis.interactions
    ]  # fmt: skip


def plain_cells(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table in which no text is a formula: spreadsheets evaluate cells that begin with one of `= + - @`.

    Such text, unless it is a number, gets a leading apostrophe (OWASP, CSV injection).
    """
    return table.map(_plain_cell).rename(columns=_plain_cell)


def _plain_cell(cell: object) -> object:
    if not isinstance(cell, str) or not cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell

"""Runs that count as finished by a finite score, while a loss that they recorded ended as NaN or infinity."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from ablate.report.sources.columns import plain
from ablate.report.sources.failure_columns import last_parts, plain_name
from ablate.report.sources.failure_notes import named_runs
from ablate.report.sources.scores import read_number
from ablate.report.study_data import StudyData
from ablate.wording import listed

if TYPE_CHECKING:
    from ablate.report.sources.readers.run_table import RunTable

_PARTS = r"(?:train(?:ing)?|val(?:id(?:ation)?)?|dev|test(?:ing)?|eval|final|last|epoch|step)*"
_LOSS = re.compile(rf"{_PARTS}loss{_PARTS}")


def lost_losses(runs: RunTable, study: StudyData) -> list[str]:
    """Return a warning about finished runs of a study with a loss that is NaN or infinite at the end.

    Args:
        runs: The runs as they were found, one row per run.
        study: The study of these runs.
    """
    lost: dict[Any, list[str]] = {}
    names = {*runs.table.columns, *(name for curves in runs.histories.values() for name in curves)}
    for name in sorted(filter(_is_loss, names)):
        for row in _lost_rows(name, runs):
            lost.setdefault(row, []).append(plain(name))
    failed = [
        status == "finished" and row in lost
        for row, status in zip(study.row_names, study.runs["status"].tolist(), strict=True)
    ]
    if not any(failed):
        return []
    found = [name for row, is_failed in zip(study.row_names, failed, strict=True) if is_failed for name in lost[row]]
    return [
        f"{listed(dict.fromkeys(found), 3)} ended as NaN or infinity ({named_runs(study.runs[failed])}), and the runs "
        f"count as finished. If they diverged, give them a status, or leave them out with --where."
    ]


def _is_loss(column: str) -> bool:
    is_setting = column.startswith(("params.", "tags.", "config."))
    return not is_setting and any(_LOSS.fullmatch(plain_name(part)) for part in last_parts(column))


def _lost_rows(name: str, runs: RunTable) -> list[Any]:
    """Return the rows of the table whose loss is not finite: in their cell, or at the end of their curve."""
    cells = dict(runs.table[name]) if name in runs.table.columns else {}
    ends = {row: curves[name].values[-1] for row, curves in runs.histories.items() if name in curves}
    values = [*((row, read_number(cell)) for row, cell in cells.items()), *ends.items()]
    return list(dict.fromkeys(row for row, value in values if value is not None and not math.isfinite(value)))

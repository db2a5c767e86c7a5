"""Recognise CSV files that the website of W&B exported: its table of runs, and its charts."""

from __future__ import annotations

import re
from dataclasses import replace

from ablate.errors import UserError
from ablate.report.sources.readers.run_table import RunTable
from ablate.wording import listed

_OF_RUNS = {"Name", "State", "Created", "Runtime"}
_OF_A_CHART = re.compile(r"(.+) - (.+)__(?:MIN|MAX)")


def with_names_of_export(runs: RunTable) -> RunTable:
    """Return the runs of a file, with their names if it is a table of runs that W&B exported.

    Raises UserError for the export of a chart, which has columns per run.
    """
    columns = [str(name) for name in runs.table.columns]
    found = [match for name in columns if (match := _OF_A_CHART.fullmatch(name))]
    if found and all(f"{match[1]} - {match[2]}" in columns for match in found):
        raise UserError(
            f"{runs.source} is the export of a chart of W&B, with the columns of several runs "
            f"({listed(dict.fromkeys(match[1] for match in found), 3)}). Export the table of runs, or read the runs "
            "with --wandb"
        )
    if not set(columns) >= _OF_RUNS:
        return runs
    return replace(runs, are_names=True, names=runs.table["Name"].map(str).tolist())

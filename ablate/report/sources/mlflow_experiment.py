"""Anyone's MLflow experiment as a table: params, metrics and the run's name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ablate.errors import UserError
from ablate.journal.run_journal import Run
from ablate.report.sources.table import TableOptions, from_table
from ablate.report.study_data import StudyData
from ablate.tracking import Tracker

if TYPE_CHECKING:
    import pandas as pd

_OPEN = ("running", "scheduled")
_SEED_AT_END = re.compile(r"[/_\- ]*(?:s|seed)[_=\-]?\d+$", re.IGNORECASE)


def from_experiment(experiment: str, tracker: Tracker, options: TableOptions) -> StudyData:
    """The study of an MLflow experiment that anybody's code logged; rows in messages are its runs.

    The variant is a param or tag (`options.variant`, else `variant`), else the run's name without its seed. Raises
    UserError for an experiment without runs, and what `from_table` raises.
    """
    runs = tracker.runs(experiment)
    if not runs:
        raise UserError(f"there are no runs in an experiment named {experiment!r} in {tracker.uri}")
    table, left_out = table_of(runs, options)
    study = from_table(experiment, f"the MLflow experiment {experiment}", table, options, "run")
    if left_out:
        names = ", ".join(left_out[:5]) + (f" and {len(left_out) - 5} more" if len(left_out) > 5 else "")
        study = study.with_cautions(f"Left out, since they have neither a seed nor a metric: {names}.")
    return study


def table_of(runs: Sequence[Run], options: TableOptions) -> tuple[pd.DataFrame, list[str]]:
    """A row a run, its cells text, its index the run's name; and the runs that are no trainings, such as parents."""
    import pandas as pd

    rows, names, left_out = [], [], []
    for run in runs:
        if not run.metrics and options.seed not in run.params:
            left_out.append(run.variant)
            continue
        rows.append(_row(run, options))
        names.append(run.name)
    table = pd.DataFrame(rows, index=names).fillna("")
    for column in table.columns:
        table[column] = table[column].map(_text)
    return table, left_out


def _row(run: Run, options: TableOptions) -> dict[str, Any]:
    metrics = {name.replace("/", "_"): value for name, value in run.metrics.items()}
    row: dict[str, Any] = {**run.tags, **metrics, **run.params}
    row["status"] = run.status if run.status not in _OPEN else "running"
    row.setdefault(options.seed, "" if options.seed != "seed" else _seed(run))
    if not options.factors or "variant" in row:
        row.setdefault("variant", _SEED_AT_END.sub("", run.variant) or run.variant)
    return row


def _seed(run: Run) -> Any:
    """The seed of a run whose params do not name it: from its own name, if that ends in one."""
    found = re.search(r"(?:s|seed)[_=\-]?(\d+)$", run.variant, re.IGNORECASE)
    return found[1] if found else run.seed if run.key else ""


def _text(value: Any) -> str:
    return "" if value is None else str(value)

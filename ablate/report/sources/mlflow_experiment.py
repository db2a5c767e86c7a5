"""Read an MLflow experiment of any code as a table: parameters, metrics, tags and run names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ablate.errors import UserError
from ablate.journal.run_journal import Run
from ablate.report.sources.table import TableOptions, from_table
from ablate.report.study_data import StudyData
from ablate.tracking import Tracker
from ablate.wording import listed

if TYPE_CHECKING:
    import pandas as pd

_OPEN = ("running", "scheduled")
_SEED_AT_END = re.compile(r"[/_\- ]*(?:s|seed)[_=\-]?\d+$", re.IGNORECASE)


def from_experiment(experiment: str, tracker: Tracker, options: TableOptions) -> StudyData:
    """Return the runs of an MLflow experiment.

    The variant is a parameter or tag (`options.variant`, else `variant`), else the run's name without its seed. Raises
    UserError for an experiment without runs, and the errors of `from_table`, whose messages name runs.
    """
    runs = tracker.runs(experiment)
    if not runs:
        raise UserError(f"No runs in the experiment {experiment!r} of {tracker.uri}")
    table, excluded = table_of(runs, options)
    study = from_table(experiment, f"the MLflow experiment {experiment}", table, options, "run")
    if excluded:
        study = study.with_cautions(f"Excluded because they have neither a seed nor a metric: {listed(excluded, 5)}.")
    return study


def table_of(runs: Sequence[Run], options: TableOptions) -> tuple[pd.DataFrame, list[str]]:
    """Return a table of text cells, indexed by run name, and the runs that are not trainings, such as parent runs."""
    import pandas as pd

    rows, names, excluded = [], [], []
    for run in runs:
        if not run.metrics and options.seed not in run.params:
            excluded.append(run.variant)
            continue
        rows.append(_row(run, options))
        names.append(run.name)
    table = pd.DataFrame(rows, index=names).fillna("")
    for column in table.columns:
        table[column] = table[column].map(_text)
    return table, excluded


def _row(run: Run, options: TableOptions) -> dict[str, Any]:
    metrics = {name.replace("/", "_"): value for name, value in run.metrics.items()}
    row: dict[str, Any] = {**run.tags, **metrics, **run.params}
    row["status"] = run.status if run.status not in _OPEN else "running"
    row.setdefault(options.seed, "" if options.seed != "seed" else _seed(run))
    if not options.factors or "variant" in row:
        row.setdefault("variant", _SEED_AT_END.sub("", run.variant) or run.variant)
    return row


def _seed(run: Run) -> Any:
    """Return the seed of a run without a seed parameter: the number at the end of its name."""
    found = re.search(r"(?:s|seed)[_=\-]?(\d+)$", run.variant, re.IGNORECASE)
    return found[1] if found else run.seed if run.key else ""


def _text(value: Any) -> str:
    return "" if value is None else str(value)

"""Read the trials of an Optuna study: parameters, user attributes, objectives and intermediate values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ablate.errors import UsageError
from ablate.redaction import mask_uri
from ablate.report.sources.columns import DEFAULT_METRICS, plain
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.readers.run_table import Curve, RunTable, cell, flat, table_of_rows
from ablate.tuning.stored_study import StoredStudy, StoredTrial, read_stored_study
from ablate.wording import listed

INTERMEDIATE = "intermediate_value"
"""Name of the metric with the values that a trial reported before its end."""

UNPLACED = "without a result and without a variant or a seed"


def read_optuna(storage: str, study: str | None, options: TableOptions) -> RunTable:
    """Return the trials of a study: `params.NAME`, user attributes as `tags.NAME`, `metrics.NAME` and `status`.

    The goals of the objectives are those of the study, and its only objective is the metric. Trials that failed or wait
    without a variant or a seed are set aside.

    Args:
        storage: URL of a database, or path of an SQLite database or a journal file.
        study: Name of the study; None for the only one.
        options: Names of the variant, the seed, the factors and the metric.

    Raises:
        UsageError: The study or the objective has to be chosen, or an objective has one value and a step is chosen.
        UserError: The storage cannot be read, or the study is not in it.
    """
    found = read_stored_study(storage, study)
    metric = _metric(found, options)
    rows, aside = {}, []
    roles = [options.variant or "variant"] if options.variant or not options.factors else []
    roles = [plain(name) for name in [*roles, options.seed, *options.factors]]
    complete = [trial for trial in found.trials if trial.state == "complete"]
    needed = [name for name in roles if any(name in _settings(trial) for trial in complete)]
    for trial in found.trials:
        if trial.state == "complete" or all(name in _settings(trial) for name in needed):
            rows[_name(trial)] = _row(trial, list(found.goals))
        else:
            aside.append(f"{_name(trial)} ({trial.state})")
    curves = {_name(trial): {INTERMEDIATE: _curve(trial.intermediate)} for trial in complete if trial.intermediate}
    return RunTable(
        f"the Optuna study {found.name} in {mask_uri(storage)}",
        table_of_rows(rows),
        "",
        {UNPLACED: aside} if aside else {},
        curves,
        metric=metric,
        goals={**found.goals, **({INTERMEDIATE: next(iter(found.goals.values()))} if curves else {})},
    )


def _metric(study: StoredStudy, options: TableOptions) -> str:
    """Return the metric to compare: the one that is asked for, or the only objective; empty for a default name."""
    names = list(study.goals)
    asked = options.metric
    if asked is None and len(names) > 1 and not set(names) & set(DEFAULT_METRICS):
        raise UsageError(
            f"The study {study.name} has {len(names)} objectives: {listed(names)}. Choose one with --metric"
        )
    name = plain(asked) if asked else names[0] if len(names) == 1 else ""
    if options.step is not None and name in names:
        raise UsageError(
            f"{name} has one value per trial. Omit --step, or compare the reported values with --metric {INTERMEDIATE}"
        )
    return name if asked is None else asked


def _name(trial: StoredTrial) -> str:
    return f"trial {trial.number}"


def _settings(trial: StoredTrial) -> dict[str, Any]:
    return {**trial.user_attrs, **trial.params}


def _row(trial: StoredTrial, objectives: Sequence[str]) -> dict[str, str]:
    return {
        "status": trial.state,
        **{f"params.{name}": "none" if value is None else cell(value) for name, value in trial.params.items()},
        **{f"tags.{name}": cell(value) for name, value in flat(trial.user_attrs)},
        **{f"metrics.{name}": cell(value) for name, value in zip(objectives, trial.values, strict=False)},
    }


def _curve(values: Mapping[int, float]) -> Curve:
    steps = sorted(values)
    return Curve(steps, [values[step] for step in steps])

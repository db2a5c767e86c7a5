"""Make the study of a report from the runs that a reader found, whatever their source."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from ablate.errors import UsageError, UserError
from ablate.report.sources.columns import DEFAULT_METRICS, find_column, plain
from ablate.report.sources.differing_settings import check_settings
from ablate.report.sources.existing_runs import TableOptions, from_table
from ablate.report.sources.failure_notes import failure_notes
from ablate.report.sources.lost_losses import lost_losses
from ablate.report.sources.name_variants import NamedVariants, taken_columns, with_named_variants
from ablate.report.sources.readers import tensorboard_runs, wandb_folder
from ablate.report.sources.readers.run_table import UNREADABLE, RunTable
from ablate.report.sources.run_histories import recorded_curves, undrawn_histories
from ablate.report.sources.seed_column import with_seeds
from ablate.report.sources.step_rows import run_of_rows
from ablate.report.sources.steps import with_chosen_steps
from ablate.report.sources.where import read_condition, reason_of, where
from ablate.report.study_data import StudyData
from ablate.wording import count, listed

if TYPE_CHECKING:
    import pandas as pd

_DAMAGED = (UNREADABLE, tensorboard_runs.CORRUPT, wandb_folder.CORRUPT)


def study_of(name: str, runs: RunTable, options: TableOptions) -> StudyData:
    """Return the runs of a reader as the data of a report. Runs that the reader set aside become cautions and counts.

    Secondary metrics are read as the first one is, and their warnings are those that the first one has not. Raises the
    errors of `with_seeds`, `where`, `with_named_variants`, `with_chosen_steps` and `from_table`.
    """
    try:
        study = _of_one_metric(name, runs, options)
    except UserError as error:
        error.args = (f"{error}{_unread(runs)}", *error.args[1:])
        raise
    others = []
    for metric in options.secondary:
        try:
            other = _of_one_metric(name, runs, options.for_secondary(metric))
        except UsageError as error:
            options_missing = any(flag in str(error) for flag in ("--metric-goal", "--unit", "--margin"))
            form = f". Options of the metric {metric.name} have the form {metric.name}=VALUE" if options_missing else ""
            raise UsageError(f"{error}{form}") from None
        own = [text for text in other.cautions if text not in study.cautions]
        study = study.with_cautions(*(f"Secondary metric {other.metric.label}: {text}" for text in own))
        others.append(other)
    return replace(study, secondary=others)


def _unread(runs: RunTable) -> str:
    """Return a sentence on the runs with a file that cannot be read, which may be those that an error misses."""
    found = [(reason, names) for reason, names in runs.set_aside.items() if reason in _DAMAGED]
    parts = [f"{count(len(names), 'run')} {reason}: {listed(names, 3)}" for reason, names in found]
    return f". Not read: {'; '.join(parts)}" if parts else ""


def _of_one_metric(name: str, runs: RunTable, options: TableOptions) -> StudyData:
    """Return the runs with one metric."""
    runs, options = with_seeds(runs, _with_declared_metric(runs, options))
    named = with_named_variants(where(runs, options), options)
    runs, options = with_chosen_steps(named.runs, named.options), named.options
    study = from_table(name, runs.source, runs.table, options, runs.row_word, runs.statement, runs.diverged)
    study = _with_setting_checks(study, named, runs.table, options)
    study = study.with_cautions(*failure_notes(runs.table, study), *lost_losses(runs, study))
    asked = {reason_of(read_condition(text)) for text in options.where}
    for reason, excluded in runs.set_aside.items():
        if reason not in asked:
            study = study.with_cautions(f"{count(len(excluded), 'run')} {reason} excluded: {listed(excluded, 5)}.")
    counts = replace(study.counts, set_aside={reason: len(found) for reason, found in runs.set_aside.items()})
    study = replace(study.with_cautions(*runs.cautions), counts=counts, found=named.found)
    limits = (*study.limits, *undrawn_histories(study, runs))
    return replace(study, limits=limits, recorded=lambda: recorded_curves(study, runs))


def _with_setting_checks(
    study: StudyData, named: NamedVariants, table: pd.DataFrame, options: TableOptions
) -> StudyData:
    """Return the study with warnings about settings that differ, and the names of those that belong to variants.

    `named` are the runs before the choice of a step, and `table` has one row per run.
    """
    variant = options.variant or ("" if named.runs.names else "variant")
    named_by = [key.column for key in named.found.keys] if named.found else [variant] * bool(variant)
    named_by = [column for column in named_by if find_column(table, column)] or list(options.factors)
    roles = [find_column(table, column) or column for column in (*named_by, *options.factors, "variant")]
    seed = find_column(table, options.seed) or options.seed
    others = {*roles, *taken_columns(table, options, seed), *study.factors}
    others |= _schedules(named, [name for name in table.columns if name not in others and table[name].nunique() > 1])
    cautions, of_variants = check_settings(table, study, others, named_by)
    words = f"; variants differ in {listed(of_variants, 5)}." if of_variants else "."
    return replace(study.with_cautions(*cautions), statement=study.statement.removesuffix(".") + words)


def _schedules(named: NamedVariants, columns: Iterable[str]) -> set[str]:
    """Return the columns that change between the rows of a run, in a table with one row per step."""
    if named.options.step is None or named.runs.has_one_row_per_run:
        return set()
    run_of, table = run_of_rows(named.runs, named.options), named.runs.table
    return {name for name in columns if (table[name].groupby(run_of).nunique() > 1).any()}


def _with_declared_metric(runs: RunTable, options: TableOptions) -> TableOptions:
    """Return options with the metric and the goal of the source. Raises UsageError if the user has another goal."""
    options = replace(options, metric=options.metric or runs.metric or None)
    spelled = [plain(name).replace("/", "_") for name in ([options.metric] if options.metric else DEFAULT_METRICS)]
    found = next((name for name in runs.goals if name.replace("/", "_") in spelled), None)
    if found is None:
        return options
    goal = runs.goals[found]
    if options.goal not in (None, goal):
        better = "lower" if goal == "min" else "higher"
        raise UsageError(
            f"--metric-goal {options.goal} contradicts {runs.source}, by which {better} values of {found} are better"
        )
    return replace(options, goal=goal, goal_origin="by the study")

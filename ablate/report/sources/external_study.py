"""Make the study of a report from the runs that a reader found, whatever their source."""

from __future__ import annotations

from dataclasses import replace

from ablate.errors import UsageError
from ablate.report.sources.columns import DEFAULT_METRICS, find_column, plain
from ablate.report.sources.existing_runs import TableOptions, from_table
from ablate.report.sources.readers.run_table import RunTable
from ablate.report.sources.run_names import seed_in, without_seeds
from ablate.report.sources.steps import with_chosen_steps
from ablate.report.study_data import StudyData
from ablate.wording import count, listed


def study_of(name: str, runs: RunTable, options: TableOptions) -> StudyData:
    """Return the runs of a reader as the data of a report. Runs that the reader set aside become cautions and counts.

    Raises the errors of `with_chosen_steps` and `from_table`.
    """
    options = _with_declared_metric(runs, options)
    runs = with_chosen_steps(_with_roles_in_names(runs, options), options)
    study = from_table(name, runs.source, runs.table, options, runs.row_word, runs.statement, runs.diverged)
    for reason, excluded in runs.set_aside.items():
        study = study.with_cautions(f"{count(len(excluded), 'run')} {reason} excluded: {listed(excluded, 5)}.")
    counts = replace(study.counts, set_aside={reason: len(found) for reason, found in runs.set_aside.items()})
    return replace(study.with_cautions(*runs.cautions), counts=counts)


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


def _with_roles_in_names(runs: RunTable, options: TableOptions) -> RunTable:
    """Return runs with seed and variant from their names, for columns that are missing."""
    if not runs.are_names:
        return runs
    table, names, found = runs.table, [str(name) for name in runs.table.index], []
    column = find_column(table, options.seed)
    seeds = table[column].tolist() if column else list(map(seed_in, names))
    if column is None and options.seed == "seed" and any(seeds):
        table = table.assign(seed=seeds)
        found.append("seed")
    if options.variant is None and not options.factors and find_column(table, "variant") is None:
        table = table.assign(variant=without_seeds(names, seeds))
        found.insert(0, "variant")
    words = f"{' and '.join(found)} by the names of the runs" if found else ""
    return replace(runs, table=table, statement="; ".join(filter(None, [runs.statement, words])))

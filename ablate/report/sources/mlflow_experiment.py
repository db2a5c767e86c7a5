"""Read an MLflow experiment of any code as a table: parameters, metrics, tags and run names."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ablate.errors import UserError
from ablate.journal.run_journal import Run
from ablate.report.sources.columns import DEFAULT_METRICS, find_column, plain
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.known_keys import is_seed
from ablate.report.sources.readers.run_table import Curve, RunTable
from ablate.report.sources.run_names import seed_in, without_seeds
from ablate.report.sources.seed_column import DEFAULT, SEED_IN_NAMES
from ablate.tracking import Tracker
from ablate.wording import listed, unknown

if TYPE_CHECKING:
    import pandas as pd

NO_TRAININGS = "with neither a seed nor a metric"
PARENTS = "that are parents of nested runs and have no seed"
SUMMARIES = "that are parents of runs of the same variant with other seeds"
WITHOUT_METRIC = "that are parents of runs with the metric, and lack it"
NESTED = "nested in other runs, with neither a seed nor the metric"


def read_experiments(
    experiments: Sequence[str], tracker: Tracker, options: TableOptions, condition: str = ""
) -> RunTable:
    """Return the runs of MLflow experiments that satisfy a filter in MLflow's syntax.

    Of several experiments, the column `experiment` has the name of each run's. Raises UserError for an experiment
    without runs, and for an invalid filter.
    """
    runs = [run for name in dict.fromkeys(experiments) for run in _runs_of(name, tracker, condition)]
    options = replace(options, seed=_seed_name(runs, options.seed))
    runs, inherited = _with_values_of_parents(runs, options)
    used, set_aside = _split(runs, options, inherited)
    table = table_of(used, options)
    column = find_column(table, options.seed)
    names = without_seeds([run.variant for run in used], table[column].tolist() if column else [""] * len(used))
    words = SEED_IN_NAMES if "seed" in table.columns else ""
    of_parents = list(dict.fromkeys(name for names in inherited.values() for name in names))
    words = "; ".join(
        [*[f"{listed(of_parents)} of nested runs: as in their parents"] * bool(of_parents), *[words] * bool(words)]
    )
    aside = {reason: [run.variant for run in excluded] for reason, excluded in set_aside.items()}
    steps = {run.name: run.last_steps for run in used}
    several = len(set(experiments)) > 1
    if several and "experiment" not in table.columns:
        table["experiment"] = [run.study for run in used]
    words = "; ".join(filter(None, [f"filter: {condition}" * bool(condition), words]))
    source = f"the MLflow experiment{'s' * several} {listed(experiments)}"
    by_name = {run.name: run for run in used}
    return RunTable(
        source,
        table,
        "run",
        aside,
        load_curves=lambda row, metrics: _curves(tracker.history(by_name[row], metrics), metrics),
        last_steps=steps,
        names=names,
        statement=words,
    )


def _curves(rows: Sequence[Mapping[str, float]], names: Sequence[str]) -> dict[str, Curve]:
    points = {name: [(float(row["step"]), row[name]) for row in rows if name in row] for name in names}
    return {
        name: Curve(array("d", [step for step, _ in found]), array("d", [value for _, value in found]))
        for name, found in points.items()
        if found
    }


def _runs_of(name: str, tracker: Tracker, condition: str) -> list[Run]:
    runs = tracker.runs(name, condition) if condition else tracker.runs(name)
    if runs:
        return runs
    known = tracker.experiments()
    if name not in known:
        raise UserError(f"{unknown('experiment', name, known)}. The store is {tracker.uri}")
    matching = f" match the filter {condition!r}" if condition else ""
    raise UserError(f"No runs in the experiment {name!r} of {tracker.uri}{matching}")


def _seed_name(runs: Sequence[Run], asked: str) -> str:
    """Return the name of the seeds: the one asked for, or instead of `seed` the only other known one."""
    names = dict.fromkeys(name for run in runs for name in (*run.params, *run.tags))
    known = list(filter(is_seed, names))
    return known[0] if asked == DEFAULT and DEFAULT not in names and len(known) == 1 else asked


def _with_values_of_parents(runs: Sequence[Run], options: TableOptions) -> tuple[list[Run], dict[str, list[str]]]:
    """Return runs with the seed and the named keys of the run above them, where they have the metric and lack the key.

    Programs that search, as scikit-learn's searches do under `mlflow.autolog`, record what is common to all trials in
    the parent only. The second value has the names of these keys by run.
    """
    by_name, metrics = {run.name: run for run in runs}, _metric_names(options)
    asked = [options.variant or "", *(options.variant or "").split(","), *options.factors, options.dataset or ""]
    keys = [options.seed, *dict.fromkeys(name.strip() for name in asked if name.strip())]
    found, inherited = [], dict[str, list[str]]()
    for run in runs:
        above = _above(run, by_name) if metrics & run.metrics.keys() else []
        lacking = [name for name in map(plain, keys) if name not in run.params and name not in run.tags]
        lacking = [name for name in lacking if name != DEFAULT or not seed_in(run.variant)]
        settings = {
            name: value for parent in reversed(above) for name, value in {**parent.tags, **parent.params}.items()
        }
        values = {name: settings[name] for name in lacking if name in settings}
        inherited |= {run.name: list(values)} if values else {}
        found.append(replace(run, params={**run.params, **values}) if values else run)
    return found, inherited


def _above(run: Run, by_name: Mapping[str, Run]) -> list[Run]:
    """Return the runs above a run, the nearest first."""
    found = {run.name: run}
    while (parent := by_name.get(run.parent)) is not None and parent.name not in found:
        found[parent.name] = run = parent
    return list(found.values())[1:]


def _metric_names(options: TableOptions) -> set[str]:
    metrics = {plain(name) for name in [options.metric] if name} or set(DEFAULT_METRICS)
    return metrics | {spelled for name in metrics for spelled in (name.replace("_", "/", 1), name.replace("/", "_"))}


def _split(
    runs: Sequence[Run], options: TableOptions, inherited: Mapping[str, Sequence[str]]
) -> tuple[list[Run], dict[str, list[Run]]]:
    """Return the trainings, and other runs by reason: parents of nested runs often sum these up."""
    seed, parents, summaries = plain(options.seed), {run.parent for run in runs}, _summaries(runs, options)
    by_name, metrics = {run.name: run for run in runs}, _metric_names(options)
    without = {above.name for name in inherited for above in _above(by_name[name], by_name)
               if not metrics & above.metrics.keys()}  # fmt: skip
    used: list[Run] = []
    set_aside: dict[str, list[Run]] = {}
    for run in runs:
        if run.name in summaries:
            set_aside.setdefault(SUMMARIES, []).append(run)
        elif run.name in without:
            set_aside.setdefault(WITHOUT_METRIC, []).append(run)
        elif seed in run.params or seed in run.tags or (options.seed == "seed" and _seed(run)):
            used.append(run)
        elif run.name in parents:
            set_aside.setdefault(PARENTS, []).append(run)
        elif run.parent in by_name and run.metrics and not metrics & run.metrics.keys():
            set_aside.setdefault(NESTED, []).append(run)
        elif run.metrics:
            used.append(run)
        else:
            set_aside.setdefault(NO_TRAININGS, []).append(run)
    return used, set_aside


def _summaries(runs: Sequence[Run], options: TableOptions) -> set[str]:
    """Return the parents, at any depth, of runs of the same variant that have the metric and another seed."""
    by_name, metrics = {run.name: run for run in runs}, _metric_names(options)
    found = set()
    for run in runs:
        own = _arm_and_seed(run, options)
        for above in _above(run, by_name) if own[1] and metrics & run.metrics.keys() else []:
            arm, seed = _arm_and_seed(above, options)
            if seed and arm == own[0] and seed != own[1]:
                found.add(above.name)
    return found


def _arm_and_seed(run: Run, options: TableOptions) -> tuple[list[str], str]:
    """Return the values that name the variant of a run, or its name without the seed, and its seed."""
    settings = {**run.tags, **run.params}
    seed = _text(settings.get(plain(options.seed))) or (_seed(run) if options.seed == "seed" else "")
    asked = (options.variant or "").split(",") if options.variant not in settings else [str(options.variant)]
    columns = asked if options.variant else list(options.factors) or ["variant"]
    arm = [_text(settings.get(plain(name))) for name in columns]
    return (arm if any(arm) else without_seeds([run.variant], [seed])), seed


def table_of(used: Sequence[Run], options: TableOptions) -> pd.DataFrame:
    """Return a table of text cells, indexed by run.

    The columns are `status`, `tags.NAME`, `metrics.NAME` and `params.NAME`; `seed` too, where only the names of the
    runs contain it.
    """
    import pandas as pd

    table = pd.DataFrame([_row(run) for run in used], index=[run.name for run in used]).fillna("")
    column = find_column(table, options.seed)
    seeds = [] if column else [_seed(run) for run in used]
    if options.seed == DEFAULT and any(seeds):
        table["seed"] = seeds
    return table


def _row(run: Run) -> dict[str, str]:
    kinds = {"tags": run.tags, "metrics": run.metrics, "params": run.params}
    columns = {f"{kind}.{name}": _text(value) for kind, values in kinds.items() for name, value in values.items()}
    return {"status": run.status, **columns}


def _seed(run: Run) -> str:
    """Return the seed of a run without a seed parameter: of ours, the recorded one, else that in its name, if any."""
    return str(run.seed) if run.key else seed_in(run.variant)


def _text(value: Any) -> str:
    return "" if value is None else str(value)

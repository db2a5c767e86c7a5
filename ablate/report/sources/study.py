"""Read a study from the store: its plan, the runs that carry it out, and its declaration."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ablate.errors import UserError
from ablate.journal.run_journal import Run
from ablate.report.sources.artifacts import find_batch, read_correct, read_curves, read_labels
from ablate.report.sources.conditions import condition_cautions, conditions_facts, no_op_cautions
from ablate.report.sources.declarations import (
    declared_comparisons,
    declared_facts,
    declared_limits,
    declared_purposes,
    differences_text,
    has_older_seed,
    recorded_facts,
    reproduction_commands,
    scale_line,
)
from ablate.report.sources.percentages import percentage_cautions
from ablate.report.sources.recorded_design import design_table, in_question, levels_table
from ablate.report.sources.searches import read_searches
from ablate.report.study_data import RunCounts, StudyData
from ablate.runs.run_table import judged, run_table
from ablate.stats.effects import STATUSES, Looks, Protocol, missing_runs, replay, start_monitoring
from ablate.stats.metric import Metric
from ablate.tracking import PlanEntry, StudyRecord, Tracker, run_title
from ablate.wording import count

if TYPE_CHECKING:
    import pandas as pd

_DESIGN = {"metric", "factors", "arms", "comparisons"}


def from_study(name: str, tracker: Tracker, margin: float | None = None, floor: float | None = None) -> StudyData:
    """Return the study `name`; another `margin` than the declared one makes its verdicts exploratory.

    `floor`, if given, is the value that unstable runs without a finite one count as. Raises UserError for a study that
    is not in the store, or whose record lacks the design.
    """
    record = tracker.study(name)
    if not record.details.keys() >= _DESIGN or record.declared.get("margin") is None:
        raise UserError(f"The record of {name} lacks the design. Run `ablate sweep` again to complete it")
    declared, details = record.declared, record.details
    own = tracker.runs(record.name)
    matched = match_runs(record, own, tracker)
    metric = _metric(details, matched.values(), floor)
    runs = {entry: judged(run, metric) for entry, run in matched.items()}
    results = {entry: run for entry, run in runs.items() if run.is_result}
    margin = float(declared["margin"]) if margin is None else margin
    looks, counts = _looks(details), _run_counts(record, runs, own)
    study = StudyData(
        name=record.name,
        question=record.question.strip(),
        scale=scale_line(record, list(runs.values())),
        runs=_table(runs, metric),
        metric=metric,
        margin=margin,
        comparisons=declared_comparisons(record, results),
        factors=[str(factor) for factor in details["factors"]],
        design=design_table(details),
        levels=levels_table(details),
        baseline=str(declared.get("baseline", "baseline")),
        counts=counts,
        looks=looks,
        protocol=_protocol(record, kept=margin == float(declared["margin"]) and not has_older_seed(record, results)),
        design_name=str(declared.get("design", "")),
        seeds=[int(seed) for seed in declared.get("seeds", ())],
        facts=[*declared_facts(record), *recorded_facts(record, counts), *conditions_facts(list(runs.values()))],
        cautions=[*_floor_caution(floor, details), *_cautions(record, margin, results, metric)],
        limits=declared_limits(record),
        commands=reproduction_commands(record, list(results.values())),
        searches=read_searches(details),
        purposes=declared_purposes(record, runs.values()),
    )
    study = _with_artifacts(study, results, tracker)
    return study if looks is None else _with_looks(study, looks)


def _with_artifacts(study: StudyData, results: Mapping[PlanEntry, Run], tracker: Tracker) -> StudyData:
    """Return the study with functions that read the artifacts of its runs when they are needed."""
    return replace(
        study,
        curves=lambda: read_curves(results, tracker),
        correct=lambda: read_correct(results, tracker, study.metric.tracked),
        labels=lambda: read_labels({run.data for run in results.values()}),
        batch=lambda: find_batch(results, tracker, study.baseline),
    )


def match_runs(record: StudyRecord, own: Sequence[Run], tracker: Tracker) -> dict[PlanEntry, Run]:
    """Return the run of each planned entry that has one, in the plan's order.

    `own` are the runs of the study's experiment; runs that were reused from other experiments are looked up.
    """
    wanted = {entry.run for entry in record.planned_runs if entry.run}
    found = {run.name: run for run in own if run.name in wanted}
    if wanted - found.keys():
        found |= {run.name: run for run in tracker.runs() if run.name in wanted}
    by_recipe = _by_recipe(own)
    matched = {}
    for entry in record.planned_runs:
        run = found.get(entry.run or "") or by_recipe.get((entry.key, entry.data))
        if run is not None:
            matched[entry] = run
    return matched


def _by_recipe(runs: Sequence[Run]) -> dict[tuple[str, str], Run]:
    """Return the newest result of each recipe, or else its newest attempt, for studies that are still running."""
    ordered = sorted(runs, key=lambda run: (run.is_result, run.started))
    return {(run.key, run.data): run for run in ordered}


def _table(runs: Mapping[PlanEntry, Run], metric: Metric) -> pd.DataFrame:
    """Return the ended runs as a table, under the names and seeds of the plan: older runs may carry other names."""
    planned = [replace(run, variant=entry.variant, seed=entry.seed) for entry, run in runs.items()]
    table = run_table(planned, metric)
    return table[table["status"].isin(STATUSES)].reset_index(drop=True)


def _metric(details: Mapping[str, Any], runs: Iterable[Run], floor: float | None) -> Metric:
    """Return the recorded metric with `floor`, or else the declared one; in older records, with that of its runs."""
    metric = Metric.from_dict(details["metric"])
    if floor is not None:
        metric.check_fraction(floor, "--floor")
        return metric.with_floor(floor)
    known = [run.floor for run in runs if run.floor is not None]
    return metric.with_floor(details.get("floor", min(known, default=None)))


def _unit_cautions(results: Iterable[Run], metric: Metric) -> list[str]:
    """Return a warning about scores that may be in another unit. Raises UserError for scores that are not."""
    stable = {}
    for run in results:
        score = run.metrics.get(metric.tracked, math.nan)
        metric.check_fraction(score, f"{metric.name} of {run_title(run)}")
        if run.status == "finished":
            stable[run_title(run)] = score
    return percentage_cautions(stable, metric)


def _floor_caution(floor: float | None, details: Mapping[str, Any]) -> list[str]:
    declared = details.get("floor")
    if floor is None or floor == declared:
        return []
    return [f"The floor of this report is {floor:g}; the study declared {'none' if declared is None else declared}."]


def _protocol(record: StudyRecord, *, kept: bool) -> Protocol:
    """Return whether the plan was `kept` and is as in the first record, and whether its seeds were changed.

    Looks are a choice of seeds too: after sequential testing, all planned seeds may have been analysed before.
    """
    kept = kept and all(
        earlier.get(name, record.declared.get(name)) == record.declared.get(name)
        for earlier in record.earlier
        for name in ("margin", "metric", "goal", "metric.unit", "baseline")
    )
    asked = in_question(record.declared)
    kept = kept and all(in_question(earlier) <= asked for earlier in record.earlier)
    seeds = set(record.declared.get("seeds", ()))
    looks = record.declared.get("looks")
    changed = any(set(was.get("seeds", seeds)) != seeds or was.get("looks") != looks for was in record.earlier)
    return Protocol(planned=kept, extended=changed)


def _cautions(record: StudyRecord, margin: float, results: Mapping[PlanEntry, Run], metric: Metric) -> list[str]:
    """Return the warnings at the top: units, changed declarations, mixed conditions, switches without effect."""
    lines = _unit_cautions(results.values(), metric)
    declared = float(record.declared["margin"])
    if margin != declared:
        lines.append(f"The margin of this report is {margin:g}; the study declared {declared:g}.")
    for name in dict.fromkeys(name for earlier in record.earlier for name in earlier):
        now = record.declared.get(name)
        before = [earlier[name] for earlier in record.earlier if name in earlier and earlier[name] != now]
        if before:
            words = name.replace("metric.unit", "unit of the metric")
            lines.append(f"Changed after the start of the study: {words} from {_text(before[-1])} to {_text(now)}.")
    no_ops = no_op_cautions(record.details["comparisons"], results, metric.tracked)
    return [*lines, *condition_cautions(results.values()), *no_ops]


def _text(value: Any) -> str:
    if isinstance(value, Mapping):  # the arms that a study names
        return "; ".join(f"{arm} ({', '.join(differences_text(differences))})" for arm, differences in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _run_counts(record: StudyRecord, runs: Mapping[PlanEntry, Run], own: Sequence[Run]) -> RunCounts:
    statuses: dict[str, int] = {}
    for run in runs.values():
        statuses[run.status] = statuses.get(run.status, 0) + 1
    keys = {(entry.key, entry.data) for entry in record.planned_runs}
    attempts = [run for run in own if (run.key, run.data) in keys]
    seconds = {run.name: _seconds(run) for run in [*attempts, *runs.values()]}
    results = [run for run in runs.values() if run.is_result]
    return RunCounts(
        planned=len(record.planned_runs),
        statuses=statuses,
        missing=[(entry.variant, entry.seed) for entry in record.planned_runs if entry not in runs],
        running=[(entry.variant, entry.seed) for entry, run in runs.items() if run.status == "running"],
        reused=sum(run.is_result and run.study != record.name for run in runs.values()),
        before=sum((run.ended or math.inf) < record.since for run in results) if record.since else None,
        seconds=sum(seconds.values()),
    )


def _seconds(run: Run) -> float:
    if "time/total_s" in run.metrics:
        return run.metrics["time/total_s"]
    return max(0.0, run.ended - run.started) if run.ended is not None else 0.0


def _looks(details: Mapping[str, Any]) -> Looks | None:
    """Return the looks of sequential testing (`--until-clear`): numbers of seeds, and the alpha of each."""
    plain = details.get("looks")
    return Looks(tuple(int(seeds) for seeds in plain[0]), tuple(plain[1])) if plain else None


def _with_looks(study: StudyData, looks: Looks) -> StudyData:
    """Return the study with the runs that the next look needs as its missing ones: stopped comparisons need no more."""
    state = replay(
        start_monitoring(study.comparisons, study.integer_seeds, looks), study.runs, study.metric, study.margin
    )
    needed = set(missing_runs(state, study.runs, study.metric))
    missing = [run for run in study.counts.missing if run in needed]
    spared = len(study.counts.missing) - len(missing) if state.done else 0
    left = "all comparisons stopped" if state.done else f"{count(len(state.undecided), 'comparison')} undecided"
    seeds, alphas = ", ".join(map(str, looks.seeds)), ", ".join(f"{alpha:g}" for alpha in looks.alphas)
    fact = f"{state.taken} of the looks at {seeds} seeds taken; {left} (alpha {alphas})"
    return replace(
        study,
        counts=replace(study.counts, missing=missing, spared=spared),
        facts=[("Sequential testing", fact), *study.facts],
    )

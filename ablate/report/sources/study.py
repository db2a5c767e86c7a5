"""A study of ours, as the tracker has it: the plan, the runs that answer it, and what was declared."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ablate.errors import UserError
from ablate.journal.run_journal import Run
from ablate.report.sources.artifacts import read_correct, read_curves
from ablate.report.sources.conditions import condition_cautions, conditions_facts, no_op_cautions
from ablate.report.sources.declarations import declared_facts, declared_limits, recorded_facts, reproducing, scale_line
from ablate.report.sources.searches import read_searches
from ablate.report.study_data import RunCounts, StudyData
from ablate.runs.run_table import run_table
from ablate.stats.effects import STATUSES, Comparison, Looks, Protocol, missing_runs, replay, start_monitoring
from ablate.stats.metric import Metric
from ablate.tracking import PlanEntry, StudyRecord, Tracker
from ablate.wording import count

if TYPE_CHECKING:
    import pandas as pd


def from_study(name: str, tracker: Tracker, margin: float | None = None) -> StudyData:
    """The study of the study `name`; `margin` replaces the declared one, which makes its verdicts exploratory.

    Raises UserError for a study that the store does not know, or whose record says nothing of its design.
    """
    record = tracker.study(name)
    if not record.details:
        raise UserError(f"the record of {name} has no layout: run `ablate sweep` on it once more, which writes it")
    own = tracker.runs(record.name)
    runs = answers(record, own, tracker)
    metric = _metric(record.details["metric"], runs.values())
    table = run_table([_as_planned(run, entry) for entry, run in runs.items()], metric)
    table = table[table["status"].isin(STATUSES)].reset_index(drop=True)
    results = {entry: run for entry, run in runs.items() if run.is_result}
    asked = float(record.declared["margin"]) if margin is None else margin
    looks, counts = looks_of(record.details), _run_counts(record, runs, own)
    found = StudyData(
        name=record.name,
        question=record.question.strip(),
        scale=scale_line(record, list(runs.values())),
        runs=table,
        metric=metric,
        margin=asked,
        comparisons=[Comparison(**row) for row in record.details["comparisons"]],
        factors=[str(name) for name in record.details["factors"]],
        design=design_of(record.details),
        baseline=str(record.declared.get("baseline", "baseline")),
        counts=counts,
        looks=looks,
        protocol=protocol_of(record, changed_margin=asked != float(record.declared["margin"])),
        design_name=str(record.declared.get("design", "")),
        generators=list(record.details.get("generators", ())),
        seeds=[int(seed) for seed in record.declared.get("seeds", ())],
        facts=[*declared_facts(record), *recorded_facts(record, counts), *conditions_facts(list(runs.values()))],
        cautions=[
            *_changes(record, asked),
            *condition_cautions(results.values()),
            *no_op_cautions(record.details["comparisons"], results, metric.tracked),
        ],
        limits=declared_limits(record),
        commands=reproducing(record, list(results.values())),
        searches=read_searches(record.details),
        curves=lambda: read_curves(results, tracker),
        correct=lambda: read_correct(results, tracker, metric.tracked),
    )
    return found if looks is None else _with_looks(found, looks)


def looks_of(layout: Mapping[str, Any]) -> Looks | None:
    """The looks of a study that adds seeds until it is clear: numbers of seeds, and the alpha of each."""
    plain = layout.get("looks")
    return Looks(tuple(int(seeds) for seeds in plain[0]), tuple(plain[1])) if plain else None


def _with_looks(study: StudyData, looks: Looks) -> StudyData:
    """What is missing of such a study is what the next look still reads; arms that were clear get no more runs."""
    start = start_monitoring(study.comparisons, study.seeds, looks)
    state = replay(start, study.runs, study.metric, study.margin)
    wanted = set(missing_runs(state, study.runs, study.metric))
    counts = study.counts
    missing = [pair for pair in counts.missing if pair in wanted]
    words = f"{state.taken} of the looks at {', '.join(map(str, looks.seeds))} seeds taken"
    words += (
        "; every comparison has ended" if state.done else f"; {count(len(state.undecided), 'comparison')} not ended"
    )
    spared = len(counts.missing) - len(missing) if state.done else 0
    alphas = ", ".join(f"{alpha:g}" for alpha in looks.alphas)
    return replace(
        study,
        counts=replace(counts, missing=missing, spared=spared),
        facts=[("Seeds added until it is clear", f"{words} (alpha {alphas})"), *study.facts],
    )


def answers(record: StudyRecord, own: Sequence[Run], tracker: Tracker) -> dict[PlanEntry, Run]:
    """The runs that answer a study's plan, in its order; `own` are those of its experiment, others are looked for."""
    wanted = {planned.run for planned in record.planned_runs if planned.run}
    found = {run.name: run for run in own if run.name in wanted}
    if wanted - found.keys():
        found |= {run.name: run for run in tracker.runs() if run.name in wanted}
    by_recipe = _by_recipe(own)
    answered = {}
    for planned in record.planned_runs:
        run = found.get(planned.run or "") or by_recipe.get((planned.key, planned.data))
        if run is not None:
            answered[planned] = run
    return answered


def _by_recipe(runs: Sequence[Run]) -> dict[tuple[str, str], Run]:
    """The newest result of each recipe, or else the newest attempt: what a study that still runs has so far."""
    ordered = sorted(runs, key=lambda run: (run.is_result, run.started))
    return {(run.key, run.data): run for run in ordered}


def _as_planned(run: Run, planned: PlanEntry) -> Run:
    """A run under the name and seed that the plan gives it: an older run may carry another name."""
    return replace(run, variant=planned.variant, seed=planned.seed)


def _metric(plain: Mapping[str, Any], runs: Iterable[Run]) -> Metric:
    """Return the recorded metric with the floor of the data that the runs used."""
    return Metric.from_dict(plain).with_floor(min((run.floor for run in runs if run.floor is not None), default=None))


def design_of(layout: Mapping[str, Any]) -> pd.DataFrame:
    """A row a variant, a true/false column a factor in question."""
    import pandas as pd

    factors = layout["factors"]
    rows = {variant: [name in on for name in factors] for variant, on in layout["arms"].items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=factors).astype(bool)


def protocol_of(record: StudyRecord, *, changed_margin: bool) -> Protocol:
    """What was fixed beforehand: a margin or metric that changed, factors left out or seeds added later are not."""
    kept = all(
        earlier.get(name) == record.declared.get(name) for earlier in record.earlier for name in ("margin", "metric")
    )
    factors = set(record.declared.get("factors", ()))
    kept = kept and all(set(earlier.get("factors", factors)) <= factors for earlier in record.earlier)
    now = set(record.declared.get("seeds", ()))
    added = any(set(earlier.get("seeds", now)) < now for earlier in record.earlier)
    return Protocol(planned=kept and not changed_margin, extended=added)


def _changes(record: StudyRecord, margin: float) -> list[str]:
    """What was declared otherwise before, in words."""
    lines = []
    declared = float(record.declared["margin"])
    if margin != declared:
        lines.append(f"The study declared a margin of {declared:g}; this report was asked for {margin:g}.")
    names = dict.fromkeys(name for earlier in record.earlier for name in earlier)
    for name in names:
        before = [earlier[name] for earlier in record.earlier if name in earlier]
        now = record.declared.get(name)
        different = [value for value in before if value != now]
        if different:
            lines.append(f"Changed after the study had begun: {name} was {_plain(different[-1])}, is {_plain(now)}.")
    return lines


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _run_counts(record: StudyRecord, runs: Mapping[PlanEntry, Run], own: Sequence[Run]) -> RunCounts:
    statuses: dict[str, int] = {}
    for run in runs.values():
        statuses[run.status] = statuses.get(run.status, 0) + 1
    keys = {(planned.key, planned.data) for planned in record.planned_runs}
    mine = [run for run in own if (run.key, run.data) in keys]
    results = [run for run in runs.values() if run.is_result]
    spent = {run.name: _seconds(run) for run in [*mine, *runs.values()]}
    return RunCounts(
        planned=len(record.planned_runs),
        statuses=statuses,
        missing=[(entry.variant, entry.seed) for entry in record.planned_runs if entry not in runs],
        running=[(entry.variant, entry.seed) for entry, run in runs.items() if run.status == "running"],
        reused=sum(run.study != record.name for run in runs.values()),
        before=sum((run.ended or math.inf) < record.since for run in results) if record.since else None,
        seconds=sum(spent.values()),
    )


def _seconds(run: Run) -> float:
    if "time/total_s" in run.metrics:
        return run.metrics["time/total_s"]
    return max(0.0, run.ended - run.started) if run.ended is not None else 0.0

"""Describe a sweep before it runs: design, planned runs, duration, and statistical power."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ablate import console
from ablate.runs.forecast import Forecast, Sensitivity, forecast, sensitivity
from ablate.runs.sweep import PlannedRun
from ablate.studies.designs import Design
from ablate.studies.study import Study
from ablate.wording import count
from ablate.workflows.messages import describe_scale
from ablate.workflows.sweep import SweepSession


def announce_sweep(study: Study, planned: Sequence[PlannedRun], slots: int) -> None:
    """Print the question, the design and the conditions of a sweep."""
    job, design = planned[0].job, study.resolved_design
    if study.question:
        console.info(study.question.strip().splitlines()[0])
    done = sum(entry.is_done for entry in planned)
    console.info(
        f"{study.name}: {study.design} over {count(len(design.factors), 'factor')}, "
        f"{count(len(design.arms), 'variant')} x {count(len(study.seed_list), 'seed')} = "
        f"{count(len(planned), 'run')}, {done} finished"
    )
    console.info(
        f"{describe_scale(job, study.preset, slots)}; margin {study.workload.metric.with_unit(f'{study.margin:g}')}"
    )
    for line in describe_aliases(design):
        console.info(line)


def print_dry_run(session: SweepSession, *, as_json: bool) -> None:
    """Print the planned runs, the expected duration, and the minimum detectable difference."""
    study, planned = session.study, session.planned
    time_left = forecast(planned, session.journals, session.executor.slots)
    power = sensitivity(study, planned, session.journals)
    if as_json:
        console.print_json({**_facts(study, planned, time_left, power), "cautions": session.cautions})
        return
    console.table(["variant", "done", "to run", "failed"], _rows(study, planned))
    for line in _describe(time_left, power, study):
        console.result(line)


def _rows(study: Study, planned: Sequence[PlannedRun]) -> list[list[str]]:
    rows = []
    for arm in study.resolved_design.arms:
        label = study.recipe(arm, 0).label
        entries = [entry for entry in planned if entry.job.recipe.label == label]
        done = [entry.job.recipe.seed for entry in entries if entry.is_done]
        failed = [entry.job.recipe.seed for entry in entries if entry.has_failed]
        missing = [entry.job.recipe.seed for entry in entries if not entry.is_done and not entry.has_failed]
        rows.append([label, *(" ".join(map(str, seeds)) or "-" for seeds in (done, missing, failed))])
    return rows


def describe_aliases(design: Design) -> list[str]:
    """Return the resolution and the aliases of a factorial design; nothing for other designs."""
    if design.contrasts:
        return []
    import pandas as pd

    from ablate.stats.attribution import alias_groups, orthogonal_part, resolution

    rows = {i: {name: name in arm for name in design.factors} for i, arm in enumerate(design.arms)}
    part = orthogonal_part(pd.DataFrame.from_dict(rows, orient="index"))
    number = resolution(part)
    lines = [f"resolution {_roman(number)}" if number else "full factorial: no aliases"]
    for group in alias_groups(part):
        if group.order and len(group.terms) > 1:
            lines.append(f"aliased: {' = '.join((group.label, *group.aliases))}")
        elif group.order == 1 and group.partial:
            lines.append(f"partially aliased: {group.label} with {count(len(group.partial), 'interaction')}")
    return lines


def _roman(number: int) -> str:
    names = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X")
    return names[number] if number < len(names) else str(number)


def _describe(time_left: Forecast | None, power: Sensitivity | None, study: Study) -> list[str]:
    lines = []
    if time_left and time_left.missing:
        lines.append(
            f"{count(time_left.missing, 'missing run')}: about {console.duration(time_left.seconds)}, "
            f"{time_left.hours:.2g} {time_left.unit}-hours ({console.duration(time_left.seconds_each)} per run, "
            f"{time_left.basis})"
        )
    elif time_left:
        lines.append("All runs are finished")
    if power:
        smallest = study.workload.metric.with_unit(f"{power.detectable:.2g}")
        detectable = f"{smallest} or more" if math.isfinite(power.detectable) else "no difference"
        number = len(study.seed_list)
        seeds = f"{count(number, 'seed')} {'detects' if number == 1 else 'detect'}"
        if power.seeds_needed:
            needed = f"The margin of {study.margin:g} needs {power.seeds_needed.words}"
        else:
            needed = f"Estimating the seeds for the margin of {study.margin:g} takes at least 5 earlier runs"
        lines.append(f"{seeds} {detectable}. {needed} (SD over seeds {power.sd:.2g}: {power.basis})")
    return lines


def _facts(
    study: Study, planned: Sequence[PlannedRun], time_left: Forecast | None, power: Sensitivity | None
) -> dict[str, Any]:
    return {
        "study": study.name,
        "planned": len(planned),
        "reused": sum(entry.is_done for entry in planned),
        "aliases": describe_aliases(study.resolved_design),
        "seconds": time_left.seconds if time_left else None,
        "hours": time_left.hours if time_left else None,
        "detectable": power.detectable if power else None,
        "seeds_needed": list(power.seeds_needed) if power and power.seeds_needed else None,
        "runs": [
            {
                "variant": entry.job.recipe.label,
                "seed": entry.job.recipe.seed,
                "key": entry.job.recipe.key,
                "status": entry.run.status if entry.run else "missing",
            }
            for entry in planned
        ],
    }

"""Print a sweep before it runs: design and conditions, and its plan."""

from __future__ import annotations

from collections.abc import Sequence

from ablate import console
from ablate.runs.executors.slurm.executor import SlurmExecutor
from ablate.runs.sweep import PlannedRun
from ablate.studies.study import Study
from ablate.studies.varied_values import added_levels
from ablate.wording import count
from ablate.workflows.aliases import describe_aliases
from ablate.workflows.messages import describe_scale
from ablate.workflows.sweep import SweepSession
from ablate.workflows.sweep_plan import plan_of


def announce_sweep(study: Study, planned: Sequence[PlannedRun], slots: int) -> None:
    """Print the question, the design and the conditions of a sweep."""
    job, design = planned[0].job, study.resolved_design
    if study.question:
        console.info(study.question.strip().splitlines()[0])
    done = sum(entry.is_done for entry in planned)
    kind = "component" if any(component.levels for component in design.components) else "factor"
    named = count(len(study.arms), "named arm") if study.arms else ""
    asked = [count(len(design.components), kind)] if design.components or not named else []
    console.info(
        f"{study.name}: {study.design} over {' and '.join([*asked, *filter(None, [named])])}, "
        f"{count(len(design.arms), 'variant')} x {count(len(study.seed_list), 'seed')} = "
        f"{count(len(planned), 'run')}, {done} finished"
    )
    console.info(
        f"{describe_scale(job, study.preset, slots)}; margin {study.workload.metric.with_unit(f'{study.margin:g}')}"
    )
    added = added_levels(study.baseline, design.components, study.vary)
    for line in (*added, *design.left_out, *describe_aliases(design)):
        console.info(line)


def print_dry_run(session: SweepSession, *, as_json: bool) -> None:
    """Print the planned runs, the expected duration, and the minimum detectable difference."""
    plan, script = plan_of(session), _script(session)
    if as_json:
        console.print_json({**plan.facts, **({"sbatch": script} if script else {})})
        return
    console.table(*plan.table)
    for line in (*plan.lines, *script.splitlines()):
        console.result(line)


def _script(session: SweepSession) -> str:
    """Return the script of the jobs of a Slurm cluster, or an empty text."""
    missing = len(session.open_jobs)
    return session.executor.script(missing) if missing and isinstance(session.executor, SlurmExecutor) else ""

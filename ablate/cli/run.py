"""`ablate run`: train one recipe."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ablate import console
from ablate.cli.options import names
from ablate.cli.options.common import ComputeFlags, DataFlags, RunFlags, TrackingFlags, shows_tracebacks
from ablate.cli.options.groups import expand_groups
from ablate.cli.options.recipe import RecipeFlags
from ablate.errors import UserError
from ablate.workloads.resnet9.workload import WORKLOAD

if TYPE_CHECKING:
    from ablate.workflows.run import RunResult


@expand_groups
def run(flags: RunFlags, recipe: RecipeFlags, data: DataFlags, compute: ComputeFlags, store: TrackingFlags) -> None:
    """Train one recipe and record it in MLflow.

    Switch factors of the baseline off (--no-augment) and candidates on (--mixup). A finished run is not repeated: its
    result is shown.

    Examples:
      ablate run --preset demo

      ablate run --no-augment --no-residual --seed 1

      ablate run --data-dir cifar10.tgz --preset laptop --mixup --mixup-alpha 0.4
    """
    from ablate.runs.runner import RunOptions
    from ablate.studies.job import Job
    from ablate.tracking import Project
    from ablate.workflows.run import check_writable, copy_weights, describe_run, train_run

    conditions = compute.conditions(WORKLOAD)
    preset = flags.preset or (names.FULL_PRESET if conditions.device == "cuda" else WORKLOAD.default_preset)
    chosen = recipe.recipe(preset, flags.seed)
    conditions = compute.with_threads(conditions, chosen)
    project = Project.find()
    tracker = store.open(project)
    purpose = RunOptions(project.root, tags=flags.tags, again=flags.again)
    if flags.save_weights:
        check_writable(flags.save_weights)
    job = Job(chosen, data.open(chosen, preset), conditions, keep_weights=True)
    console.info(describe_run(job, preset if flags.preset else f"{preset} (default for this hardware)"))
    result = train_run(job, purpose, project, tracker)
    if flags.save_weights and result.run.is_result:
        copy_weights(result, flags.save_weights)
    _print(result, as_json=flags.as_json)


def _print(result: RunResult, *, as_json: bool) -> None:
    """Print the result of a run; raise UserError if it failed."""
    run, name = result.run, result.title
    if as_json:
        console.print_json(result.facts)
    elif run.is_result:
        accuracy = run.metrics.get(WORKLOAD.metric.tracked, math.nan)
        spent = f"in {console.duration(result.seconds)}"
        state = f"{run.status} {spent}" if result.is_new else f"{run.status} earlier ({spent}; --again reruns it)"
        console.result(f"{name}: test accuracy {accuracy:.4f}, {state}")
        if run.error:
            console.warning(f"Unstable: {run.error}")
        if result.is_stored:
            console.info(f"Run {result.identifier} in {result.tracker.uri}")
            look = f"ablate ui, or ablate show {name}"
        else:
            console.info(f"Recorded in {result.journal}. `ablate sync` delivers it to MLflow")
            look = f"ablate show {name} --offline"
        other = f", or the same command with --no-{names.EXAMPLE_FACTOR.flag}" if run.variant == "baseline" else ""
        console.info(f"Next: {look}{other}")
    if not run.is_result:
        if shows_tracebacks():
            console.info(result.traceback or "")
        raise UserError(
            f"{name} {run.status}: {run.error}. Repeat the command to retry, with --debug for the traceback"
        )

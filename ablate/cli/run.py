"""`ablate run`: train one recipe."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer

from ablate import console
from ablate.cli.options.common import DataFlags, RunFlags, StoreFlags, WhereFlags, shows_tracebacks
from ablate.cli.options.recipe import Selection, grouped
from ablate.errors import UserError
from ablate.tracking import Project, run_title
from ablate.workloads.resnet9.workload import WORKLOAD

if TYPE_CHECKING:
    from ablate.workflows.run import RunResult


@grouped(WORKLOAD)
def run(
    selection: Selection,
    data: DataFlags,
    where: WhereFlags,
    store: StoreFlags,
    flags: RunFlags,
    preset: Annotated[
        str | None,
        typer.Option(help="The scale: notebook, laptop or demo; by the hardware unless given.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(help="The seed of every random stream.", min=0)] = 0,
) -> None:
    """Train one recipe and record it in MLflow.

    Switch components off (--no-augment --no-residual) or candidates on (--mixup), turn their knobs, choose a scale.
    The same recipe on the same data runs once; asked for again, its result is shown.

    Examples:
      ablate run --preset demo

      ablate run --no-augment --no-residual --seed 1

      ablate run --data-dir cifar10.tgz --preset laptop --mixup --mixup-alpha 0.4
    """
    from ablate.runs.runner import Purpose
    from ablate.studies.job import Job, open_data
    from ablate.workflows.run import check_writable, copy_weights, describe_run, train_run

    conditions = where.conditions(WORKLOAD)
    scale = preset or ("notebook" if conditions.device == "cuda" else "laptop")
    recipe = selection.recipe(scale, seed)
    project = Project.find()
    tracker = store.open(project)
    purpose = Purpose(project.root, tags=flags.tags, again=flags.again)
    if flags.save_weights:
        check_writable(flags.save_weights)
    with console.DecodingBar() as bar:
        opened = open_data(recipe, data.source(WORKLOAD.preset(scale).dataset), bar)
    job = Job(recipe, opened, conditions, keep_weights=True)
    console.say(describe_run(job, scale if preset else f"{scale} (chosen by the hardware)"))
    result = train_run(job, purpose, project, tracker)
    if flags.save_weights and result.run.is_result:
        copy_weights(result, flags.save_weights)
    _print(result, as_json=flags.as_json)


def _print(result: RunResult, *, as_json: bool) -> None:
    """Print the result of a run; raise UserError if it failed."""
    run, name = result.run, run_title(result.run)
    if as_json:
        console.emit(result.facts)
    elif run.is_result:
        accuracy = run.metrics.get(WORKLOAD.metric.tracked, math.nan)
        state = run.status if result.is_new else f"{run.status} earlier (--again reruns it)"
        console.result(f"{name}: test accuracy {accuracy:.4f}, {state} in {console.duration(result.seconds)}")
        if run.error:
            console.warn(f"Unstable: {run.error}")
        if result.is_stored:
            console.say(f"Run {result.identifier} in {result.tracker.uri}")
            look = f"ablate ui, or ablate show {name}"
        else:
            console.say(f"Recorded in {result.journal}. `ablate sync` delivers it to MLflow")
            look = f"ablate show {name} --offline"
        console.say(f"Next: {look}, or the same run with a component off (--no-batch-norm)")
    if not run.is_result:
        if shows_tracebacks():
            console.say(result.traceback or "")
        raise UserError(f"{name} {run.status}: {run.error}. --debug shows the traceback, the same command retries")

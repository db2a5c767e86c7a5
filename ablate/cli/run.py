"""`ablate run`: train one recipe."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ablate import console
from ablate.cli.options import names
from ablate.cli.options.common import ComputeFlags, DataFlags, RunFlags, TrackingFlags, shows_tracebacks
from ablate.cli.options.groups import expand_groups
from ablate.cli.options.recipe import RecipeFlags
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
    from ablate.api.training import RunRequest, prepare_run
    from ablate.workflows.run import check_writable, copy_weights, train_run

    if flags.save_weights:
        check_writable(flags.save_weights)
    request = RunRequest(
        on=[name for name, is_on in recipe.switches.items() if is_on],
        off=[name for name, is_on in recipe.switches.items() if not is_on],
        values=recipe.values,
        preset=flags.preset,
        seed=flags.seed,
        tags=flags.tags,
        again=flags.again,
        data=data,
        compute=compute,
    )
    prepared = prepare_run(request)
    console.info(prepared.description)
    result = train_run(prepared.job, prepared.options, prepared.project, store.open(prepared.project))
    if flags.save_weights and result.run.is_result:
        copy_weights(result, flags.save_weights)
    _print(result, as_json=flags.as_json)


def _print(result: RunResult, *, as_json: bool) -> None:
    """Print the result of a run; raise UserError if it failed."""
    from ablate.api.training import check_result

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
    if not run.is_result and shows_tracebacks():
        console.info(result.traceback or "")
    check_result(result)

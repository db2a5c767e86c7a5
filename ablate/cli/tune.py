"""`ablate tune`: tune one recipe, or every variant of a study."""

from __future__ import annotations

import math
import shlex
import time
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablate import console
from ablate.cli.options.common import ComputeFlags, DataFlags, TrackingFlags
from ablate.cli.options.groups import expand_groups
from ablate.cli.options.recipe import NO_LIMIT, RecipeFlags, option_name
from ablate.cli.options.tune import SearchFlags, TrialFlags
from ablate.errors import UsageError

if TYPE_CHECKING:
    from ablate.studies.study import Study
    from ablate.workflows.tune_request import TuneContext

_NOT_QUOTED = ("jobs", "executor", "address", "slurm", "runs_per_job", "timeout", "save", "max_failures", "as_json")
"""Options that do not change the result of a search: the command line in its report leaves them out."""


@expand_groups
def tune(
    search: SearchFlags,
    execution: TrialFlags,
    recipe: RecipeFlags,
    data: DataFlags,
    compute: ComputeFlags,
    store: TrackingFlags,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="STUDY.py", help="Study file. Default: the baseline recipe.", show_default=False),
    ] = None,
) -> None:
    """Tune hyperparameters and settings with Optuna, by validation score.

    The first trial is the unchanged recipe. The same command resumes a search, and several commands can share one.
    Factors, hyperparameters and settings (--no-augment, --epochs 4) change the recipe.

    Examples:

      ablate tune --preset demo --trials 20 --space lr,weight-decay.strength

      ablate tune experiments/laptop.py --trials 40 --save experiments/tuned.py

      ablate tune --per-variant experiments/demo.py --trials 10 --space lr

      ablate tune --preset demo --multi accuracy,parameters --space lr,width=2:16
    """
    from ablate.tracking import Project
    from ablate.workflows.tune_recipe import tune_recipe
    from ablate.workflows.tune_request import TuneContext, TuneRequest, TuneResources
    from ablate.workflows.tune_variants import tune_variants

    began = time.time()
    study, project = search.study(file, recipe), Project.find()
    _check(study, execution)
    command = _command(file, search, execution, recipe)
    request = TuneRequest(
        study,
        search.settings,
        command,
        max_failures=execution.max_failures,
        deadline=math.inf if execution.timeout is None else began + execution.timeout,
        mix=execution.mix,
        save=execution.save,
        as_json=execution.as_json,
    )
    conditions, executor = execution.workers(study.baseline, compute)
    opened, storage = data.open(study.baseline, study.preset), execution.search_storage(project, study.name)
    context = TuneContext(request, TuneResources(opened, conditions, executor, project, store.open(project), storage))
    _announce(context)
    (tune_variants if search.per_variant else tune_recipe)(context, began)


def _check(study: Study, execution: TrialFlags) -> None:
    """Raise UsageError or UserError before the search for what would make its result unusable."""
    from ablate.tuning.save_winner import check_save_path
    from ablate.tuning.types import objectives_of

    if execution.save:
        check_save_path(execution.save)
    if study.baseline.settings.get("validate_on") == "test":
        raise UsageError("With --validate-on test, tuning would select by test images. Use --validate-on val")
    objectives_of(study.workload.validation, study.workload.name)


def _announce(context: TuneContext) -> None:
    """Print the scale and the conditions of the trials."""
    from ablate.studies.job import Job
    from ablate.workflows.messages import describe_scale

    study, resources = context.request.study, context.resources
    job = Job(study.baseline, resources.data, resources.conditions)
    console.info(describe_scale(job, study.preset, resources.executor.slots))


def _command(file: Path | None, search: SearchFlags, execution: TrialFlags, recipe: RecipeFlags) -> str:
    """Return the command line that repeats the search."""
    words = ["ablate", "tune", *([file.name if file.is_absolute() else str(file)] if file else [])]
    for flags in (search, execution):
        for field in fields(flags):
            value = getattr(flags, field.name)
            if value != field.default and field.name not in _NOT_QUOTED:
                words += [f"--{option_name(field.name)}", *([] if value is True else [str(value)])]
    words += [f"--{'' if is_on else 'no-'}{option_name(name)}" for name, is_on in recipe.switches.items()]
    for name, value in recipe.values.items():
        words += [f"--{option_name(name)}", NO_LIMIT if value is None else str(value)]
    return shlex.join(words)

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
from ablate.cli.options.recipe import RecipeFlags
from ablate.errors import UsageError
from ablate.studies.job import Job
from ablate.workflows.messages import describe_scale

if TYPE_CHECKING:
    from ablate.studies.job import Data
    from ablate.studies.study import Study
from ablate.cli.options.tune import SearchFlags, TrialFlags
from ablate.workloads.dispatch import open_data


@expand_groups
def tune(
    search: SearchFlags,
    how: TrialFlags,
    recipe: RecipeFlags,
    data: DataFlags,
    compute: ComputeFlags,
    store: TrackingFlags,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="STUDY.py", help="Study file. The default is the baseline recipe.", show_default=False),
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
    study = _checked(search.study(file, recipe), how)
    means = how.means(study.workload, compute)
    opened, project = _open_data(study, data), Project.find()
    request = TuneRequest(
        study,
        search.settings,
        _command(file, search, how, recipe),
        max_failures=how.max_failures,
        deadline=began + how.timeout if how.timeout is not None else math.inf,
        mix=how.mix,
        save=how.save,
        as_json=how.as_json,
    )
    storage = how.search_storage(project, study.name)
    resources = TuneResources(opened, means.conditions, means.executor, project, store.open(project), storage)
    console.say(describe_scale(Job(study.baseline, opened, means.conditions), study.preset, means.slots))
    (tune_variants if search.per_variant else tune_recipe)(TuneContext(request, resources), began)


def _checked(study: Study, how: TrialFlags) -> Study:
    """Return the study; raises for what would be a pity to find out after the search."""
    from ablate.tuning.save_winner import check_save_path
    from ablate.tuning.types import objectives_of

    if how.save:
        check_save_path(how.save)
    _refuse_test_images(study)
    objectives_of(study.workload.validation, study.workload.name)
    return study


def _open_data(study: Study, flags: DataFlags) -> Data:
    with console.DecodingBar() as bar:
        source = flags.source_or_none(study.workload.preset(study.preset).dataset)
        return open_data(study.baseline, source, bar)


def _refuse_test_images(study: Study) -> None:
    if study.baseline.settings.get("validate_on") == "test":  # a workload without that setting has no such way out
        raise UsageError("with validate_on test, tuning would choose by the test images: --validate-on val")


def _command(file: Path | None, search: SearchFlags, how: TrialFlags, recipe: RecipeFlags) -> str:
    """Return the command that does the same again."""
    words = ["ablate", "tune", *([file.name if file.is_absolute() else str(file)] if file else [])]
    for flags, left_out in (
        (search, ()),
        (how, ("jobs", "executor", "address", "timeout", "save", "max_failures", "as_json")),
    ):
        for field in fields(flags):
            value = getattr(flags, field.name)
            if value != field.default and field.name not in left_out:
                flag = f"--{field.name.replace('_', '-')}"
                words += [flag] if value is True else [flag, str(value)]
    words += [f"--{'' if is_on else 'no-'}{name.replace('_', '-')}" for name, is_on in recipe.switches.items()]
    for name, value in recipe.values.items():
        words += [f"--{name.replace('.', '-').replace('_', '-')}", "all" if value is None else str(value)]
    return shlex.join(words)

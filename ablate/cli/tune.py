"""The command that searches settings and knobs, of one recipe or of every arm of a study."""

from __future__ import annotations

import math
import shlex
import time
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablate import console
from ablate.cli.options.common import DataFlags, StoreFlags, WhereFlags
from ablate.cli.options.recipe import Selection, grouped
from ablate.errors import UsageError
from ablate.studies.job import Job
from ablate.workflows.messages import scale_of
from ablate.workloads.resnet9.workload import WORKLOAD

if TYPE_CHECKING:
    from ablate.studies.job import Data
    from ablate.studies.study import Study
from ablate.cli.options.tune import MakeFlags, SearchFlags
from ablate.studies.job import open_data


@grouped(WORKLOAD)
def tune(
    search: SearchFlags,
    how: MakeFlags,
    selection: Selection,
    data: DataFlags,
    where: WhereFlags,
    store: StoreFlags,
    file: Annotated[
        Path | None, typer.Argument(metavar="[STUDY.py]", help="A study's file.", show_default=False)
    ] = None,
) -> None:
    """Search settings and knobs by validation score; with --per-variant, for every arm of a study alike.

    The recipe as it is comes first. The same command goes on with a search, and several may work on one.

    Examples:

      ablate tune --preset demo --trials 20 --space lr,weight-decay.strength

      ablate tune experiments/laptop.py --trials 40 --save experiments/tuned.py

      ablate tune --per-variant experiments/demo.py --trials 10 --space lr

      ablate tune --preset demo --multi accuracy,parameters --space lr,width=2:16
    """
    from ablate.tracking import Project
    from ablate.workflows.tune_context import Context
    from ablate.workflows.tune_one import tune_one
    from ablate.workflows.tune_variants import tune_variants

    began = time.time()
    study = _checked(search.study(file, selection), how)
    means = how.means(study.workload, where)
    opened, project = _open_data(study, data), Project.find()
    context = Context(
        search, how, study, opened, means.conditions, project, store.open(project), means.executor,
        began + how.timeout if how.timeout is not None else math.inf, _command(file, search, how, selection),
    )  # fmt: skip
    console.say(scale_of(Job(study.baseline, opened, means.conditions), study.preset, means.slots))
    (tune_variants if search.per_variant else tune_one)(context, began)


def _checked(study: Study, how: MakeFlags) -> Study:
    """Return the study; raises for what would be a pity to find out after the search."""
    from ablate.tuning import objectives_of
    from ablate.tuning.save_winner import check_savable

    if how.save:
        check_savable(how.save)
    _refuse_test_images(study)
    objectives_of(study.workload.validation, study.workload.name)
    return study


def _open_data(study: Study, flags: DataFlags) -> Data:
    with console.DecodingBar() as bar:
        source = flags.wanted(study.workload.preset(study.preset).dataset)
        return open_data(study.baseline, source, bar)


def _refuse_test_images(study: Study) -> None:
    if study.baseline.settings.get("validate_on") == "test":  # a workload without that setting has no such way out
        raise UsageError("with validate_on test, tuning would choose by the test images: --validate-on val")


def _command(file: Path | None, search: SearchFlags, how: MakeFlags, selection: Selection) -> str:
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
    words += [f"--{'' if is_on else 'no-'}{name.replace('_', '-')}" for name, is_on in selection.switches.items()]
    for name, value in selection.values.items():
        words += [f"--{name.replace('.', '-').replace('_', '-')}", "all" if value is None else str(value)]
    return shlex.join(words)

"""The command that searches settings and knobs, of one recipe or of every arm of a study."""

from __future__ import annotations

import math
import shlex
import time
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ablate import console
from ablate.errors import UsageError
from ablate.flags import Selection, grouped
from ablate.options import DataFlags, StoreFlags, WhereFlags
from ablate.phrases import scale_of
from ablate.resnet9 import WORKLOAD
from ablate.study_flags import StudyFlags, SweepFlags, parse_seeds
from ablate.workload import Job

if TYPE_CHECKING:
    from ablate.executors import Executor
    from ablate.study import Study
    from ablate.tracking import Project
    from ablate.tuning import Place
    from ablate.workload import Conditions, Data, Workload


def _what_flag(*names: str, text: str, **more: Any) -> Any:
    return typer.Option(*names, help=text, rich_help_panel="What is searched", **more)


def _how_flag(*names: str, text: str, **more: Any) -> Any:
    return typer.Option(*names, help=text, rich_help_panel="How it runs", **more)


@dataclass(frozen=True)
class SearchFlags:
    """What is searched, for what, and how long."""

    trials: Annotated[int, _what_flag(text="How many trials in all (for each arm, --per-variant).", min=1)] = 20
    seeds: Annotated[
        str, _what_flag(text="Seeds of a trial: how many (3: 0 to 2), or which. Its score is their mean.")
    ] = "1"
    space: Annotated[
        str | None,
        _what_flag(
            text="Only these: lr,weight-decay.strength; another range by width=4:32. Else all that can be tuned.",
            metavar="A,B=LOW:HIGH,...",
            show_default=False,
        ),
    ] = None
    multi: Annotated[
        str | None,
        _what_flag(
            text="Several objectives, for a Pareto front: accuracy with time or parameters.",
            metavar="A,B",
            show_default=False,
        ),
    ] = None
    pruner: Annotated[
        str | None,
        _what_flag(
            text="median, hyperband (one seed), wilcoxon (5 seeds or more) or none; by the seeds unless given.",
            metavar="NAME",
            show_default=False,
        ),
    ] = None
    sampler_seed: Annotated[int, _what_flag(text="The seed of the TPE sampler.", min=0)] = 0
    per_variant: Annotated[
        bool,
        _what_flag("--per-variant", text="Tune every arm of the study alike, then compare the arms on fresh seeds."),
    ] = False
    design: Annotated[str | None, _what_flag(text="Of --per-variant without a file.", show_default=False)] = None
    factors: Annotated[
        str | None, _what_flag(text="Of --per-variant without a file.", metavar="A,B,...", show_default=False)
    ] = None
    final_seeds: Annotated[
        int | None,
        _what_flag(text="How many fresh seeds --per-variant ends with; the study's unless given.", show_default=False),
    ] = None
    preset: Annotated[
        str | None, _what_flag(text="The scale: notebook, laptop or demo.", metavar="NAME", show_default=False)
    ] = None
    name: Annotated[
        str | None, _what_flag(text="What the search is called; the same name goes on with it.", show_default=False)
    ] = None

    @property
    def asked(self) -> list[str]:
        """The parts of --space."""
        return [part for part in (self.space or "").split(",") if part.strip()]

    @property
    def seed_list(self) -> tuple[int, ...]:
        """The seeds of a trial."""
        seeds = parse_seeds(self.seeds)
        assert seeds is not None
        return tuple(range(seeds)) if isinstance(seeds, int) else tuple(dict.fromkeys(seeds))

    def study(self, file: Path | None, selection: Selection) -> Study:
        """Return the study whose recipe, or arms, are tuned, under the name of the search."""
        base = StudyFlags(design=self.design, factors=self.factors, preset=self.preset).study(file, selection)
        ending = "retuned" if self.per_variant else "tuning"
        stem = base.name if self.per_variant or file else base.preset
        return base.change(name=self.name or f"{stem}-{ending}", seeds=self.final_seeds)


@dataclass(frozen=True)
class Means:
    """What trials are made by: where and how each computes, how many at a time, and who does it."""

    conditions: Conditions
    slots: int
    executor: Executor


@dataclass(frozen=True)
class MakeFlags:
    """How the trials are made."""

    jobs: Annotated[
        int | None, _how_flag(text="Trials at a time; by cores or GPUs unless given.", min=1, show_default=False)
    ] = None
    executor: Annotated[str, _how_flag(text="serial, processes or ray.")] = "processes"
    address: Annotated[str | None, _how_flag(text="Of a running Ray cluster.", show_default=False)] = None
    timeout: Annotated[
        float | None, _how_flag(text="Begin no trial after so many seconds.", min=0, show_default=False)
    ] = None
    storage: Annotated[
        str | None,
        _how_flag(text="A database's URL, instead of mlruns/optuna/.", metavar="URL", show_default=False),
    ] = None
    save: Annotated[
        Path | None, _how_flag(text="Write the winner as a study file.", metavar="FILE.py", show_default=False)
    ] = None
    max_failures: Annotated[int, _how_flag(text="Give up after so many failed trials.", min=1)] = 5
    mix: Annotated[bool, _how_flag("--mix", text="Reuse runs of other devices and precisions.")] = False
    as_json: Annotated[bool, _how_flag("--json", text="Print one JSON object and nothing else.")] = False

    @property
    def sweep(self) -> SweepFlags:
        """The same as a sweep's flags."""
        return SweepFlags(jobs=self.jobs, executor=self.executor, address=self.address, mix=self.mix)

    def means(self, workload: Workload, where: WhereFlags) -> Means:
        """Return what the trials are made by on this machine."""
        wanted = where.conditions(workload)
        slots = self.sweep.slots(wanted, where.threads)
        conditions = replace(wanted, threads=where.threads or max(1, wanted.threads // slots))
        return Means(conditions, slots, self.sweep.open(slots, conditions))

    def place(self, project: Project, name: str) -> Place:
        """Return where the search is kept. Raises UsageError for an address that is none."""
        from ablate.tuning import Place

        if self.storage and "://" not in self.storage:
            raise UsageError(f"--storage takes a database's URL, such as sqlite:///tuning.db, not {self.storage}")
        folder = project.mlruns / "optuna"
        return Place(self.storage or str(folder / f"{name}.log"), folder)


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
    from ablate.tune_arms import tune_arms
    from ablate.tune_context import Context
    from ablate.tune_one import tune_one

    began = time.time()
    study = _checked(search.study(file, selection), how)
    means = how.means(study.workload, where)
    opened, project = _open_data(study, data), Project.find()
    context = Context(
        search, how, study, opened, means.conditions, project, store.open(project), means.executor,
        began + how.timeout if how.timeout is not None else math.inf, _command(file, search, how, selection),
    )  # fmt: skip
    console.say(scale_of(Job(study.baseline, opened, means.conditions), study.preset, means.slots))
    (tune_arms if search.per_variant else tune_one)(context, began)


def _checked(study: Study, how: MakeFlags) -> Study:
    """Return the study; raises for what would be a pity to find out after the search."""
    from ablate.tuning import objectives_of
    from ablate.tuning.saving import check_savable

    if how.save:
        check_savable(how.save)
    _refuse_test_images(study)
    objectives_of(study.workload.validation, study.workload.name)
    return study


def _open_data(study: Study, flags: DataFlags) -> Data:
    with console.DecodingBar() as bar:
        source = flags.wanted(study.workload.preset(study.preset).dataset)
        return study.workload.open_data(source, study.baseline, bar)


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

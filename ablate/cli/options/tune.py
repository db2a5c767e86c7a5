"""Flag groups of `ablate tune`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ablate.cli.options.common import WhereFlags
from ablate.cli.options.recipe import Selection
from ablate.cli.options.study import StudyFlags, SweepFlags, parse_seeds
from ablate.errors import UsageError

if TYPE_CHECKING:
    from ablate.runs.executors import Executor
    from ablate.studies.conditions import Conditions
    from ablate.studies.study import Study
    from ablate.studies.workload import Workload
    from ablate.tracking import Project
    from ablate.tuning import Place


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
